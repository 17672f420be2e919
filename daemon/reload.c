/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/reload.h"

#include "base/clock.h"
#include "daemon/flush.h"
#include "daemon/log.h"
#include "daemon/shared.h"
#include "daemon/targets.h"

#include <string.h>
#include <sys/resource.h>

#define FOLLOWERS_MAX 16
#define LARGE_TEXTS_MAX 64
#define OWN_DESCRIPTORS 32 /* standard ones, map, lock, sockets, loop, and some that are open only briefly */

/* The most descriptors that a job needs: one for each server, and one more while TCP is tried. */
static uint32_t descriptors_of_job(const struct sm_rules *rules)
{
	uint32_t n = rules->elsewhere.n_servers;

	for (uint32_t i = 0; i < rules->n_rules; i++)
		if (rules->rules[i].n_servers > n)
			n = rules->rules[i].n_servers;
	return n + 1;
}

/* Half of the descriptors are for clients and half for jobs, so that neither uses up those of the other. */
static void fit_descriptors(struct sm_reload *reload)
{
	uint32_t *max = reload->limits->max, half, jobs;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= UINT32_MAX)
		return;
	half = limit.rlim_cur > 2 * OWN_DESCRIPTORS ? (uint32_t)(limit.rlim_cur - OWN_DESCRIPTORS) / 2 : OWN_DESCRIPTORS / 2;
	jobs = half / descriptors_of_job(&reload->settings->conf->rules);
	if (max[SM_LIMITED_CLIENTS] > half || max[SM_LIMITED_JOBS] > jobs)
		sm_log_number(SM_LOG_WARNING, "max_clients and max_jobs are cut to what RLIMIT_NOFILE allows", "limit",
		              limit.rlim_cur);
	max[SM_LIMITED_CLIENTS] = max[SM_LIMITED_CLIENTS] < half ? max[SM_LIMITED_CLIENTS] : half;
	max[SM_LIMITED_JOBS] = max[SM_LIMITED_JOBS] < jobs ? max[SM_LIMITED_JOBS] : jobs;
}

static void apply(struct sm_reload *reload)
{
	const struct sm_host_conf *host = &reload->settings->conf->host;

	sm_log_setup(host->log_level, host->log_format);
	reload->limits->max[SM_LIMITED_CLIENTS] = host->max_clients;
	reload->limits->max[SM_LIMITED_JOBS] = host->max_jobs;
	reload->limits->max[SM_LIMITED_FOLLOWERS] = FOLLOWERS_MAX;
	reload->limits->max[SM_LIMITED_TEXTS] = LARGE_TEXTS_MAX;
	reload->limits->quota_percent = host->quota_percent;
	if (reload->settings->n_errors == 0)
		reload->succeeded_s = sm_clock_wall_ns() / SM_NS_PER_S;
	fit_descriptors(reload);
	if (reload->settings->conf->n_pieces == 0)
		sm_log(SM_LOG_INFO, "no name is ours: there is no configuration yet", "config", reload->sources.file, NULL);
	else if (reload->settings->conf->rules.n_rules == 0)
		sm_log(SM_LOG_WARNING, "no name is ours: no [domain NAME] or [service NAME] is configured", "config",
		       reload->sources.file, NULL);
	else if (reload->settings->conf->rules.elsewhere.is_disabled)
		sm_log(SM_LOG_WARNING, "no name is ours: enabled = no", NULL);
}

enum sm_status sm_reload_begin(const char *named, struct sm_limits *limits, struct sm_reload *ret)
{
	enum sm_status status;

	*ret = (struct sm_reload){.sources = sm_conf_sources(named), .limits = limits};
	status = sm_settings_load(&ret->sources, NULL, &ret->watch, &ret->settings);
	if (status == SM_OK)
		apply(ret);
	return status;
}

void sm_reload_end(struct sm_reload *reload)
{
	sm_settings_release(reload->settings);
	reload->settings = NULL;
	sm_watch_end(&reload->watch);
}

static void warn_of_restart(const struct sm_host_conf *old, const struct sm_host_conf *new)
{
	if (strcmp(old->directory, new->directory) != 0 || strcmp(old->socket, new->socket) != 0 ||
	    old->size_kib != new->size_kib || old->quota_percent != new->quota_percent ||
	    strcmp(old->metrics.path, new->metrics.path) != 0 || !sm_server_is_at(&old->metrics.server, &new->metrics.server))
		sm_log(SM_LOG_WARNING, "directory, socket, size, metrics and the cache's quota change with the next start", NULL);
}

/* If no name is configured, the daemon waits until one is. A file with an error does not remove kept answers. */
static void follow(struct sm_reload *reload)
{
	apply(reload);
	sm_flush_judge(reload->flush_work);
	sm_targets_follow(reload->targets);
	sm_shared_follow(reload->shared);
	sm_log(SM_LOG_INFO, "reloaded", "config", reload->sources.file, NULL);
}

static void load_again(struct sm_reload *reload)
{
	struct sm_watch watch;
	struct sm_settings *settings;
	enum sm_status status = sm_settings_load(&reload->sources, reload->settings, &watch, &settings);

	if (status != SM_OK) {
		sm_log(SM_LOG_ERROR, "the configuration stays as it was", "error", "out of memory or descriptors", NULL);
		return;
	}
	sm_watch_end(&reload->watch);
	reload->watch = watch;
	warn_of_restart(&reload->settings->conf->host, &settings->conf->host);
	sm_settings_release(reload->settings);
	reload->settings = settings;
	follow(reload);
}

void sm_reload_now(struct sm_reload *reload)
{
	if (sm_conf_look(reload->settings->conf, &reload->watch, sm_clock_now_ns()) == SM_WATCH_FADING)
		sm_log(SM_LOG_WARNING, "a file of the configuration is gone or empty: it has two seconds to come back", NULL);
	else
		load_again(reload);
}

void sm_reload_if_changed(struct sm_reload *reload)
{
	if (sm_conf_look(reload->settings->conf, &reload->watch, sm_clock_now_ns()) == SM_WATCH_CHANGED)
		load_again(reload);
}
