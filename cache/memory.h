/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory cache of one process: records by name, bounded in entries and bytes, for any number of threads.
 *
 * It lies in fork-zeroed memory: in a child it is empty and unlocked. No thread waits for its one lock longer than a
 * bounded moment; a get that fails to lock is a miss, and such a put is dropped. So a thread that was stopped,
 * cancelled or killed while it held the lock cannot block another. */
#pragma once

#include "base/status.h"
#include "mesh/name.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define SM_MEMORY_BYTES_PER_ENTRY 1024 /* a service of 20 targets; the ring is shared, so larger ones fit too */

struct sm_memory {
	_Atomic(struct sm_memory_region *) region; /* NULL: nothing has been kept yet, every get misses */
	size_t region_size; /* 0: nothing is ever kept */
	uint32_t n_sets;
	uint32_t ring_size;
};

/* Room for at least `entries` entries of about a kilobyte, which is mapped when the first is put. With 0 entries, or without
 * memory, the cache keeps nothing. */
void sm_memory_init(struct sm_memory *memory, uint32_t entries);
void sm_memory_clear(struct sm_memory *memory);

/* Copies a record out. The caller must decode it (mesh/record.h) to notice another name with the same hash, and the
 * decoded times to notice expiry. SM_FULL: larger than `size`; *ret_size is then the size needed. */
enum sm_status sm_memory_get(const struct sm_memory *memory, const struct sm_name *name, void *bytes, size_t size,
                             size_t *ret_size) SM_MUST_CHECK;

/* Copies the first record from place *at on, and moves *at behind it; begin with 0. SM_MISS: there is no more, or another thread
 * is at it. SM_FULL: as sm_memory_get; *at stays at the record. */
enum sm_status sm_memory_next(const struct sm_memory *memory, uint32_t *at, void *bytes, size_t size,
                              size_t *ret_size) SM_MUST_CHECK;

/* Keeps a copy, in place of an entry that has expired at `now_ns`, else of the one stored longest ago. A record
 * larger than the cache is not kept. */
void sm_memory_put(struct sm_memory *memory, const struct sm_name *name, const void *bytes, size_t size,
                   int64_t expires_ns, int64_t now_ns);

/* This thread was called away out of one of these functions, perhaps: frees the lock if it has kept it. */
void sm_memory_free_lock(const struct sm_memory *memory);
