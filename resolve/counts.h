/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counts for the administrator: what was asked of each server and what came back, and how long things take. They decide nothing;
 * what decides is resolve/servers.h. Pure. */
#pragma once

#include "mesh/rule.h"

#define SM_HISTOGRAM_BOUNDS 13

/* The upper bounds of a histogram's buckets, in microseconds: from 500 to 5,000,000. */
extern const uint32_t sm_histogram_bounds_us[SM_HISTOGRAM_BOUNDS];

struct sm_histogram {
	uint64_t n, sum_us;
	uint64_t buckets[SM_HISTOGRAM_BOUNDS]; /* each for itself; what is above all bounds is in `n` alone */
};

void sm_histogram_add(struct sm_histogram *histogram, int64_t ns);

/* What became of a question to a server. */
enum sm_outcome {
	SM_OUTCOME_GOOD,
	SM_OUTCOME_SERVFAIL,
	SM_OUTCOME_BAD, /* it refuses, declines, or cannot be understood */
	SM_OUTCOME_UNREACHABLE,
	SM_OUTCOME_SILENT,
	SM_OUTCOMES,
};

struct sm_server_counts {
	struct sm_server server;
	uint64_t n_asked;
	uint64_t outcomes[SM_OUTCOMES];
	struct sm_histogram times; /* of good answers */
};

#define SM_COUNTED_SERVERS_MAX 128 /* further ones are not counted */

struct sm_counts {
	uint32_t n;
	struct sm_server_counts servers[SM_COUNTED_SERVERS_MAX];
};

/* `counts` may be NULL: nobody counts. */
void sm_counts_asked(struct sm_counts *counts, const struct sm_server *server);
void sm_counts_outcome(struct sm_counts *counts, const struct sm_server *server, enum sm_outcome outcome, int64_t took_ns);
/* NULL: it was never asked. */
const struct sm_server_counts *sm_counts_find(const struct sm_counts *counts, const struct sm_server *server);
