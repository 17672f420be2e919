/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/reload.h"

#include "daemon/log.h"

#include <string.h>
#include <sys/resource.h>

#define OWN_DESCRIPTORS 32 /* standard ones, map, lock, sockets, loop, and those that are open for a moment */

/* The most that a job takes: a socket for each server, and one more while TCP is tried. */
static uint32_t descriptors_of_job(const struct sm_rules *rules)
{
	uint32_t n = rules->elsewhere.n_servers;

	for (uint32_t i = 0; i < rules->n_rules; i++)
		if (rules->rules[i].n_servers > n)
			n = rules->rules[i].n_servers;
	return n + 1;
}

/* Half of the descriptors are for clients and half for jobs, so that neither takes the other's. */
static void fit_descriptors(struct sm_daemon *daemon)
{
	uint32_t *max = daemon->limits.max, half, jobs;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= UINT32_MAX)
		return;
	half = limit.rlim_cur > 2 * OWN_DESCRIPTORS ? (uint32_t)(limit.rlim_cur - OWN_DESCRIPTORS) / 2 : OWN_DESCRIPTORS / 2;
	jobs = half / descriptors_of_job(&daemon->settings->conf->rules);
	if (max[SM_LIMITED_CLIENTS] > half || max[SM_LIMITED_JOBS] > jobs)
		sm_log_number(SM_LOG_WARNING, "max_clients and max_jobs are cut to what RLIMIT_NOFILE allows", "limit",
		              limit.rlim_cur);
	max[SM_LIMITED_CLIENTS] = max[SM_LIMITED_CLIENTS] < half ? max[SM_LIMITED_CLIENTS] : half;
	max[SM_LIMITED_JOBS] = max[SM_LIMITED_JOBS] < jobs ? max[SM_LIMITED_JOBS] : jobs;
}

void sm_reload_apply(struct sm_daemon *daemon)
{
	const struct sm_host_conf *host = &daemon->settings->conf->host;

	sm_log_setup(host->log_level, host->log_format);
	daemon->limits.max[SM_LIMITED_CLIENTS] = host->max_clients;
	daemon->limits.max[SM_LIMITED_JOBS] = host->max_jobs;
	daemon->limits.quota_percent = host->quota_percent;
	fit_descriptors(daemon);
}

static void warn_of_restart(const struct sm_host_conf *old, const struct sm_host_conf *new)
{
	if (strcmp(old->directory, new->directory) != 0 || strcmp(old->socket, new->socket) != 0 ||
	    old->size_kib != new->size_kib || old->quota_percent != new->quota_percent)
		sm_log(SM_LOG_WARNING, "directory, socket, size and the cache's quota change with the next start", NULL);
}

void sm_reload(struct sm_daemon *daemon)
{
	struct sm_settings *settings;
	struct sm_conf_error error;
	enum sm_status status = sm_settings_load(&daemon->sources, &daemon->watch, &settings, &error);

	if (status != SM_OK) {
		sm_log(SM_LOG_ERROR, "the configuration stays as it was", "error",
		       status == SM_INVALID ? error.text : "out of memory", NULL);
		return;
	}
	warn_of_restart(&daemon->settings->conf->host, &settings->conf->host);
	sm_settings_release(daemon->settings);
	daemon->settings = settings;
	sm_reload_apply(daemon);
	if (sm_owner_follow(daemon->owner, settings->conf->fingerprint) != SM_OK)
		sm_log(SM_LOG_WARNING, "the host map could not be begun anew", NULL);
	sm_log(SM_LOG_INFO, "reloaded", "config", daemon->sources.file, NULL);
}

void sm_reload_if_changed(struct sm_daemon *daemon)
{
	if (sm_watch_has_changed(&daemon->watch))
		sm_reload(daemon);
}
