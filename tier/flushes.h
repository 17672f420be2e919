/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flushes that this host has taken: for the names that one covers, only values of the tier count that were asked for after it.
 * Pure.
 *
 * A flush has an id, larger than every id that its maker knew; a value carries the largest id that covered its name when it was
 * asked for. So what was asked for before a flush is known by its id, whatever the clocks say. A host that does not know the
 * flush, because it started later, seals with a smaller id: what it has asked for so long after the flush that no clock can be
 * so wrong counts, too. A message, which travels sealed:
 *
 *   u64 id   u64 made_ms, by the maker's wall clock   u8 length, pattern */
#pragma once

#include "base/status.h"
#include "mesh/pattern.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SM_FLUSHES_MAX 256 /* kept; more are taken together, as one of all names */
#define SM_FLUSH_AHEAD_MS (5 * 60 * 1000LL) /* clocks of hosts may differ by so much */
#define SM_FLUSH_SURE_MS (2 * SM_FLUSH_AHEAD_MS) /* so much later by two clocks is later */
#define SM_FLUSH_MESSAGE_MAX (8 + 8 + 1 + SM_NAME_MAX)

struct sm_flush {
	uint64_t id; /* never 0 */
	int64_t made_ms;
	char pattern[SM_NAME_MAX + 1]; /* as of mesh/pattern.h; "*": all names */
};

struct sm_flushes {
	uint64_t last_id; /* the largest that is known */
	uint64_t merged_id; /* the largest that was taken together with another one */
	uint32_t n;
	struct sm_flush kept[SM_FLUSHES_MAX];
	int64_t until_ms[SM_FLUSHES_MAX]; /* no value is from before it then */
};

/* A new flush, not yet taken. `number`: a random one. */
struct sm_flush sm_flushes_make(const struct sm_flushes *flushes, const char *pattern, int64_t wall_ms, uint64_t number);

enum sm_flush_taken {
	SM_FLUSH_TAKEN, /* its names are to be renewed */
	SM_FLUSH_KNOWN,
	SM_FLUSH_TOO_OLD,
	SM_FLUSH_AHEAD, /* taken, but from the future: a clock is wrong */
};

/* `age_ms`: how old a flush may be. `keep_ms`: the longest that a value from before it can be kept anywhere. */
enum sm_flush_taken sm_flushes_take(struct sm_flushes *flushes, const struct sm_flush *flush, int64_t wall_ms, int64_t age_ms,
                                    int64_t keep_ms);

/* A flush that was taken covers all names from now on: others before it were missed. */
void sm_flushes_widen(struct sm_flushes *flushes, const struct sm_flush *flush);

/* The largest id of those that cover the name; 0: none does. */
uint64_t sm_flushes_covering(const struct sm_flushes *flushes, const struct sm_name *name);
/* The same of those that were made so lately that hosts may not know them yet. */
uint64_t sm_flushes_recent(const struct sm_flushes *flushes, const struct sm_name *name, int64_t wall_ms);
/* Was a value asked for after all flushes of its name? `id` and `made_ms` are the value's. */
bool sm_flushes_allow(const struct sm_flushes *flushes, const struct sm_name *name, uint64_t id, int64_t made_ms);

size_t sm_flush_encode(const struct sm_flush *flush, uint8_t ret[SM_FLUSH_MESSAGE_MAX]);
/* SM_CORRUPT: not a flush. */
enum sm_status sm_flush_decode(const void *bytes, size_t size, struct sm_flush *ret) SM_MUST_CHECK;
