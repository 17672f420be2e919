/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory cache of one process: records by name, bounded in entries and bytes, for any number of threads.
 *
 * All of it lives in fork-zeroed memory: a child finds it empty and unlocked. Its one lock is only ever tried, for a
 * bounded moment: a contended get is a miss and a contended put is dropped, so no thread can be held up by another
 * that was stopped, cancelled or killed inside. */
#pragma once

#include "base/status.h"
#include "mesh/name.h"

#include <stddef.h>
#include <stdint.h>

#define SM_MEMORY_BYTES_PER_ENTRY 1024 /* a service of 20 targets; the ring is shared, so larger ones fit too */

struct sm_memory {
	struct sm_memory_region *region; /* NULL: no cache, every get misses */
	size_t region_size;
	uint32_t n_sets;
	uint32_t ring_size;
};

/* At least `entries` entries of about a kilobyte; 0 entries, or memory refused, leave a cache that keeps nothing. */
void sm_memory_init(struct sm_memory *memory, uint32_t entries);
void sm_memory_clear(struct sm_memory *memory);

/* Copies a record out. The bytes prove themselves when they are decoded (mesh/record.h): that is where another name
 * with the same hash, and expiry, are noticed. SM_FULL: larger than `size`; *ret_size then says what is needed. */
enum sm_status sm_memory_get(const struct sm_memory *memory, const struct sm_name *name, void *bytes, size_t size,
                             size_t *ret_size) SM_MUST_CHECK;

/* Keeps a copy in place of what is expired at `now_ns`, else of what was stored longest ago. A record larger than a
 * quarter of the cache is not kept. */
void sm_memory_put(const struct sm_memory *memory, const struct sm_name *name, const void *bytes, size_t size,
                   int64_t expires_ns, int64_t now_ns);
