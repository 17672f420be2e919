/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resolve/counts.h"

#include "resolve/servers.h"

const uint32_t sm_histogram_bounds_us[SM_HISTOGRAM_BOUNDS] = {
	500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000, 2000000, 5000000,
};

void sm_histogram_add(struct sm_histogram *histogram, int64_t ns)
{
	uint64_t us = ns > 0 ? (uint64_t)ns / 1000 : 0;

	histogram->n++;
	histogram->sum_us += us;
	for (uint32_t i = 0; i < SM_HISTOGRAM_BOUNDS; i++)
		if (us <= sm_histogram_bounds_us[i]) {
			histogram->buckets[i]++;
			return;
		}
}

const struct sm_server_counts *sm_counts_find(const struct sm_counts *counts, const struct sm_server *server)
{
	for (uint32_t i = 0; i < counts->n; i++)
		if (sm_server_equals(&counts->servers[i].server, server))
			return &counts->servers[i];
	return NULL;
}

static struct sm_server_counts *place_of(struct sm_counts *counts, const struct sm_server *server)
{
	struct sm_server_counts *place = counts ? (struct sm_server_counts *)sm_counts_find(counts, server) : NULL;

	if (!place && counts && counts->n < SM_COUNTED_SERVERS_MAX) {
		place = &counts->servers[counts->n++];
		place->server = *server;
	}
	return place;
}

void sm_counts_asked(struct sm_counts *counts, const struct sm_server *server)
{
	struct sm_server_counts *place = place_of(counts, server);

	if (place)
		place->n_asked++;
}

void sm_counts_outcome(struct sm_counts *counts, const struct sm_server *server, enum sm_outcome outcome, int64_t took_ns)
{
	struct sm_server_counts *place = place_of(counts, server);

	if (!place)
		return;
	place->outcomes[outcome]++;
	if (outcome == SM_OUTCOME_GOOD)
		sm_histogram_add(&place->times, took_ns);
}
