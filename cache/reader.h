/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the host map: a bounded walk over a read-only mapping, without liblmdb, without locks, without writing.
 *
 * Safe for any bytes: no read leaves the mapped file, and no walk visits more than SM_MAP_LEVELS_MAX pages.
 * Optimistic: LMDB 0.9 reuses a page of snapshot N no sooner than in transaction N + 3 (mdb_find_oldest starts from
 * txnid - 1, and only free-list records below that are taken), so a walk in snapshot N that afterwards finds no meta
 * page newer than N + 1 saw one consistent snapshot. Records carry a checksum and their name all the same
 * (mesh/record.h).
 *
 * A mapping holds no descriptor, may be used by any number of threads and after fork, and stays usable when the
 * owner is stopped or killed. Only if the owner shortened the file would readers get SIGBUS; srvmeshd forbids itself
 * to do that. */
#pragma once

#include "base/status.h"
#include "cache/map.h"

#include <stdbool.h>
#include <sys/types.h>

struct sm_mapped {
	const uint8_t *bytes;
	size_t length;       /* of the mapping: what the file holds, and up to SM_READER_GRAIN more */
	_Atomic size_t size; /* of the file at the last look; nothing after it is read */
	uint32_t page_shift; /* pages of 1 << page_shift bytes, from the first page at mapping time */
	dev_t device;
	ino_t inode;
	int64_t clocks_ns; /* by which the wall clock was ahead of the time since boot, when it was mapped or the clock was set */
};

#define SM_READER_GRAIN 65536

/* Maps what the file in `directory` holds, not what it may hold one day: a host that locks its memory (mlockall(2)) pays for
 * every byte of a mapping. `or_mine`: see cache/trust.h. SM_MISS: there is none. SM_REFUSED: it cannot be trusted, or not be
 * read. SM_CORRUPT: no map of this format, or one of another boot or time namespace. SM_EXHAUSTED. */
enum sm_status sm_reader_map(const char *directory, bool or_mine, struct sm_mapped *ret) SM_MUST_CHECK;
void sm_reader_unmap(struct sm_mapped *mapped);

/* Looks at the path again, with one stat. SM_OK: it is the mapped file, and all of it can now be read. SM_MISS:
 * there is no file (after a chroot, for example); the mapping remains valid. SM_INVALID: it is another file, or has
 * outgrown the mapping: map again. SM_CORRUPT: this process has come into a time namespace of its own, by setns(2) or a fork,
 * and the map's times mean nothing to it. */
enum sm_status sm_reader_look(const char *directory, struct sm_mapped *mapped) SM_MUST_CHECK;

/* The number of the newest transaction that is in the file: as long as it is the same, so is what the file holds. */
uint64_t sm_reader_newest(const struct sm_mapped *mapped);

/* Copies the value of a key out. SM_FULL: larger than `size`; *ret_size is then the size needed. SM_MISS: no such key.
 * SM_CORRUPT: the tree is damaged, or has grown since the last look. */
enum sm_status sm_reader_get(const struct sm_mapped *mapped, const void *key, size_t key_size, void *bytes, size_t size,
                             size_t *ret_size) SM_MUST_CHECK;
