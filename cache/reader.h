/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the host map: a bounded walk over a read-only mapping, without liblmdb, without locks, without writing.
 *
 * Total: whatever the bytes are, no read leaves the mapped file, and no walk takes more than SM_MAP_LEVELS_MAX pages.
 * Optimistic: LMDB 0.9 reuses a page of snapshot N no sooner than in transaction N + 3 (mdb_find_oldest starts from
 * txnid - 1, and only free-list records below that are taken), so a walk in snapshot N that still finds no meta page newer
 * than N + 1 saw one true snapshot. A value that must not be wrong proves itself all the same (mesh/record.h).
 *
 * A mapping keeps no descriptor, and is good in any number of threads and across fork; it needs no care when the owner is
 * stopped or killed. It would end by SIGBUS only if the owner shortened the file, which srvmeshd forbids itself. */
#pragma once

#include "base/status.h"
#include "cache/map.h"

#include <stdbool.h>
#include <sys/types.h>

struct sm_mapped {
	const uint8_t *bytes;
	size_t length;       /* of the mapping, which may reach beyond the file's end */
	_Atomic size_t size; /* of the file when last looked at; nothing beyond it is touched */
	uint32_t page_shift; /* pages of 1 << page_shift bytes, as its first page said when it was mapped */
	dev_t device;
	ino_t inode;
};

/* Maps the file in `directory`, with room for it to grow to `reserve` bytes. `or_mine`: see cache/trust.h. SM_MISS: there is
 * none. SM_REFUSED: it is not to be trusted, or not readable. SM_CORRUPT: no map of this format, or of another boot or time
 * namespace.
 * SM_MEMORY. */
enum sm_status sm_reader_map(const char *directory, bool or_mine, size_t reserve, struct sm_mapped *ret) SM_MUST_CHECK;
void sm_reader_unmap(struct sm_mapped *mapped);

/* Looks at the path again, one stat. SM_OK: it is the file that is mapped, and all of it is now within reach. SM_MISS: there
 * is none (after a chroot, say): what is mapped stays as good as it was. SM_INVALID: another file, or one that has outgrown
 * the mapping: map anew. */
enum sm_status sm_reader_look(const char *directory, struct sm_mapped *mapped) SM_MUST_CHECK;

/* Copies the value of a key out. SM_FULL: larger than `size`; *ret_size then says what is needed. SM_MISS: there is none.
 * SM_CORRUPT: no whole tree, or one that has grown since the last look. */
enum sm_status sm_reader_get(const struct sm_mapped *mapped, const void *key, size_t key_size, void *bytes, size_t size,
                             size_t *ret_size) SM_MUST_CHECK;
