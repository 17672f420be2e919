/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The environment. LMDB runs without its lock file (MDB_NOLOCK): our own lock ensures that there is one owner, and readers
 * take no part in LMDB's locking. So there is no mutex and no reader table that another process could touch. */
#include "cache/environment.h"

#include "base/scope.h"
#include "cache/namespace.h"
#include "cache/owner.h"
#include "cache/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOST_MAX (SM_BOOT_ID_SIZE + SM_NAMESPACE_MAX)

enum sm_status sm_environment_status(int code)
{
	switch (code) {
	case MDB_SUCCESS:
		return SM_OK;
	case MDB_NOTFOUND:
		return SM_MISS;
	case MDB_MAP_FULL:
		return SM_FULL;
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_CORRUPTED:
		return SM_CORRUPT;
	case EACCES:
	case EPERM:
	case EROFS:
		return SM_REFUSED;
	}
	return SM_EXHAUSTED;
}

static enum sm_status make_directory(const char *directory)
{
	struct stat file;

	if (mkdir(directory, 0755) != 0 && errno != EEXIST)
		return SM_REFUSED;
	if (lstat(directory, &file) != 0 || !S_ISDIR(file.st_mode))
		return SM_INVALID;
	return file.st_uid == geteuid() && !(file.st_mode & (S_IWGRP | S_IWOTH)) ? SM_OK : SM_INVALID;
}

/* Does a process hold a lock on this file, which we may not open? */
static bool is_locked(const struct stat *file)
{
	FILE *locks = fopen("/proc/locks", "re");
	char line[256];
	unsigned long inode;
	bool is_found = false;

	if (!locks)
		return true; /* it cannot be told */
	while (!is_found && fgets(line, sizeof(line), locks))
		is_found = sscanf(line, "%*d: FLOCK %*s %*s %*d %*x:%*x:%lu", &inode) == 1 && inode == file->st_ino;
	fclose(locks);
	return is_found;
}

/* Whoever owns the directory may replace what another user has left in it. */
static bool remove_left_over(const char *path)
{
	struct stat file;

	return errno == EACCES && lstat(path, &file) == 0 && file.st_uid != geteuid() && !is_locked(&file) && unlink(path) == 0;
}

static enum sm_status lock_directory(struct sm_environment *map)
{
	char path[SM_MAP_PATH_MAX];

	snprintf(path, sizeof(path), "%.100s/%s", map->directory, SM_OWNER_LOCK_FILE);
	map->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (map->lock < 0 && remove_left_over(path))
		map->lock = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (map->lock < 0)
		return SM_REFUSED;
	return flock(map->lock, LOCK_EX | LOCK_NB) == 0 ? SM_OK : SM_REFUSED;
}

/* A map of the major before serves the programs that have it mapped until its answers expire; then they ask srvmeshd. */
static void remove_map_before(const char *directory)
{
	char path[SM_MAP_PATH_MAX];

	snprintf(path, sizeof(path), "%.100s/%s", directory, SM_MAP_FILE_BEFORE);
	unlink(path);
}

enum sm_status sm_environment_lock(const char *directory, uint64_t size_bytes, struct sm_environment *ret)
{
	enum sm_status status;
	int major, minor;

	*ret = (struct sm_environment){.size_bytes = size_bytes, .lock = -1};
	mdb_version(&major, &minor, NULL);
	if (major != 0 || minor != 9)
		return SM_CORRUPT;
	snprintf(ret->directory, sizeof(ret->directory), "%s", directory);
	snprintf(ret->path, sizeof(ret->path), "%.100s/%s", directory, SM_MAP_FILE);
	status = make_directory(directory);
	if (status == SM_OK)
		status = lock_directory(ret);
	if (status == SM_OK)
		remove_map_before(directory);
	return status;
}

void sm_environment_unlock(struct sm_environment *map)
{
	if (map->lock >= 0)
		close(map->lock);
	map->lock = -1;
}

static bool read_boot_id(char ret[SM_BOOT_ID_SIZE])
{
	SM_SCOPE_CLOSE int fd = open(SM_BOOT_ID_FILE, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, ret, SM_BOOT_ID_SIZE) == SM_BOOT_ID_SIZE;
}

static bool is_of_boot(const struct sm_mapped *mapped, const char id[SM_BOOT_ID_SIZE])
{
	uint8_t key[SM_MAP_KEY_MAX];
	char host[HOST_MAX];
	size_t size;

	return sm_reader_get(mapped, key, sm_map_key(SM_MAP_HOST, NULL, key), host, sizeof(host), &size) == SM_OK &&
	       size >= SM_BOOT_ID_SIZE && memcmp(host, id, SM_BOOT_ID_SIZE) == 0;
}

enum sm_status sm_environment_check(struct sm_environment *map)
{
	char id[SM_BOOT_ID_SIZE];
	struct sm_mapped mapped;
	enum sm_status status;
	bool is_good;

	if (!read_boot_id(id))
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? SM_EXHAUSTED : SM_CORRUPT;
	status = sm_reader_map(map->directory, true, &mapped);
	if (status != SM_OK)
		return status == SM_EXHAUSTED ? SM_EXHAUSTED : SM_CORRUPT;
	is_good = mapped.size <= map->size_bytes && is_of_boot(&mapped, id);
	sm_reader_unmap(&mapped);
	return is_good ? SM_OK : SM_CORRUPT;
}

int sm_environment_put_own(const struct sm_environment *map, MDB_txn *txn, enum sm_map_kind kind, const void *bytes, size_t size)
{
	uint8_t own[SM_MAP_KEY_MAX];
	MDB_val key = {sm_map_key(kind, NULL, own), own}, value = {size, (void *)bytes};

	return mdb_put(txn, map->records, &key, &value, 0);
}

static bool has_value(MDB_txn *txn, MDB_dbi records, enum sm_map_kind kind, const void *bytes, size_t size)
{
	uint8_t own[SM_MAP_KEY_MAX];
	MDB_val key = {sm_map_key(kind, NULL, own), own}, value;

	return mdb_get(txn, records, &key, &value) == MDB_SUCCESS && value.mv_size == size &&
	       memcmp(value.mv_data, bytes, size) == 0;
}

/* A file that is taken over may have been written from another namespace. */
static int put_host(const struct sm_environment *map, MDB_txn *txn)
{
	char host[HOST_MAX];
	size_t size;

	if (!read_boot_id(host))
		return MDB_SUCCESS;
	size = SM_BOOT_ID_SIZE + sm_namespace_read(host + SM_BOOT_ID_SIZE);
	if (has_value(txn, map->records, SM_MAP_HOST, host, size))
		return MDB_SUCCESS;
	return sm_environment_put_own(map, txn, SM_MAP_HOST, host, size);
}

static int open_records(struct sm_environment *map)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(map->env, NULL, 0, &txn);

	if (code != MDB_SUCCESS)
		return code;
	code = mdb_dbi_open(txn, NULL, 0, &map->records);
	if (code == MDB_SUCCESS)
		code = put_host(map, txn);
	if (code == MDB_SUCCESS)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return code;
}

enum sm_status sm_environment_open(struct sm_environment *map)
{
	int code = mdb_env_create(&map->env);

	if (code == MDB_SUCCESS)
		code = mdb_env_set_mapsize(map->env, map->size_bytes);
	if (code == MDB_SUCCESS)
		code = mdb_env_open(map->env, map->path, MDB_NOSUBDIR | MDB_NOTLS | MDB_NOSYNC | MDB_NOLOCK, 0644);
	if (code == MDB_SUCCESS && chmod(map->path, 0644) != 0)
		code = errno;
	if (code == MDB_SUCCESS)
		code = open_records(map);
	if (code != MDB_SUCCESS) {
		mdb_env_close(map->env);
		map->env = NULL;
	}
	return sm_environment_status(code);
}

enum sm_status sm_environment_open_anew(struct sm_environment *map)
{
	if (unlink(map->path) != 0 && errno != ENOENT)
		return SM_REFUSED;
	return sm_environment_open(map);
}

void sm_environment_close(struct sm_environment *map)
{
	mdb_env_close(map->env);
	map->env = NULL;
}

uint64_t sm_environment_bytes(const struct sm_environment *map)
{
	MDB_envinfo info;

	if (!map->env || mdb_env_info(map->env, &info) != MDB_SUCCESS)
		return 0;
	return (info.me_last_pgno + 1) * (uint64_t)map->page_size;
}

uint32_t sm_environment_cost(const struct sm_environment *map, const struct sm_name *name, size_t size)
{
	size_t page = map->page_size, node = SM_NODE_HEAD + 2 + 1 + name->length;

	if (node + size <= page / 2 - SM_PAGE_HEAD)
		return (uint32_t)((node + size) * 3 / 2);
	return (uint32_t)(node * 3 / 2 + (SM_PAGE_HEAD + size + page - 1) / page * page);
}

/* ---- what is in the file */

static int by_age(const void *left, const void *right)
{
	const struct sm_survivor *a = left, *b = right;

	return a->is.times.made_ns < b->is.times.made_ns ? -1 : a->is.times.made_ns > b->is.times.made_ns;
}

static bool take_survivor(const struct sm_environment *map, const MDB_val *key, const MDB_val *value, struct sm_survivor *ret)
{
	uint8_t own_key[SM_MAP_KEY_MAX];

	if (sm_record_head(value->mv_data, value->mv_size, &ret->is) != SM_OK)
		return false;
	ret->cost = sm_environment_cost(map, &ret->is.name, value->mv_size);
	return sm_map_key(SM_MAP_SERVICE, &ret->is.name, own_key) == key->mv_size &&
	       memcmp(own_key, key->mv_data, key->mv_size) == 0;
}

int sm_environment_survivors(const struct sm_environment *map, MDB_txn *txn, struct sm_survivor *ret, size_t room,
                             size_t *ret_n)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int code = mdb_cursor_open(txn, map->records, &cursor);

	*ret_n = 0;
	if (code != MDB_SUCCESS)
		return code;
	for (code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); code == MDB_SUCCESS;
	     code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		if (key.mv_size == 1)
			continue; /* a key of the map itself, not of a name */
		if (*ret_n < room && take_survivor(map, &key, &value, &ret[*ret_n])) {
			(*ret_n)++;
			continue;
		}
		code = mdb_cursor_del(cursor, 0);
		if (code != MDB_SUCCESS)
			break;
	}
	mdb_cursor_close(cursor);
	qsort(ret, *ret_n, sizeof(*ret), by_age);
	return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

int sm_environment_next(MDB_cursor *cursor, MDB_val *key, struct sm_name *ret)
{
	uint8_t start[SM_MAP_KEY_MAX];
	size_t size = key->mv_size;
	struct sm_record_head head;
	MDB_val value;
	int code;

	memcpy(start, key->mv_data, size);
	code = mdb_cursor_get(cursor, key, &value, MDB_SET_RANGE);
	if (code == MDB_SUCCESS && key->mv_size == size && memcmp(key->mv_data, start, size) == 0)
		code = mdb_cursor_get(cursor, key, &value, MDB_NEXT);
	if (code != MDB_SUCCESS)
		return code;
	if (sm_record_head(value.mv_data, value.mv_size, &head) != SM_OK)
		return MDB_NOTFOUND;
	*ret = head.name;
	return MDB_SUCCESS;
}
