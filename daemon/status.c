/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/status.h"

#include "base/clock.h"

#include <stdio.h>

struct line {
	const char *name;
	uint64_t value;
};

static size_t write_lines(const struct line *lines, size_t n, char *ret, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(ret + used, size - used, "%s=%llu\n", lines[i].name,
		                         (unsigned long long)lines[i].value);
	return used;
}

/* With "shared=off", or "shared=up 10.0.0.9:6379 key 1a2b3c4d". */
static size_t write_shared(const struct sm_shared *shared, char *ret, size_t size)
{
	const struct line lines[] = {
		{"shared_reads", shared->store.n_reads},
		{"shared_hits", shared->n_hits},
		{"shared_writes", shared->store.n_written},
		{"shared_dropped", shared->store.n_dropped},
		{"shared_lost", shared->store.n_lost},
		{"shared_refused", shared->n_refused},
		{"flushes_refused", shared->n_late_flushes},
	};
	size_t used = write_lines(lines, sizeof(lines) / sizeof(lines[0]), ret, size);
	char road[SM_PATH_MAX + 16];

	if (!shared->seal)
		return used + (size_t)snprintf(ret + used, size - used, "shared=off\n");
	sm_store_road(&shared->store, road);
	return used + (size_t)snprintf(ret + used, size - used, "shared=%s %s key %s\n", sm_store_word(&shared->store), road,
	                               shared->identity);
}

size_t sm_status_text(const struct sm_status_sources *from, char ret[SM_STATUS_MAX])
{
	const struct sm_counters *counters = from->counters;
	struct sm_owner_usage usage = sm_owner_usage(from->owner);
	struct sm_targets_usage targets = sm_targets_usage(from->targets);
	const struct line lines[] = {
		{"uptime_s", (uint64_t)((sm_clock_now_ns() - from->began_ns) / SM_NS_PER_S)},
		{"requests", counters->requests},
		{"cached", counters->cached},
		{"stale", counters->stale},
		{"joined", counters->joined},
		{"jobs", counters->jobs},
		{"failed", counters->failed},
		{"hopeless", counters->hopeless},
		{"cut", counters->cut},
		{"not_ours", counters->not_ours},
		{"busy", counters->busy},
		{"malformed", counters->malformed},
		{"hints", counters->hints},
		{"renewed", counters->renewed},
		{"probes", targets.n_probes},
		{"watched_now", targets.n_watched},
		{"down_now", targets.n_down},
		{"unwatched_now", targets.n_turned_away},
		{"clients_now", from->limits->used[SM_LIMITED_CLIENTS]},
		{"jobs_now", from->limits->used[SM_LIMITED_JOBS]},
		{"entries", usage.held.n_entries},
		{"entry_bytes", usage.held.cost},
		{"file_bytes", usage.file_bytes},
		{"restored", usage.n_restored},
		{"evicted", usage.n_evicted},
		{"commits", usage.n_commits},
		{"write_failures", usage.n_failures},
	};
	size_t used = (size_t)snprintf(ret, SM_STATUS_MAX, "version=%s\n", PACKAGE_VERSION);

	used += write_lines(lines, sizeof(lines) / sizeof(lines[0]), ret + used, SM_STATUS_MAX - used);
	return used + write_shared(from->shared, ret + used, SM_STATUS_MAX - used);
}
