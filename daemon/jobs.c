/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Jobs.
 *
 *                     all known, or the deadline               main.c, before the loop waits
 *   ask ──► running ─────────────────────────► finished ──────────────────────────────► told ──► listening, freed
 *              │  ▲                             the answer is put into the host map,      the map is committed first
 *   sockets,   │  │ sm_job_step                    or what is kept is good enough still
 *   timer      └──┘
 *                 ├─ a server was overtaken in any job: sm_job_step
 *                 ├─ after sign_ns: WORKING to all that wait
 *                 └─ one family known for 50 ms: the answer so far to the clients that asked for that family alone
 *
 * Where glue was enough, a job that is told goes on once more behind its answer, and asks for the other family (go_on_behind).
 * It holds no name and no limit then: the next client begins another job, except one that wants that family.
 *
 * c-ares opens and closes their sockets at any time. So all sockets are in one epoll, which removes closed
 * ones by itself, and the loop watches that epoll. */
#include "daemon/jobs.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/random.h"
#include "base/scope.h"
#include "base/usdt.h"
#include "daemon/job.h"
#include "daemon/keeping.h"
#include "daemon/log.h"
#include "daemon/values.h"
#include "mesh/record.h"
#include "resolve/outlook.h"

#include <search.h>
#include <string.h>
#include <sys/epoll.h>

#define READY_AT_ONCE 64
#define SIGN_AFTER_NS (100 * SM_NS_PER_MS) /* well before any client assumes that the daemon is dead, */
#define SIGN_SHARE 6                       /* also one with little time: it waits a third of its time for a sign */
#define IDLE_CHANNELS 16 /* are kept for jobs to come */
#define LISTENING_MAX 64    /* beyond that nothing is learnt of servers that are late */
#define LISTENING_SHARE 16  /* and of the descriptors of all jobs only so much */

SM_USDT_DEFINE(job_start);

const struct sm_peer sm_jobs_nobody = {SM_LEDGER_NOBODY, SM_LEDGER_NOBODY, 0};

/* The tree contains the names, each of which is a member of its job. */
static int compare(const void *a, const void *b)
{
	return strcmp(((const struct sm_name *)a)->text, ((const struct sm_name *)b)->text);
}

static struct sm_job *find_job(struct sm_jobs *jobs, const struct sm_name *name)
{
	char **found = tfind(name, &jobs->by_name, compare);

	return found ? (struct sm_job *)(*found - offsetof(struct sm_job, name)) : NULL;
}

/* ---- the end of a job */

static void free_job(struct sm_job *job)
{
	sm_settings_release(job->settings);
	free(job->body);
	free(job);
}

static void on_job_closed(uv_handle_t *handle)
{
	free_job(handle->data);
}

/* Closes its descriptors at once; its memory is freed when the loop has closed its handles. */
static void close_job(struct sm_job *job)
{
	sm_lookup_close(job->lookup);
	sm_shared_leave(job->jobs->shared, job);
	uv_close((uv_handle_t *)&job->timer, on_job_closed);
}

/* ---- listening: what a server says, or does not say, behind the answer, counts for the next lookup */

static void stop_listening(struct sm_job *job)
{
	job->is_listening = false;
	job->jobs->n_listening--;
	TAILQ_REMOVE(&job->jobs->listening, job, link);
	close_job(job);
}

static void arm_timer(struct sm_job *job, int64_t wakes_ns, int64_t now_ns);
static void watch_sockets(struct sm_job *job);
static void process_job(struct sm_job *job);

static void listen_on(struct sm_job *job)
{
	int64_t now_ns = sm_clock_now_ns();

	if (!sm_lookup_listen(job->lookup, now_ns)) {
		stop_listening(job);
		return;
	}
	watch_sockets(job);
	arm_timer(job, sm_lookup_wakes_ns(job->lookup), now_ns);
}

/* Removes the job from the tree: the next client begins another one. */
static void leave_name(struct sm_job *job)
{
	tdelete(&job->name, &job->jobs->by_name, compare);
	sm_limits_give(job->jobs->limits, SM_LIMITED_JOBS, job->peer.account);
}

/* Jobs that nobody waits for are few. */
static bool has_room_behind(const struct sm_jobs *jobs)
{
	uint32_t most = jobs->limits->max[SM_LIMITED_JOBS] / LISTENING_SHARE + 1;

	return jobs->n_listening + jobs->n_behind < (most < LISTENING_MAX ? most : LISTENING_MAX);
}

static void end_job(struct sm_job *job)
{
	struct sm_jobs *jobs = job->jobs;

	if (!has_room_behind(jobs)) {
		close_job(job);
		return;
	}
	job->is_listening = true;
	jobs->n_listening++;
	TAILQ_INSERT_TAIL(&jobs->listening, job, link);
	listen_on(job);
}

enum sm_status sm_jobs_settle_for_stale(struct sm_jobs *jobs, const struct sm_rule *rule, const struct sm_request *request,
                                        const void **ret, size_t *ret_size)
{
	struct sm_job *job = find_job(jobs, &request->name);

	enum sm_status status;

	if (job && !job->is_finished)
		process_job(job);
	if (sm_keeping_lacks(jobs->owner, &request->name, request->families))
		return SM_MISS;
	status = sm_keeping_old(jobs->owner, rule, &request->name, ret, ret_size);
	if (job && status == SM_OK)
		sm_lookup_note_silence(job->lookup, sm_clock_now_ns());
	return status;
}

static void finish_job(struct sm_job *job)
{
	uv_timer_stop(&job->timer);
	sm_shared_leave(job->jobs->shared, job);
	sm_job_conclude(job);
	job->is_finished = true;
	job->jobs->n_behind -= job->is_behind;
	TAILQ_REMOVE(job->is_behind ? &job->jobs->behind : &job->jobs->running, job, link);
	TAILQ_INSERT_TAIL(&job->jobs->finished, job, link);
}

void sm_jobs_leave(struct sm_waiter *waiter)
{
	if (!waiter->job)
		return;
	TAILQ_REMOVE(&waiter->job->waiters, waiter, link);
	waiter->job = NULL;
}

/* A server was overtaken in one job: in the others, questions that wait for it move on. */
static void pass_on(struct sm_jobs *jobs)
{
	struct sm_job *job = TAILQ_FIRST(&jobs->running), *next;

	if (jobs->n_overtaken == jobs->upstream->servers.n_overtaken)
		return;
	jobs->n_overtaken = jobs->upstream->servers.n_overtaken;
	for (; job; job = next) {
		next = TAILQ_NEXT(job, link);
		sm_job_step(job);
	}
}

static void on_job_time(uv_timer_t *timer);

/* Where glue was enough for an answer, the family that it lacked is asked for behind it, once a lifetime. */
static bool go_on_behind(struct sm_job *job)
{
	uint8_t families = 0;

	if (job->is_complete && !job->is_behind && has_room_behind(job->jobs) &&
	    !sm_memo_holds(&job->jobs->barren, &job->name, sm_clock_now_ns()))
		families = sm_lookup_left_out(job->lookup);
	if (!families || !sm_lookup_widen(job->lookup, families, sm_job_deadline_ns(job->rule)))
		return false;
	free(job->body);
	job->body = NULL;
	job->body_size = 0;
	job->may_be_shared = false;
	job->is_behind = true;
	job->behind_families = families;
	job->is_finished = false;
	memset(job->settled_ns, 0, sizeof(job->settled_ns));
	job->jobs->n_behind++;
	TAILQ_INSERT_TAIL(&job->jobs->behind, job, link);
	uv_timer_start(&job->timer, on_job_time, 0, 0);
	return true;
}

void sm_jobs_flush(struct sm_jobs *jobs)
{
	struct sm_job *job;

	pass_on(jobs);
	sm_upstream_publish(jobs->upstream, sm_clock_now_ns());
	if (sm_owner_commit(jobs->owner) != SM_OK)
		sm_log_rarely(SM_LOG_WARNING, "the host map could not be written", NULL);
	while ((job = TAILQ_FIRST(&jobs->finished))) {
		struct sm_waiter *waiter;

		TAILQ_REMOVE(&jobs->finished, job, link);
		while ((waiter = TAILQ_FIRST(&job->waiters))) {
			sm_jobs_leave(waiter);
			waiter->tell(waiter, job->kind, job->body, job->body_size);
		}
		if (!job->is_behind)
			leave_name(job);
		if (go_on_behind(job))
			continue; /* its answer will be more complete */
		sm_values_share(jobs->shared, job);
		end_job(job);
	}
}

/* ---- the course of a job */

static void process_job(struct sm_job *job)
{
	struct pollfd fds[SM_ASKER_FDS_MAX];
	size_t n = sm_lookup_fds(job->lookup, fds);
	int64_t now_ns = sm_clock_now_ns();

	if (sm_descriptor_wait(fds, n, 0, &now_ns) == SM_OK)
		sm_lookup_process(job->lookup, fds, n, now_ns);
	if (job->is_listening)
		listen_on(job);
	else
		sm_job_step(job);
}

/* A job that finishes here is reported and freed later, so that every event of a batch still finds its job. */
static void on_sockets_ready(uv_poll_t *poll, int status, int events)
{
	struct sm_jobs *jobs = poll->data;
	struct epoll_event ready[READY_AT_ONCE];
	int n = epoll_wait(jobs->sockets_fd, ready, READY_AT_ONCE, 0);

	(void)status;
	(void)events;
	for (int i = 0; i < n; i++) {
		struct sm_job *job = ready[i].data.ptr;

		if (!job->is_finished || job->is_listening)
			process_job(job);
	}
}

static void stop_behind(struct sm_job *job)
{
	while (!TAILQ_EMPTY(&job->waiters))
		sm_jobs_leave(TAILQ_FIRST(&job->waiters));
	TAILQ_REMOVE(&job->jobs->behind, job, link);
	close_job(job);
}

enum sm_status sm_jobs_start(struct sm_jobs *jobs)
{
	TAILQ_INIT(&jobs->running);
	TAILQ_INIT(&jobs->finished);
	TAILQ_INIT(&jobs->listening);
	TAILQ_INIT(&jobs->behind);
	sm_channel_pool_start(&jobs->channels);
	sm_thrift_start(&jobs->thrift);
	sm_random_fill(&jobs->renewals.seed, sizeof(jobs->renewals.seed));
	jobs->sockets_fd = epoll_create1(EPOLL_CLOEXEC);
	if (jobs->sockets_fd < 0 || uv_poll_init(jobs->loop, &jobs->sockets, jobs->sockets_fd) != 0)
		return SM_EXHAUSTED;
	jobs->sockets.data = jobs;
	uv_poll_start(&jobs->sockets, UV_READABLE, on_sockets_ready);
	return SM_OK;
}

void sm_jobs_stop(struct sm_jobs *jobs)
{
	while (!TAILQ_EMPTY(&jobs->listening))
		stop_listening(TAILQ_FIRST(&jobs->listening));
	while (!TAILQ_EMPTY(&jobs->behind))
		stop_behind(TAILQ_FIRST(&jobs->behind));
	sm_channel_pool_stop(&jobs->channels);
	sm_hosts_stop(&jobs->hosts);
	uv_close((uv_handle_t *)&jobs->sockets, NULL);
	close(jobs->sockets_fd);
}

/* What has come while the daemon was stopped is read before any silence counts. */
static void on_job_time(uv_timer_t *timer)
{
	process_job(timer->data);
}

static void arm_timer(struct sm_job *job, int64_t wakes_ns, int64_t now_ns)
{
	sm_loop_wake(&job->timer, on_job_time, wakes_ns, now_ns);
}

/* Makes the epoll watch the sockets of the lookup. Sockets that the lookup no longer needs are already closed. */
static void watch_sockets(struct sm_job *job)
{
	struct pollfd fds[SM_ASKER_FDS_MAX];
	size_t n = sm_lookup_fds(job->lookup, fds);

	for (size_t i = 0; i < n; i++) {
		struct epoll_event event = {
			.events = (fds[i].events & POLLIN ? EPOLLIN : 0U) | (fds[i].events & POLLOUT ? EPOLLOUT : 0U),
			.data.ptr = job,
		};

		if (epoll_ctl(job->jobs->sockets_fd, EPOLL_CTL_ADD, fds[i].fd, &event) != 0)
			epoll_ctl(job->jobs->sockets_fd, EPOLL_CTL_MOD, fds[i].fd, &event);
	}
}

static void sign_of_life(struct sm_job *job)
{
	struct sm_waiter *waiter;

	job->has_signed = true;
	TAILQ_FOREACH(waiter, &job->waiters, link)
		waiter->tell(waiter, SM_FRAME_WORKING, NULL, 0);
}

void sm_job_step(struct sm_job *job)
{
	int64_t now_ns = sm_clock_now_ns(), wakes_ns;
	bool lets_ask;

	if (job->is_finished)
		return;
	lets_ask = job->is_settled || sm_shared_lets_ask(job->jobs->shared, job, now_ns);
	if (job->is_settled || (lets_ask && sm_lookup_advance(job->lookup, now_ns))) {
		finish_job(job);
		return;
	}
	if (sm_lookup_is_extended(job->lookup))
		sm_job_tell_old(job);
	if (!job->has_signed && now_ns >= job->sign_ns)
		sign_of_life(job);
	wakes_ns = job->sharing.course.wakes_ns;
	if (lets_ask) {
		watch_sockets(job);
		wakes_ns = sm_sooner(sm_job_serve_early(job, now_ns), sm_lookup_wakes_ns(job->lookup));
	}
	if (!job->has_signed)
		wakes_ns = sm_sooner(wakes_ns, job->sign_ns);
	arm_timer(job, wakes_ns, now_ns);
}

static bool enter_name(struct sm_job *job)
{
	SM_USDT_1(job_start, job->name.text);
	return tsearch(&job->name, &job->jobs->by_name, compare);
}

static enum sm_status make_job(struct sm_jobs *jobs, const struct sm_rule *rule, const struct sm_request *request,
                               struct sm_peer peer, bool is_scout, struct sm_job **ret)
{
	int64_t now_ns = sm_clock_now_ns();
	SM_SCOPE_FREE struct sm_job *job = calloc(1, sizeof(*job));
	struct sm_lookup_means means;

	if (!job)
		return SM_EXHAUSTED;
	job->jobs = jobs;
	job->rule = rule;
	job->name = request->name;
	job->peer = peer;
	job->began_ns = now_ns;
	job->needs = sm_job_needs(request);
	job->sign_ns = now_ns + SIGN_AFTER_NS;
	TAILQ_INIT(&job->waiters);
	means = sm_job_means(job, is_scout);
	if (sm_lookup_open(&means, rule, &request->name, SM_IPV4_AND_IPV6, sm_job_deadline_ns(rule), &job->lookup) != SM_OK)
		return SM_EXHAUSTED;
	if (!enter_name(job)) {
		sm_lookup_close(job->lookup);
		return SM_EXHAUSTED;
	}
	job->settings = sm_settings_hold(jobs->reload->settings);
	uv_timer_init(jobs->loop, &job->timer);
	job->timer.data = job;
	TAILQ_INSERT_TAIL(&jobs->running, job, link);
	*ret = job;
	job = NULL;
	return SM_OK;
}

static enum sm_status begin_job(struct sm_jobs *jobs, const struct sm_rule *rule, const struct sm_request *request,
                            struct sm_peer peer, bool is_scout, bool is_awaited, struct sm_job **ret)
{
	int64_t now_ns = sm_clock_now_ns();
	/* it first sees what the tier knows */
	bool is_unsure = is_scout && is_awaited && sm_shared_may_know(jobs->shared) &&
	                 sm_outlook_is_down(&jobs->upstream->servers, rule, now_ns);
	enum sm_status status;

	if (is_scout && !is_unsure && !sm_upstream_may_scout(jobs->upstream, rule, now_ns))
		return SM_SILENT;
	if (!sm_limits_take(jobs->limits, SM_LIMITED_JOBS, peer.account))
		return SM_FULL;
	status = make_job(jobs, rule, request, peer, is_scout, ret);
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
static struct sm_job *find_job_for(struct sm_jobs *jobs, const struct sm_request *request)
{
	struct sm_job *job;

	TAILQ_FOREACH(job, &jobs->behind, link)
		if (sm_job_needs(request) & job->behind_families && strcmp(job->name.text, request->name.text) == 0)
			return job;
	return find_job(jobs, &request->name);
}

bool sm_jobs_has(struct sm_jobs *jobs, const struct sm_request *request)
{
	return find_job_for(jobs, request);
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
	struct sm_job *job = find_job_for(jobs, request);
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
		uv_timer_start(&job->timer, on_job_time, 0, 0); /* perhaps there is an answer already; not sent from here */
	return SM_OK;
}

void sm_jobs_look(struct sm_jobs *jobs)
{
	uint32_t n = jobs->limits->used[SM_LIMITED_JOBS] + jobs->n_listening + jobs->n_behind;

	sm_channel_pool_shrink(&jobs->channels, IDLE_CHANNELS + n);
	sm_thrift_look(&jobs->thrift, n);
}
