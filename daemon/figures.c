/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/figures.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

struct filling {
	struct sm_figure *figures;
	size_t n;
};

static void add(struct filling *filling, const char *name, const char *metric, enum sm_figure_kind kind, uint64_t value,
                const char *help)
{
	if (filling->n < SM_FIGURES_MAX)
		filling->figures[filling->n++] = (struct sm_figure){name, metric, help, kind, value};
}

static void count(struct filling *filling, const char *name, const char *metric, uint64_t value, const char *help)
{
	add(filling, name, metric, SM_FIGURE_COUNTER, value, help);
}

static void gauge(struct filling *filling, const char *name, const char *metric, uint64_t value, const char *help)
{
	add(filling, name, metric, SM_FIGURE_GAUGE, value, help);
}

static void add_requests(struct filling *filling, const struct sm_counters *counters)
{
	count(filling, "requests", "requests_total", counters->requests, "Requests for a name.");
	count(filling, "cached", "requests_cached_total", counters->cached, "Requests answered from the cache.");
	count(filling, "stale", "answers_stale_total", counters->stale, "Answers given past their TTL.");
	count(filling, "joined", "requests_joined_total", counters->joined, "Requests that waited for the job of another one.");
	count(filling, "jobs", "jobs_total", counters->jobs, "Jobs begun: names for which DNS was asked.");
	count(filling, "failed", "jobs_failed_total", counters->failed, "Jobs without an answer.");
	count(filling, "hopeless", "requests_hopeless_total", counters->hopeless,
	      "Requests that failed at once: all servers are down.");
	count(filling, "cut", "answers_cut_total", counters->cut,
	      "Answers that are not whole, because the service is too large.");
	count(filling, "changed", "answers_changed_total", counters->changed, "Answers that are not the ones before.");
	count(filling, "not_ours", "requests_not_ours_total", counters->not_ours,
	      "Requests for a name that is not a service name.");
	count(filling, "busy", "requests_busy_total", counters->busy, "Requests that were turned away.");
	count(filling, "malformed", "requests_malformed_total", counters->malformed, "Requests and hints that were not valid.");
	count(filling, "hints", "hints_total", counters->hints, "Hints of programs that a name is in use.");
	count(filling, "renewed", "renewals_total", counters->renewed, "Names renewed before they expired.");
}

static void add_targets(struct filling *filling, const struct sm_targets_usage *targets)
{
	count(filling, "probes", "probes_total", targets->n_probes, "Probes sent to targets.");
	gauge(filling, "watched_now", "targets_watched", targets->n_watched, "Endpoints of targets that are watched.");
	gauge(filling, "down_now", "targets_down", targets->n_down, "Endpoints of targets that are down.");
	gauge(filling, "unwatched_now", "targets_unwatched", targets->n_turned_away,
	      "Endpoints that are too many to be watched.");
}

static void add_map(struct filling *filling, const struct sm_owner *owner)
{
	struct sm_owner_usage usage = sm_owner_usage(owner);

	gauge(filling, "entries", NULL, usage.held.n_entries, "Entries in the host map.");
	gauge(filling, "entry_bytes", "entry_bytes", usage.held.cost, "The size of all entries, about.");
	gauge(filling, "file_bytes", "map_bytes", usage.file_bytes, "The size of the host map's file.");
	gauge(filling, "restored", "entries_restored", usage.n_restored, "Entries taken over at the start.");
	count(filling, "evicted", NULL, usage.n_evicted, "Entries removed to make room.");
	count(filling, "commits", "commits_total", usage.n_commits, "Commits to the host map's file.");
	count(filling, "write_failures", "write_failures_total", usage.n_failures, "Writes to the host map that failed.");
}

static void add_shared(struct filling *filling, const struct sm_shared *shared)
{
	count(filling, "shared_reads", "shared_reads_total", shared->store.n_reads, "Reads of the store that hosts share.");
	count(filling, "shared_hits", "shared_hits_total", shared->n_hits, "Answers of other hosts that were used.");
	count(filling, "shared_writes", "shared_writes_total", shared->store.n_written, "Answers that other hosts may use.");
	count(filling, "shared_dropped", "shared_dropped_total", shared->store.n_dropped, "Answers that could not be written.");
	count(filling, "shared_lost", "shared_lost_total", shared->store.n_lost, "Commands without an answer, or with an error.");
	count(filling, "shared_refused", "shared_refused_total", shared->n_refused,
	      "Values and messages that were not believed.");
	count(filling, "flushes_refused", "flushes_refused_total", shared->n_late_flushes,
	      "Flushes of other hosts that were not taken.");
}

size_t sm_figures(const struct sm_figures_sources *from, struct sm_figure ret[SM_FIGURES_MAX])
{
	struct filling filling = {.figures = ret};
	struct sm_targets_usage targets = sm_targets_usage(from->targets);
	uint64_t bypassed = 0;

	for (int i = 0; i < SM_BYPASS_KINDS; i++)
		bypassed += from->counters->bypassed[i];
	gauge(&filling, "uptime_s", "uptime_seconds", (uint64_t)((sm_clock_now_ns() - from->began_ns) / SM_NS_PER_S),
	      "Seconds since the start.");
	add_requests(&filling, from->counters);
	count(&filling, "bypassed", NULL, bypassed, "Processes that have passed over the host map or srvmeshd.");
	add_targets(&filling, &targets);
	gauge(&filling, "clients_now", "clients_connected", from->limits->used[SM_LIMITED_CLIENTS], "Connections at the moment.");
	gauge(&filling, "jobs_now", "jobs_running", from->limits->used[SM_LIMITED_JOBS], "Jobs at the moment.");
	add_map(&filling, from->owner);
	add_shared(&filling, from->shared);
	gauge(&filling, "config_errors", "config_errors", from->reload->settings->n_errors, "Errors in the configuration.");
	return filling.n;
}

void sm_figures_shared(const struct sm_shared *shared, char ret[SM_FIGURES_SHARED_MAX])
{
	char road[SM_PATH_MAX + 16];

	snprintf(ret, SM_FIGURES_SHARED_MAX, "off");
	if (!shared->seal)
		return;
	sm_store_road(&shared->store, road);
	snprintf(ret, SM_FIGURES_SHARED_MAX, "%s %s key %s", sm_store_word(&shared->store), road, shared->identity);
}

size_t sm_figures_status(const struct sm_figures_sources *from, char ret[SM_STATUS_MAX])
{
	struct sm_figure figures[SM_FIGURES_MAX];
	size_t n = sm_figures(from, figures), used = (size_t)snprintf(ret, SM_STATUS_MAX, "version=%s\n", PACKAGE_VERSION);
	char shared[SM_FIGURES_SHARED_MAX];

	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(ret + used, SM_STATUS_MAX - used, "%s=%llu\n", figures[i].name,
		                         (unsigned long long)figures[i].value);
	sm_figures_shared(from->shared, shared);
	return used + (size_t)snprintf(ret + used, SM_STATUS_MAX - used, "shared=%s\n", shared);
}
