/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The walk to one key, and the mapping. */
#include "cache/reader.h"

#include "base/clock.h"
#include "base/path.h"
#include "base/scope.h"
#include "base/span.h"
#include "base/usdt.h"
#include "cache/namespace.h"
#include "cache/page.h"
#include "cache/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

SM_USDT_DEFINE(map_retry);

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
	if (walk->depth > 2 && number < walk->n_pages)
		prefetch_page(walk, number);
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
		SM_USDT(map_retry);
	}
	return SM_CORRUPT;
}

uint64_t sm_reader_newest(const struct sm_mapped *mapped)
{
	struct walk walk;

	begin_walk(mapped, &walk);
	return newest_txnid(&walk);
}

/* ---- the mapping */

static bool path_of(const char *directory, char ret[SM_MAP_PATH_MAX])
{
	return sm_path_join(directory, SM_MAP_FILE, ret, SM_MAP_PATH_MAX);
}

static enum sm_status open_trusted(const char *directory, bool or_mine, int *ret_fd, struct stat *ret)
{
	char path[SM_MAP_PATH_MAX];
	struct stat parent;
	enum sm_status status = sm_trust_directory(directory, or_mine, &parent);
	int fd;

	if (status != SM_OK)
		return status;
	if (!path_of(directory, path))
		return SM_REFUSED;
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

/* In a time namespace the time since boot has an offset, so the map's times mean nothing. */
static bool has_own_time(void)
{
	SM_SCOPE_CLOSE int fd = open("/proc/self/timens_offsets", O_RDONLY | O_CLOEXEC);
	char text[256], *line;
	ssize_t size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

	text[size > 0 ? size : 0] = '\0';
	line = strstr(text, "boottime");
	return line && sm_span(line + strlen("boottime"), " 0") != sm_span_without(line + strlen("boottime"), "\n");
}

/* The wall clock may have been set; or the time since boot is another one. */
static bool has_come_into_own_time(struct sm_mapped *mapped)
{
	int64_t now_ns = sm_clock_ahead_ns();

	if (llabs(now_ns - mapped->clocks_ns) < SM_NS_PER_S)
		return false;
	if (has_own_time())
		return true;
	mapped->clocks_ns = now_ns;
	return false;
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

static enum sm_status map_file(int fd, const struct stat *file, struct sm_mapped *ret)
{
	size_t size = (size_t)file->st_size;
	void *bytes;

	if (size < 2 * SM_MAP_PAGE_MIN)
		return SM_CORRUPT;
	ret->length = (size + SM_READER_GRAIN - 1) & ~(size_t)(SM_READER_GRAIN - 1);
	bytes = mmap(NULL, ret->length, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		return SM_EXHAUSTED;
	ret->bytes = bytes;
	atomic_init(&ret->size, size);
	ret->device = file->st_dev;
	ret->inode = file->st_ino;
	ret->clocks_ns = sm_clock_ahead_ns();
	return SM_OK;
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

/* Clocks that agree are srvmeshd's own. Others say nothing: the wall clock may have been set a moment ago. */
static bool has_clocks_of(const struct sm_mapped *mapped)
{
	uint8_t key[SM_MAP_KEY_MAX];
	uint64_t its_ns, apart_ns;
	size_t size;

	if (sm_reader_get(mapped, key, sm_map_key(SM_MAP_CLOCKS, NULL, key), &its_ns, sizeof(its_ns), &size) != SM_OK ||
	    size != sizeof(its_ns))
		return false;
	apart_ns = (uint64_t)mapped->clocks_ns - its_ns;
	return apart_ns + SM_CLOCKS_APART_NS < 2 * SM_CLOCKS_APART_NS;
}

enum sm_status sm_reader_map(const char *directory, bool or_mine, struct sm_mapped *ret)
{
	SM_SCOPE_CLOSE int fd = -1;
	struct stat file;
	enum sm_status status = open_trusted(directory, or_mine, &fd, &file);

	if (status == SM_OK)
		status = map_file(fd, &file, ret);
	if (status != SM_OK)
		return status;
	if (measure(ret->bytes, ret->size, &ret->page_shift) == SM_OK && is_of_this_boot(fd, ret) &&
	    (has_clocks_of(ret) || !has_own_time()))
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

	if (has_come_into_own_time(mapped))
		return SM_CORRUPT;
	if (!path_of(directory, path) || lstat(path, &file) != 0)
		return SM_MISS;
	if (file.st_dev != mapped->device || file.st_ino != mapped->inode || (size_t)file.st_size > mapped->length)
		return SM_INVALID;
	if ((size_t)file.st_size > atomic_load_explicit(&mapped->size, memory_order_relaxed))
		atomic_store_explicit(&mapped->size, (size_t)file.st_size, memory_order_relaxed);
	return SM_OK;
}
