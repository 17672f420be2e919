/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages and nodes of the mapped file, each number loaded once, checked, and only then used: the file may change at any step.
 * For the two that walk: cache/reader.c to one key, cache/scan.c from key to key. */
#pragma once

#include "cache/reader.h"

#include <stdatomic.h>

/* A walk's result counts if at most this many transactions have begun since the snapshot that it walked. The control
 * run of the soak test sets the number so high that every result counts. */
#ifndef SM_READER_LEEWAY
#define SM_READER_LEEWAY 1
#endif

#define WALKS_MAX 8
#define VALUE_MAX (1U << 20)
#define PREFETCHED_MAX 4096 /* bytes of a page */
#define PREFETCHED_LINE 64

/* ---- loading: once, whatever the compiler thinks */

#define KEEP_LOADED() __asm__ volatile("" ::: "memory")

static inline uint16_t load_u16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	KEEP_LOADED();
	return value;
}

static inline uint32_t load_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	KEEP_LOADED();
	return value;
}

static inline uint64_t load_u64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	KEEP_LOADED();
	return value;
}

/* A transaction number. Loads written before this one are done before it, and later loads are done after it. */
static inline uint64_t load_txnid(const uint8_t *meta)
{
	uint64_t value;

	atomic_thread_fence(memory_order_acquire);
	value = load_u64(meta + SM_META_TXNID);
	atomic_thread_fence(memory_order_acquire);
	return value;
}

/* The two halves of a node's size or page number are in the machine's byte order. */
static inline uint32_t load_node_low(const uint8_t *node)
{
	uint16_t first = load_u16(node), second = load_u16(node + 2);

	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? first | (uint32_t)second << 16
	                                                 : second | (uint32_t)first << 16;
}

/* ---- pages */

struct walk {
	const uint8_t *bytes;
	uint64_t n_pages;
	uint32_t page_size;
	uint16_t depth;
	uint64_t root;
	uint64_t txnid;
	const void *key;
	size_t key_size;
};

struct page {
	const uint8_t *bytes;
	uint16_t flags;
	uint32_t n_nodes;
};

static inline void begin_walk(const struct sm_mapped *mapped, struct walk *walk)
{
	walk->bytes = mapped->bytes;
	walk->page_size = 1U << mapped->page_shift;
	walk->n_pages = atomic_load_explicit(&mapped->size, memory_order_relaxed) >> mapped->page_shift;
}

static inline uint64_t newest_txnid(const struct walk *walk)
{
	uint64_t first = load_txnid(walk->bytes), second = load_txnid(walk->bytes + walk->page_size);

	return first > second ? first : second;
}

static inline void pick_snapshot(struct walk *walk)
{
	uint64_t first = load_txnid(walk->bytes), second = load_txnid(walk->bytes + walk->page_size);
	const uint8_t *meta = second > first ? walk->bytes + walk->page_size : walk->bytes;

	walk->txnid = second > first ? second : first;
	walk->depth = load_u16(meta + SM_META_DEPTH);
	walk->root = load_u64(meta + SM_META_ROOT);
}

/* Loads a page in advance, all at once: in a large map the fetches are what takes the time, one behind the other. */
static inline void prefetch_page(const struct walk *walk, uint64_t number)
{
	const uint8_t *bytes = walk->bytes + number * walk->page_size;

	for (uint32_t at = 0; at < walk->page_size && at < PREFETCHED_MAX; at += PREFETCHED_LINE)
		__builtin_prefetch(bytes + at);
}

/* Opens a page of the tree. Checks that it is inside the file, that it has its own number, and that its list of
 * nodes is inside it. */
static inline enum sm_status open_page(const struct walk *walk, uint64_t number, struct page *ret)
{
	uint16_t lower, upper;

	if (number < 2 || number >= walk->n_pages)
		return SM_CORRUPT;
	ret->bytes = walk->bytes + number * walk->page_size;
	ret->flags = load_u16(ret->bytes + SM_PAGE_FLAGS);
	lower = load_u16(ret->bytes + SM_PAGE_LOWER);
	upper = load_u16(ret->bytes + SM_PAGE_UPPER);
	if (load_u64(ret->bytes + SM_PAGE_NUMBER) != number)
		return SM_CORRUPT;
	if (lower < SM_PAGE_HEAD || lower > upper || upper > walk->page_size)
		return SM_CORRUPT;
	ret->n_nodes = (lower - SM_PAGE_HEAD) / 2U;
	return SM_OK;
}

struct node {
	const uint8_t *bytes;
	const uint8_t *key;
	uint16_t key_size;
	uint16_t flags;
};

static inline enum sm_status open_node(const struct walk *walk, const struct page *page, uint32_t index, struct node *ret)
{
	uint32_t offset = load_u16(page->bytes + SM_PAGE_HEAD + 2 * index);

	if (offset < SM_PAGE_HEAD || offset + SM_NODE_HEAD > walk->page_size)
		return SM_CORRUPT;
	ret->bytes = page->bytes + offset;
	ret->flags = load_u16(ret->bytes + SM_NODE_FLAGS);
	ret->key = ret->bytes + SM_NODE_HEAD;
	ret->key_size = load_u16(ret->bytes + SM_NODE_KEY_SIZE);
	return offset + SM_NODE_HEAD + ret->key_size <= walk->page_size ? SM_OK : SM_CORRUPT;
}

/* mdb_cmp_memn: bytes, then length. */
static inline int compare(const struct walk *walk, const struct node *node)
{
	size_t common = walk->key_size < node->key_size ? walk->key_size : node->key_size;
	int order = memcmp(walk->key, node->key, common);

	if (order != 0)
		return order;
	return walk->key_size < node->key_size ? -1 : walk->key_size > node->key_size;
}

/* The child that covers the key: the last node whose key is not above it. The first node counts as below all keys. */
static inline enum sm_status find_child(const struct walk *walk, const struct page *page, uint64_t *ret)
{
	uint32_t low = 1, high = page->n_nodes;
	struct node node;

	if (page->n_nodes < 2)
		return SM_CORRUPT;
	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (open_node(walk, page, middle, &node) != SM_OK)
			return SM_CORRUPT;
		if (compare(walk, &node) < 0)
			high = middle;
		else
			low = middle + 1;
	}
	if (open_node(walk, page, low - 1, &node) != SM_OK)
		return SM_CORRUPT;
	*ret = load_node_low(node.bytes) | (uint64_t)node.flags << 32;
	return SM_OK;
}

static inline enum sm_status find_node(const struct walk *walk, const struct page *page, struct node *ret)
{
	uint32_t low = 0, high = page->n_nodes;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		int order;

		if (open_node(walk, page, middle, ret) != SM_OK)
			return SM_CORRUPT;
		order = compare(walk, ret);
		if (order == 0)
			return SM_OK;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return SM_MISS;
}

/* Finds a large value, which lies on pages of its own. */
static inline enum sm_status find_overflow(const struct walk *walk, uint64_t number, size_t size, const uint8_t **ret)
{
	const uint8_t *page;
	uint64_t count;

	if (number < 2 || number >= walk->n_pages)
		return SM_CORRUPT;
	page = walk->bytes + number * walk->page_size;
	count = load_u32(page + SM_PAGE_COUNT);
	if (load_u64(page + SM_PAGE_NUMBER) != number || load_u16(page + SM_PAGE_FLAGS) != SM_PAGE_OVERFLOW)
		return SM_CORRUPT;
	if (count > walk->n_pages - number || SM_PAGE_HEAD + size > count * walk->page_size)
		return SM_CORRUPT;
	*ret = page + SM_PAGE_HEAD;
	return SM_OK;
}

static inline enum sm_status find_value(const struct walk *walk, const struct page *page, const struct node *node, size_t size,
                                 const uint8_t **ret)
{
	const uint8_t *data = node->key + node->key_size;
	size_t left = (size_t)(page->bytes + walk->page_size - data);

	if (size > VALUE_MAX)
		return SM_CORRUPT;
	if (node->flags == SM_NODE_IS_BIG)
		return left < sizeof(uint64_t) ? SM_CORRUPT : find_overflow(walk, load_u64(data), size, ret);
	if (node->flags != 0 || size > left)
		return SM_CORRUPT;
	*ret = data;
	return SM_OK;
}

static inline enum sm_status copy_value(const struct walk *walk, const struct page *page, const struct node *node, void *bytes,
                                 size_t size, size_t *ret_size)
{
	const uint8_t *value;
	size_t value_size = load_node_low(node->bytes);

	if (find_value(walk, page, node, value_size, &value) != SM_OK)
		return SM_CORRUPT;
	*ret_size = value_size;
	if (value_size > size)
		return SM_FULL;
	memcpy(bytes, value, value_size);
	return SM_OK;
}
