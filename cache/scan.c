/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Down to the place of the key, and, where its leaf has nothing behind it, up to the next branch and down again: pages of LMDB do
 * not know their neighbours. */
#include "cache/scan.h"

#include "cache/page.h"

#include <string.h>

struct level {
	struct page page;
	uint32_t at; /* the node that is taken */
};

struct path {
	uint32_t n;
	struct level levels[SM_MAP_LEVELS_MAX];
};

/* The first node of the page whose key is above the walk's, or page->n_nodes; in a branch, `from` 1 passes over the first node,
 * which counts as below all keys. */
static enum sm_status find_above(const struct walk *walk, const struct page *page, uint32_t from, uint32_t *ret)
{
	uint32_t low = from, high = page->n_nodes;
	struct node node;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (open_node(walk, page, middle, &node) != SM_OK)
			return SM_CORRUPT;
		if (compare(walk, &node) < 0)
			high = middle;
		else
			low = middle + 1;
	}
	*ret = low;
	return SM_OK;
}

static enum sm_status child_of(const struct walk *walk, const struct level *level, uint64_t *ret)
{
	struct node node;

	if (open_node(walk, &level->page, level->at, &node) != SM_OK)
		return SM_CORRUPT;
	*ret = load_node_low(node.bytes) | (uint64_t)node.flags << 32;
	return SM_OK;
}

/* Opens pages from `number` down to a leaf. `is_first`: each time by the first node, else by the key. */
static enum sm_status descend(const struct walk *walk, uint64_t number, bool is_first, struct path *path)
{
	for (;;) {
		struct level *level = &path->levels[path->n];
		bool is_leaf = path->n + 1U == walk->depth;

		if (open_page(walk, number, &level->page) != SM_OK ||
		    level->page.flags != (is_leaf ? SM_PAGE_LEAF : SM_PAGE_BRANCH))
			return SM_CORRUPT;
		level->at = 0;
		if (!is_first && find_above(walk, &level->page, is_leaf ? 0 : 1, &level->at) != SM_OK)
			return SM_CORRUPT;
		if (!is_first && !is_leaf)
			level->at--;
		path->n++;
		if (is_leaf)
			return SM_OK;
		if (level->at >= level->page.n_nodes || child_of(walk, level, &number) != SM_OK)
			return SM_CORRUPT;
	}
}

/* The leaf has nothing above the key: the first node of the next leaf. */
static enum sm_status go_on(const struct walk *walk, struct path *path)
{
	uint64_t number;

	for (path->n--; path->n > 0; path->n--) {
		struct level *level = &path->levels[path->n - 1];

		if (++level->at >= level->page.n_nodes)
			continue;
		if (child_of(walk, level, &number) != SM_OK)
			return SM_CORRUPT;
		return descend(walk, number, true, path);
	}
	return SM_MISS;
}

static enum sm_status take(const struct walk *walk, const struct level *level, struct sm_name *ret, void *bytes, size_t size,
                           size_t *ret_size)
{
	struct node node;

	if (open_node(walk, &level->page, level->at, &node) != SM_OK || node.key_size == 0)
		return SM_CORRUPT;
	if (compare(walk, &node) >= 0)
		return SM_CORRUPT; /* out of order: whoever goes on would go round */
	if (node.key[0] != SM_MAP_SERVICE)
		return SM_MISS; /* keys of other kinds lie behind */
	if (sm_name_parse((const char *)node.key + 1, node.key_size - 1U, ret) != SM_OK || ret->length != node.key_size - 1U ||
	    memcmp(ret->text, node.key + 1, ret->length) != 0)
		return SM_CORRUPT; /* no key of ours: what is above the name may be this very key */
	return copy_value(walk, &level->page, &node, bytes, size, ret_size);
}

static enum sm_status walk_on(const struct walk *walk, struct sm_name *ret, void *bytes, size_t size, size_t *ret_size)
{
	struct path path = {.n = 0};
	enum sm_status status;

	if (walk->depth == 0)
		return SM_MISS;
	if (walk->depth > SM_MAP_LEVELS_MAX)
		return SM_CORRUPT;
	status = descend(walk, walk->root, false, &path);
	if (status == SM_OK && path.levels[path.n - 1].at >= path.levels[path.n - 1].page.n_nodes)
		status = go_on(walk, &path);
	if (status != SM_OK)
		return status;
	if (path.levels[path.n - 1].at >= path.levels[path.n - 1].page.n_nodes)
		return SM_CORRUPT;
	return take(walk, &path.levels[path.n - 1], ret, bytes, size, ret_size);
}

enum sm_status sm_scan_next(const struct sm_mapped *mapped, const struct sm_name *after, struct sm_name *ret, void *bytes,
                            size_t size, size_t *ret_size)
{
	uint8_t key[SM_MAP_KEY_MAX];
	struct walk walk = {.key = key, .key_size = sm_map_key(SM_MAP_SERVICE, after, key)};
	enum sm_status status = SM_CORRUPT;

	begin_walk(mapped, &walk);
	if (walk.n_pages < 2)
		return SM_CORRUPT;
	for (int i = 0; i < WALKS_MAX; i++) {
		pick_snapshot(&walk);
		status = walk_on(&walk, ret, bytes, size, ret_size);
		if (newest_txnid(&walk) - walk.txnid <= SM_READER_LEEWAY)
			return status;
	}
	return SM_CORRUPT;
}
