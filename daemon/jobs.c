/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Jobs.
 *
 *                     all known, or the deadline               main.c, before the loop waits
 *   ask ──► running ─────────────────────────► finished ──────────────────────────────► told ──► listening, freed
 *              │  ▲                             the answer is put into the host map,      the map is committed first
 *   sockets,   │  │ sm_job_step                    or what is kept is good enough still
 *   timer      └──┘
 *                 ├─ its time has come, or a server was overtaken in any job: it is due, and its turn among the users comes
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
#include "daemon/clocks.h"
#include "daemon/job.h"
#include "daemon/keeping.h"
#include "daemon/log.h"
#include "daemon/values.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define READY_AT_ONCE 16
#define DUE_NS (SM_NS_PER_MS / 4) /* in one turn of the loop */
#define IDLE_CHANNELS 16    /* are kept for jobs to come */
#define LISTENING_MAX 64    /* beyond that nothing is learnt of servers that are late */
#define LISTENING_SHARE 16  /* and of the descriptors of all jobs only so much */

/* The tree contains the names, each of which is a member of its job. */
static int compare(const void *a, const void *b)
{
	return strcmp(((const struct sm_name *)a)->text, ((const struct sm_name *)b)->text);
}

struct sm_job *sm_jobs_find(struct sm_jobs *jobs, const struct sm_name *name)
{
	char **found = tfind(name, &jobs->by_name, compare);

	return found ? (struct sm_job *)(*found - offsetof(struct sm_job, name)) : NULL;
}

bool sm_job_enter_name(struct sm_job *job)
{
	return tsearch(&job->name, &job->jobs->by_name, compare);
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

/* Closes its descriptors at once; its memory is freed when the loop has waited, and has closed its handles. */
static void close_job(struct sm_job *job)
{
	sm_turns_leave(&job->jobs->due, &job->due);
	sm_lookup_close(job->lookup);
	sm_shared_leave(job->jobs->shared, job);
	sm_timers_end(&job->jobs->timers, &job->timer);
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
static void process_job(struct sm_job *job, uint32_t events);

static void note_silence(struct sm_job *job)
{
	int64_t silence_ns = sm_lookup_silence_ns(job->lookup);

	if (silence_ns)
		sm_upstream_warn(job->jobs->upstream, job->peer.account, silence_ns);
}

static void listen_on(struct sm_job *job)
{
	int64_t now_ns = sm_clock_now_ns();
	bool is_awaiting = sm_lookup_listen(job->lookup, now_ns);

	note_silence(job);
	if (!is_awaiting) {
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
	struct sm_job *job = sm_jobs_find(jobs, &request->name);

	enum sm_status status;

	if (job && !job->is_finished)
		process_job(job, 0);
	if (sm_keeping_lacks(jobs->owner, &request->name, request->families))
		return SM_MISS;
	status = sm_keeping_old(jobs->owner, rule, &request->name, ret, ret_size);
	if (job && status == SM_OK)
		sm_lookup_note_silence(job->lookup, sm_clock_now_ns());
	return status;
}

static void finish_job(struct sm_job *job)
{
	uv_timer_stop(&job->timer.uv);
	sm_turns_leave(&job->jobs->due, &job->due);
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
	sm_job_poke(job);
	return true;
}

void sm_jobs_flush(struct sm_jobs *jobs)
{
	struct sm_job *job;

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

#define AS_AWAITED UINT32_MAX /* what a lone socket waits for */

/* `events`: of epoll, of one of its sockets; 0: nothing is known of them. */
static void process_job(struct sm_job *job, uint32_t events)
{
	struct pollfd fds[SM_ASKER_FDS_MAX];
	size_t n = sm_lookup_fds(job->lookup, fds);
	int64_t now_ns = sm_clock_now_ns();
	bool is_known = n == 0 || (n == 1 && events); /* epoll and poll have the same bits */

	sm_turns_leave(&job->jobs->due, &job->due);
	if (n == 1)
		fds[0].revents = events == AS_AWAITED ? fds[0].events : (short)events;
	if (is_known || sm_descriptor_wait(fds, n, 0, &now_ns) == SM_OK)
		sm_lookup_process(job->lookup, fds, n, now_ns);
	if (job->is_listening)
		listen_on(job);
	else
		sm_job_step(job);
}

/* The only job that has sockets; NULL: there is none, or more than one. */
static struct sm_job *only_job(const struct sm_jobs *jobs)
{
	struct sm_job *job = TAILQ_FIRST(&jobs->running);

	if (!job || TAILQ_NEXT(job, link) || !TAILQ_EMPTY(&jobs->finished) || jobs->n_listening + jobs->n_behind > 0)
		return NULL;
	return job;
}

/* A job that finishes here is reported and freed later, so that every event of a batch still finds its job. */
static void on_sockets_ready(uv_poll_t *poll, int status, int events)
{
	struct sm_jobs *jobs = poll->data;
	struct sm_job *only = only_job(jobs);
	struct epoll_event ready[READY_AT_ONCE] = {{.events = AS_AWAITED, .data.ptr = only}};
	int n = only ? 1 : epoll_wait(jobs->sockets_fd, ready, READY_AT_ONCE, 0);

	(void)status;
	(void)events;
	for (int i = 0; i < n; i++) {
		struct sm_job *job = ready[i].data.ptr;

		if (!job->is_finished || job->is_listening)
			process_job(job, ready[i].events);
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
	sm_turns_start(&jobs->due);
	sm_channel_pool_start(&jobs->channels);
	sm_thrift_start(&jobs->thrift);
	sm_clocks_look(jobs->owner);
	sm_random_fill(&jobs->renewals.seed, sizeof(jobs->renewals.seed));
	jobs->sockets_fd = epoll_create1(EPOLL_CLOEXEC);
	if (jobs->sockets_fd < 0 || uv_poll_init(jobs->loop, &jobs->sockets, jobs->sockets_fd) != 0)
		return SM_EXHAUSTED;
	jobs->sockets.data = jobs;
	sm_timers_start(&jobs->timers, jobs->loop, on_job_closed);
	uv_poll_start(&jobs->sockets, UV_READABLE, on_sockets_ready);
	return SM_OK;
}

void sm_jobs_stop(struct sm_jobs *jobs)
{
	while (!TAILQ_EMPTY(&jobs->listening))
		stop_listening(TAILQ_FIRST(&jobs->listening));
	while (!TAILQ_EMPTY(&jobs->behind))
		stop_behind(TAILQ_FIRST(&jobs->behind));
	sm_timers_stop(&jobs->timers);
	sm_channel_pool_stop(&jobs->channels);
	sm_hosts_stop(&jobs->hosts);
	uv_close((uv_handle_t *)&jobs->sockets, NULL);
	close(jobs->sockets_fd);
}

/* What has come while the daemon was stopped is read before any silence counts. */
static void become_due(struct sm_job *job)
{
	if (!job->due.queue && sm_turns_wait(&job->jobs->due, &job->due, job->peer.account, false) != SM_OK)
		process_job(job, 0);
}

static void on_job_time(uv_timer_t *timer)
{
	become_due(timer->data);
}

void sm_job_poke(struct sm_job *job)
{
	uv_timer_start(&job->timer.uv, on_job_time, 0, 0);
}

static bool take_due(void *context, struct sm_turn *turn)
{
	(void)context;
	process_job((struct sm_job *)((char *)turn - offsetof(struct sm_job, due)), 0);
	return true;
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
		become_due(job);
	}
}

bool sm_jobs_go_on(struct sm_jobs *jobs)
{
	pass_on(jobs);
	return sm_turns_take(&jobs->due, DUE_NS, take_due, NULL);
}

static void arm_timer(struct sm_job *job, int64_t wakes_ns, int64_t now_ns)
{
	sm_loop_wake(&job->timer.uv, on_job_time, wakes_ns, now_ns);
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
	bool lets_ask, has_ended;

	if (job->is_finished)
		return;
	lets_ask = job->is_settled || sm_shared_lets_ask(job->jobs->shared, job, now_ns);
	has_ended = job->is_settled || (lets_ask && sm_lookup_advance(job->lookup, now_ns));
	note_silence(job);
	if (has_ended) {
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

void sm_jobs_look(struct sm_jobs *jobs)
{
	uint32_t n = jobs->limits->used[SM_LIMITED_JOBS] + jobs->n_listening + jobs->n_behind;

	sm_channel_pool_shrink(&jobs->channels, IDLE_CHANNELS + n);
	sm_thrift_look(&jobs->thrift, n);
	sm_clocks_look(jobs->owner);
}
