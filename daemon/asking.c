/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a job begins, and who joins it. */
#include "base/scope.h"
#include "base/usdt.h"
#include "daemon/job.h"
#include "mesh/record.h"

#include <stdlib.h>
#include <string.h>

#define SIGN_AFTER_NS (100 * SM_NS_PER_MS) /* well before any client assumes that the daemon is dead, */
#define SIGN_SHARE 6                       /* also one with little time: it waits a third of its time for a sign */

SM_USDT_DEFINE(job_start);

const struct sm_peer sm_jobs_nobody = {SM_LEDGER_NOBODY, SM_LEDGER_NOBODY, 0};

static enum sm_status make_job(struct sm_jobs *jobs, const struct sm_rule *rule, const struct sm_request *request,
                               struct sm_peer peer, bool is_scout, struct sm_job **ret)
{
	int64_t now_ns = sm_clock_now_ns();
	SM_SCOPE_FREE struct sm_job *job = malloc(sizeof(*job));
	struct sm_lookup_means means;

	if (!job)
		return SM_EXHAUSTED;
	*job = (struct sm_job){
		.jobs = jobs,
		.rule = rule,
		.name = request->name,
		.peer = peer,
		.began_ns = now_ns,
		.needs = sm_job_needs(request),
		.sign_ns = now_ns + SIGN_AFTER_NS,
	};
	TAILQ_INIT(&job->waiters);
	means = sm_job_means(job, is_scout);
	if (sm_lookup_open(&means, rule, &request->name, SM_IPV4_AND_IPV6, sm_job_deadline_ns(rule), &job->lookup) != SM_OK)
		return SM_EXHAUSTED;
	SM_USDT_1(job_start, job->name.text);
	if (!sm_job_enter_name(job)) {
		sm_lookup_close(job->lookup);
		return SM_EXHAUSTED;
	}
	job->settings = sm_settings_hold(jobs->reload->settings);
	sm_timers_begin(&jobs->timers, &job->timer, job);
	TAILQ_INSERT_TAIL(&jobs->running, job, link);
	*ret = job;
	job = NULL;
	return SM_OK;
}

static enum sm_status begin_job(struct sm_jobs *jobs, const struct sm_rule *rule, const struct sm_request *request,
                            struct sm_peer peer, bool is_scout, bool is_awaited, struct sm_job **ret)
{
	int64_t now_ns = sm_clock_now_ns();
	bool is_in_vain = is_scout && sm_upstream_is_down_for(jobs->upstream, rule, peer.account, now_ns);
	/* it first sees what the tier knows */
	bool is_unsure = is_in_vain && is_awaited && sm_shared_may_know(jobs->shared);
	enum sm_status status;

	if (is_in_vain && !is_unsure && !sm_upstream_may_scout(jobs->upstream, rule, peer.account, now_ns))
		return SM_SILENT;
	if (!sm_limits_take(jobs->limits, SM_LIMITED_JOBS, peer.account))
		return SM_FULL;
	status = make_job(jobs, rule, request, peer, is_in_vain, ret);
	if (status != SM_OK) {
		sm_limits_give(jobs->limits, SM_LIMITED_JOBS, peer.account);
		return status;
	}
	(*ret)->sharing.may_not_ask = is_unsure;
	jobs->counters->jobs++;
	return SM_OK;
}

static void join_job(struct sm_job *job, const struct sm_request *request, struct sm_waiter *waiter)
{
	if (!waiter)
		return;
	job->needs |= sm_job_needs(request);
	if (!waiter->is_patient)
		sm_shared_hurry(job->jobs->shared, job);
	if (!job->is_finished && sm_lookup_widen(job->lookup, sm_job_needs(request), sm_job_deadline_ns(job->rule)))
		memset(job->settled_ns, 0, sizeof(job->settled_ns));
	TAILQ_INSERT_TAIL(&job->waiters, waiter, link);
	waiter->job = job;
	waiter->families = request->families;
	job->sign_ns = sm_sooner(job->sign_ns, sm_clock_now_ns() + request->wait_ms * SM_NS_PER_MS / SIGN_SHARE);
	if (job->has_signed && !job->is_finished)
		waiter->tell(waiter, SM_FRAME_WORKING, NULL, 0);
}

/* A job behind an answer is of use to a client that wants the family that it asks for, and to no other. */
static struct sm_job *job_for(struct sm_jobs *jobs, const struct sm_request *request)
{
	struct sm_job *job;

	TAILQ_FOREACH(job, &jobs->behind, link)
		if (sm_job_needs(request) & job->behind_families && strcmp(job->name.text, request->name.text) == 0)
			return job;
	return sm_jobs_find(jobs, &request->name);
}

bool sm_jobs_has(struct sm_jobs *jobs, const struct sm_request *request)
{
	return job_for(jobs, request);
}

static bool may_renew(struct sm_jobs *jobs, const struct sm_name *name)
{
	struct sm_record_head head = {.times = {.made_ns = 0}};
	const void *record;
	size_t size;

	if (sm_owner_get(jobs->owner, name, &record, &size) == SM_OK && sm_record_head(record, size, &head) != SM_OK)
		head.times = (struct sm_times){.made_ns = 0};
	return sm_renewals_begin(&jobs->renewals, name, head.times.expires_ns - head.times.made_ns, sm_clock_now_ns());
}

enum sm_status sm_jobs_ask(struct sm_jobs *jobs, const struct sm_rule *rule, const struct sm_request *request,
                           struct sm_peer peer,
                           bool is_scout, struct sm_waiter *waiter)
{
	struct sm_job *job = job_for(jobs, request);
	enum sm_status status = SM_OK;
	bool is_new = !job;

	if (!is_new && job->is_finished && (sm_lookup_unasked(job->lookup) & sm_job_needs(request)))
		return SM_FULL; /* it has just ended without this family */
	if (is_new && !waiter && !may_renew(jobs, &request->name))
		return SM_MISS;
	if (is_new)
		status = begin_job(jobs, rule, request, peer, is_scout, waiter && !waiter->is_patient, &job);
	if (status != SM_OK)
		return status;
	jobs->counters->joined += !is_new && waiter;
	job->is_renewal |= is_new && (!waiter || waiter->is_patient);
	if (is_new)
		sm_shared_begin(jobs->shared, job, waiter);
	join_job(job, request, waiter);
	if (is_new)
		sm_job_step(job);
	else if (!job->is_finished)
		sm_job_poke(job); /* perhaps there is an answer already; not sent from here */
	return SM_OK;
}
