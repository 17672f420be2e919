/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The walk. Every number is loaded once, checked, and only then used: the file may change at any step. */
#include "cache/reader.h"

#include "base/scope.h"
#include "cache/namespace.h"
#include "cache/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* A walk's result counts if at most this many transactions have begun since the snapshot that it walked. The control
 * run of the soak test sets the number so high that every result counts. */
#ifndef SM_READER_LEEWAY
#define SM_READER_LEEWAY 1
#endif

#define WALKS_MAX 8
#define VALUE_MAX (1U << 20)

/* ---- loading: once, whatever the compiler thinks */

#define KEEP_LOADED() __asm__ volatile("" ::: "memory")

static uint16_t load_u16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	KEEP_LOADED();
	return value;
}

static uint32_t load_u32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	KEEP_LOADED();
	return value;
}

static uint64_t load_u64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	KEEP_LOADED();
	return value;
}

/* A transaction number. Loads written before this one are done before it, and later loads are done after it. */
static uint64_t load_txnid(const uint8_t *meta)
{
	uint64_t value;

	atomic_thread_fence(memory_order_acquire);
	value = load_u64(meta + SM_META_TXNID);
	atomic_thread_fence(memory_order_acquire);
	return value;
}

/* The two halves of a node's size or page number are in the machine's byte order. */
static uint32_t load_node_low(const uint8_t *node)
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

static void begin_walk(const struct sm_mapped *mapped, struct walk *walk)
{
	walk->bytes = mapped->bytes;
	walk->page_size = 1U << mapped->page_shift;
	walk->n_pages = atomic_load_explicit(&mapped->size, memory_order_relaxed) >> mapped->page_shift;
}

static uint64_t newest_txnid(const struct walk *walk)
{
	uint64_t first = load_txnid(walk->bytes), second = load_txnid(walk->bytes + walk->page_size);

	return first > second ? first : second;
}

static void pick_snapshot(struct walk *walk)
{
	uint64_t first = load_txnid(walk->bytes), second = load_txnid(walk->bytes + walk->page_size);
	const uint8_t *meta = second > first ? walk->bytes + walk->page_size : walk->bytes;

	walk->txnid = second > first ? second : first;
	walk->depth = load_u16(meta + SM_META_DEPTH);
	walk->root = load_u64(meta + SM_META_ROOT);
}

/* Opens a page of the tree. Checks that it is inside the file, that it has its own number, and that its list of
 * nodes is inside it. */
static enum sm_status open_page(const struct walk *walk, uint64_t number, struct page *ret)
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

/* Loads a node in advance: while a search compares the middle node, the next node of either half is already being
 * fetched. In a large map the fetches are what takes the time. */
static void prefetch_node(const struct page *page, uint32_t index)
{
	__builtin_prefetch(page->bytes + load_u16(page->bytes + SM_PAGE_HEAD + 2 * index));
}

static enum sm_status open_node(const struct walk *walk, const struct page *page, uint32_t index, struct node *ret)
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
static int compare(const struct walk *walk, const struct node *node)
{
	size_t common = walk->key_size < node->key_size ? walk->key_size : node->key_size;
	int order = memcmp(walk->key, node->key, common);

	if (order != 0)
		return order;
	return walk->key_size < node->key_size ? -1 : walk->key_size > node->key_size;
}

/* The child that covers the key: the last node whose key is not above it. The first node counts as below all keys. */
static enum sm_status find_child(const struct walk *walk, const struct page *page, uint64_t *ret)
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

static enum sm_status find_node(const struct walk *walk, const struct page *page, struct node *ret)
{
	uint32_t low = 0, high = page->n_nodes;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		int order;

		prefetch_node(page, (low + middle) / 2);
		prefetch_node(page, (middle + high) / 2);
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
static enum sm_status find_overflow(const struct walk *walk, uint64_t number, size_t size, const uint8_t **ret)
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

static enum sm_status find_value(const struct walk *walk, const struct page *page, const struct node *node, size_t size,
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

static enum sm_status copy_value(const struct walk *walk, const struct page *page, const struct node *node, void *bytes,
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

static enum sm_status walk_down(const struct walk *walk, void *bytes, size_t size, size_t *ret_size)
{
	uint64_t number = walk->root;
	struct page page;
	struct node node;

	if (walk->depth == 0)
		return SM_MISS; /* an empty tree has no root */
	if (walk->depth > SM_MAP_LEVELS_MAX)
		return SM_CORRUPT;
	for (uint16_t level = 1; level < walk->depth; level++) {
		if (open_page(walk, number, &page) != SM_OK || page.flags != SM_PAGE_BRANCH)
			return SM_CORRUPT;
		if (find_child(walk, &page, &number) != SM_OK)
			return SM_CORRUPT;
	}
	if (open_page(walk, number, &page) != SM_OK || page.flags != SM_PAGE_LEAF)
		return SM_CORRUPT;
	switch (find_node(walk, &page, &node)) {
	case SM_OK:
		return copy_value(walk, &page, &node, bytes, size, ret_size);
	case SM_MISS:
		return SM_MISS;
	case SM_FULL: case SM_CORRUPT: case SM_INVALID: case SM_SILENT: case SM_REFUSED: case SM_EXHAUSTED:
		break;
	}
	return SM_CORRUPT;
}

enum sm_status sm_reader_get(const struct sm_mapped *mapped, const void *key, size_t key_size, void *bytes, size_t size,
                             size_t *ret_size)
{
	struct walk walk = {.key = key, .key_size = key_size};
	enum sm_status status = SM_CORRUPT;

	begin_walk(mapped, &walk);
	if (walk.n_pages < 2)
		return SM_CORRUPT;
	for (int i = 0; i < WALKS_MAX; i++) {
		pick_snapshot(&walk);
		status = walk_down(&walk, bytes, size, ret_size);
		if (newest_txnid(&walk) - walk.txnid <= SM_READER_LEEWAY)
			return status;
	}
	return SM_CORRUPT;
}

/* ---- the mapping */

static void path_of(const char *directory, char ret[SM_MAP_PATH_MAX])
{
	snprintf(ret, SM_MAP_PATH_MAX, "%s/%s", directory, SM_MAP_FILE);
}

static enum sm_status open_trusted(const char *directory, bool or_mine, int *ret_fd, struct stat *ret)
{
	char path[SM_MAP_PATH_MAX];
	struct stat parent;
	enum sm_status status = sm_trust_directory(directory, or_mine, &parent);
	int fd;

	if (status != SM_OK)
		return status;
	path_of(directory, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? SM_MISS : errno == EMFILE || errno == ENFILE ? SM_EXHAUSTED : SM_REFUSED;
	if (fstat(fd, ret) != 0 || !sm_trust_file(&parent, ret)) {
		close(fd);
		return SM_REFUSED;
	}
	*ret_fd = fd;
	return SM_OK;
}

static bool is_meta(const uint8_t *meta)
{
	return load_u16(meta + SM_PAGE_FLAGS) == SM_PAGE_META && load_u32(meta + SM_META_MAGIC) == SM_MAP_MAGIC &&
	       load_u32(meta + SM_META_VERSION) == SM_MAP_VERSION;
}

/* The size of the file's pages. SM_CORRUPT: its first two pages are not both meta pages of a map. */
static enum sm_status measure(const uint8_t *bytes, size_t size, uint32_t *ret_shift)
{
	uint32_t page_size = is_meta(bytes) ? load_u32(bytes + SM_META_PAGE_SIZE) : 0;

	if (page_size < SM_MAP_PAGE_MIN || page_size > SM_MAP_PAGE_MAX || (page_size & (page_size - 1)) != 0)
		return SM_CORRUPT;
	if (size < 2 * (size_t)page_size || !is_meta(bytes + page_size))
		return SM_CORRUPT;
	*ret_shift = (uint32_t)__builtin_ctz(page_size);
	return SM_OK;
}

static enum sm_status map_file(int fd, const struct stat *file, size_t reserve, struct sm_mapped *ret)
{
	size_t size = (size_t)file->st_size;
	void *bytes;

	if (size < 2 * SM_MAP_PAGE_MIN)
		return SM_CORRUPT;
	ret->length = size > reserve ? size : reserve;
	bytes = mmap(NULL, ret->length, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED) {
		ret->length = size; /* there may be a limit on address space */
		bytes = mmap(NULL, ret->length, PROT_READ, MAP_SHARED, fd, 0);
	}
	if (bytes == MAP_FAILED)
		return SM_EXHAUSTED;
	ret->bytes = bytes;
	atomic_init(&ret->size, size);
	ret->device = file->st_dev;
	ret->inode = file->st_ino;
	return SM_OK;
}

/* In a time namespace the time since boot has an offset, so the map's times mean nothing. */
static bool has_own_time(void)
{
	SM_SCOPE_CLOSE int fd = open("/proc/self/timens_offsets", O_RDONLY | O_CLOEXEC);
	char text[256], *line;
	ssize_t size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

	text[size > 0 ? size : 0] = '\0';
	line = strstr(text, "boottime");
	return line && strspn(line + strlen("boottime"), " 0") != strcspn(line + strlen("boottime"), "\n");
}

/* Times in the map count from the boot. A file in memory is gone after a reboot; any other must name its boot. */
static bool is_of_this_boot(int fd, const struct sm_mapped *mapped)
{
	SM_SCOPE_CLOSE int kernel = -1;
	char own[SM_BOOT_ID_SIZE], its[SM_BOOT_ID_SIZE + SM_NAMESPACE_MAX];
	uint8_t key[SM_MAP_KEY_MAX];
	struct statfs system;
	size_t size;

	if (fstatfs(fd, &system) == 0 && (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC))
		return true;
	kernel = open(SM_BOOT_ID_FILE, O_RDONLY | O_CLOEXEC);
	if (kernel < 0 || read(kernel, own, sizeof(own)) != sizeof(own))
		return false;
	if (sm_reader_get(mapped, key, sm_map_key(SM_MAP_HOST, NULL, key), its, sizeof(its), &size) != SM_OK ||
	    size < sizeof(own))
		return false;
	return memcmp(own, its, sizeof(own)) == 0;
}

enum sm_status sm_reader_map(const char *directory, bool or_mine, size_t reserve, struct sm_mapped *ret)
{
	SM_SCOPE_CLOSE int fd = -1;
	struct stat file;
	enum sm_status status = open_trusted(directory, or_mine, &fd, &file);

	if (status == SM_OK)
		status = map_file(fd, &file, reserve, ret);
	if (status != SM_OK)
		return status;
	if (measure(ret->bytes, ret->size, &ret->page_shift) == SM_OK && is_of_this_boot(fd, ret) && !has_own_time())
		return SM_OK;
	sm_reader_unmap(ret);
	return SM_CORRUPT;
}

void sm_reader_unmap(struct sm_mapped *mapped)
{
	munmap((void *)mapped->bytes, mapped->length);
	mapped->bytes = NULL;
}

enum sm_status sm_reader_look(const char *directory, struct sm_mapped *mapped)
{
	char path[SM_MAP_PATH_MAX];
	struct stat file;

	path_of(directory, path);
	if (lstat(path, &file) != 0)
		return SM_MISS;
	if (file.st_dev != mapped->device || file.st_ino != mapped->inode || (size_t)file.st_size > mapped->length)
		return SM_INVALID;
	if ((size_t)file.st_size > atomic_load_explicit(&mapped->size, memory_order_relaxed))
		atomic_store_explicit(&mapped->size, (size_t)file.st_size, memory_order_relaxed);
	return SM_OK;
}
