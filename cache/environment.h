/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host map's file as its owner opens it: directory, lock, liblmdb's environment, and whether a file that is there may
 * be taken over. What is in it is cache/owner.c's, the only includer of this header. Not for two threads at once. */
#pragma once

#include "base/status.h"
#include "cache/map.h"
#include "mesh/record.h"

#include <lmdb.h>

#if MDB_VERSION_MAJOR != 0 || MDB_VERSION_MINOR != 9
#error "the host map is LMDB data format 1, of liblmdb 0.9"
#endif

struct sm_environment {
	char directory[SM_MAP_PATH_MAX], path[SM_MAP_PATH_MAX];
	uint64_t size_bytes;
	int lock;             /* -1: not held */
	MDB_env *env;         /* NULL: not open */
	MDB_dbi records;
	uint32_t page_size;
};

/* Makes the directory if only its last component is missing, locks it, and removes the map of the format before. As
 * sm_owner_open. *ret is set in any case. */
enum sm_status sm_environment_lock(const char *directory, uint64_t size_bytes, struct sm_environment *ret) SM_MUST_CHECK;
void sm_environment_unlock(struct sm_environment *map);

/* Is the existing file ours, complete, of this boot, and not larger than allowed? liblmdb trusts
 * every file that it opens, so our reader checks the file. SM_CORRUPT: no. SM_EXHAUSTED: cannot be checked at the
 * moment. */
enum sm_status sm_environment_check(struct sm_environment *map) SM_MUST_CHECK;
/* Opens the file, or makes it, and writes the keys of the map itself where they are missing. */
enum sm_status sm_environment_open(struct sm_environment *map) SM_MUST_CHECK;
/* The same, in place of a file that is there. */
enum sm_status sm_environment_open_anew(struct sm_environment *map) SM_MUST_CHECK;
void sm_environment_close(struct sm_environment *map);

/* Bytes of the file in use; 0: it is not open. */
uint64_t sm_environment_bytes(const struct sm_environment *map);

/* The bytes that an entry occupies in the map: a node in a leaf that is on average two thirds full, or pages of its
 * own. */
uint32_t sm_environment_cost(const struct sm_environment *map, const struct sm_name *name, size_t size);

/* What a code of liblmdb, or an errno that it returns, means. */
enum sm_status sm_environment_status(int code);

/* Replaces what the map says of itself. Returns a code of liblmdb. */
int sm_environment_put_own(const struct sm_environment *map, MDB_txn *txn, enum sm_map_kind kind, const void *bytes, size_t size);

struct sm_survivor {
	struct sm_record_head is;
	uint32_t cost;
};
/* Gathers all valid records that are stored under their own name, oldest first, and at most `room`; deletes everything
 * else. Returns a code of liblmdb. */
int sm_environment_survivors(const struct sm_environment *map, MDB_txn *txn, struct sm_survivor *ret, size_t room,
                             size_t *ret_n);

/* The name of the first record after `key`, which is set to the key found. A code of liblmdb. */
int sm_environment_next(MDB_cursor *cursor, MDB_val *key, struct sm_name *ret);
