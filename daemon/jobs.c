/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Jobs.
 *
 *                     all known, or the deadline               main.c, before the loop waits
 *   ask ──► running ─────────────────────────► finished ──────────────────────────────► told and freed
 *              │  ▲                             the answer is put into the host map,      the map is committed first
 *   sockets,   │  │ step_job                    or what is kept is good enough still
 *   timer      └──┘
 *                 ├─ after sign_ns: WORKING to all that wait
 *                 └─ one family known for 50 ms: the answer so far to the clients that asked for that family alone
 *
 * c-ares opens and closes their sockets at any time. So all sockets are in one epoll, which removes closed
 * ones by itself, and the loop watches that epoll. */
#include "daemon/jobs.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/scope.h"
#include "daemon/log.h"
#include "resolve/channel.h"
#include "resolve/lookup.h"

#include <search.h>
#include <string.h>
#include <sys/epoll.h>

#define READY_AT_ONCE 64
#define SIGN_AFTER_NS (100 * SM_NS_PER_MS) /* well before any client assumes that the daemon is dead, */
#define SIGN_SHARE 6                       /* also one with little time: it waits a third of its time for a sign */
#define DEADLINE_PERCENT 95 /* of a client's own: so that a failure still reaches it in time */

TAILQ_HEAD(waiters, sm_waiter);

struct sm_job {
	TAILQ_ENTRY(sm_job) link; /* in jobs->finished */
	struct sm_jobs *jobs;
	struct sm_settings *settings;
	const struct sm_rule *rule;
	struct sm_name name;
	uid_t uid;
	struct sm_lookup *lookup;
	struct waiters waiters;
	int64_t settled_ns[SM_IPV4_AND_IPV6]; /* by family: when all its addresses became known; 0: not yet */
	bool has_signed, is_finished;
	int64_t sign_ns;
	enum sm_frame_kind kind; /* of the final reply */
	void *body;
	size_t body_size;

	uv_timer_t timer;
};

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

/* Removes the job from the tree and closes its descriptors at once; its memory is freed when the loop has closed its
 * handles. */
static void close_job(struct sm_job *job)
{
	struct sm_jobs *jobs = job->jobs;

	tdelete(&job->name, &jobs->by_name, compare);
	sm_limits_give(jobs->limits, SM_LIMITED_JOBS, job->uid);
	sm_lookup_close(job->lookup);
	uv_close((uv_handle_t *)&job->timer, on_job_closed);
}

static void set_final_reply(struct sm_job *job, enum sm_frame_kind kind, const void *body, size_t size)
{
	job->kind = kind;
	job->body = body ? malloc(size) : NULL;
	if (job->body) {
		memcpy(job->body, body, size);
		job->body_size = size;
	} else if (body) {
		job->kind = SM_FRAME_BUSY;
	}
}

/* The kept answer of a name, if it may still serve. */
static enum sm_status get_servable(struct sm_jobs *jobs, const struct sm_name *name, int64_t now_ns,
                                   struct sm_arena *arena, struct sm_answer *ret, struct sm_times *ret_times)
{
	const void *bytes;
	size_t size;

	if (sm_owner_get(jobs->owner, name, &bytes, &size) != SM_OK)
		return SM_MISS;
	if (sm_record_decode(name, bytes, size, arena, ret, ret_times) != SM_OK || ret->kind != SM_ANSWER_ADDRESSES)
		return SM_MISS;
	return sm_lifetime_freshness(ret_times, now_ns) == SM_DEAD ? SM_MISS : SM_OK;
}

enum sm_status sm_jobs_settle_for_stale(struct sm_jobs *jobs, const struct sm_rule *rule, const struct sm_name *name,
                                        const void **ret, size_t *ret_size)
{
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	struct sm_answer answer;
	int64_t now_ns = sm_clock_now_ns();
	struct sm_times times;

	if (get_servable(jobs, name, now_ns, &arena, &answer, &times) != SM_OK)
		return SM_MISS;
	if (sm_lifetime_freshness(&times, now_ns) == SM_OLD)
		times = sm_lifetime_unrenewed(&times, rule, now_ns);
	return sm_owner_put(jobs->owner, name, &answer, &times, SM_LEDGER_NOBODY, now_ns, ret, ret_size);
}

static void note_servers(struct sm_job *job, bool is_failure)
{
	bool is_down = is_failure && !sm_lookup_has_heard(job->lookup), *known = sm_settings_is_down(job->settings, job->rule);

	if (is_down != *known)
		sm_log(is_down ? SM_LOG_WARNING : SM_LOG_INFO, is_down ? "servers are silent" : "servers answer again",
		       job->rule->is_exact ? "service" : "domain", job->rule->name.text, NULL);
	*known = is_down;
}

/* A failure does not replace an answer that may still serve. */
static void keep_answer(struct sm_job *job, const struct sm_answer *answer)
{
	struct sm_jobs *jobs = job->jobs;
	int64_t now_ns = sm_clock_now_ns();
	struct sm_times times = sm_lifetime_times(answer, job->rule, now_ns);
	const void *record;
	size_t size;

	note_servers(job, answer->kind == SM_ANSWER_FAILURE);
	jobs->counters->failed += answer->kind == SM_ANSWER_FAILURE;
	if (answer->kind == SM_ANSWER_FAILURE &&
	    sm_jobs_settle_for_stale(jobs, job->rule, &job->name, &record, &size) == SM_OK) {
		jobs->counters->stale++;
		set_final_reply(job, SM_FRAME_RECORD, record, size);
		return;
	}
	if (sm_owner_put(jobs->owner, &job->name, answer, &times, job->uid, now_ns, &record, &size) == SM_OK)
		set_final_reply(job, SM_FRAME_RECORD, record, size);
	else
		set_final_reply(job, SM_FRAME_BUSY, NULL, 0);
}

static void finish_job(struct sm_job *job)
{
	const struct sm_answer *answer;

	uv_timer_stop(&job->timer);
	/* the configuration has changed meanwhile: the waiting program should rather look the name up itself */
	if (job->settings->conf->fingerprint == job->jobs->reload->settings->conf->fingerprint &&
	    sm_lookup_status(job->lookup) == SM_OK &&
	    sm_lookup_answer(job->lookup, sm_surroundings_network(job->jobs->around), &answer) == SM_OK)
		keep_answer(job, answer);
	else
		set_final_reply(job, SM_FRAME_BUSY, NULL, 0);
	job->is_finished = true;
	TAILQ_INSERT_TAIL(&job->jobs->finished, job, link);
}

void sm_jobs_leave(struct sm_waiter *waiter)
{
	if (!waiter->job)
		return;
	TAILQ_REMOVE(&waiter->job->waiters, waiter, link);
	waiter->job = NULL;
}

void sm_jobs_flush(struct sm_jobs *jobs)
{
	struct sm_job *job;

	if (sm_owner_commit(jobs->owner) != SM_OK)
		sm_log(SM_LOG_WARNING, "the host map could not be written", NULL);
	while ((job = TAILQ_FIRST(&jobs->finished))) {
		struct sm_waiter *waiter;

		TAILQ_REMOVE(&jobs->finished, job, link);
		while ((waiter = TAILQ_FIRST(&job->waiters))) {
			sm_jobs_leave(waiter);
			waiter->tell(waiter, job->kind, job->body, job->body_size);
		}
		close_job(job);
	}
}

/* ---- the course of a job */

static void step_job(struct sm_job *job);

static void process_job(struct sm_job *job)
{
	struct pollfd fds[SM_ASKER_FDS_MAX];
	size_t n = sm_lookup_fds(job->lookup, fds);
	int64_t now_ns = sm_clock_now_ns();

	if (sm_descriptor_wait(fds, n, 0, &now_ns) == SM_OK)
		sm_lookup_process(job->lookup, fds, n, now_ns);
	step_job(job);
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

		if (!job->is_finished)
			process_job(job);
	}
}

enum sm_status sm_jobs_start(struct sm_jobs *jobs)
{
	TAILQ_INIT(&jobs->finished);
	jobs->sockets_fd = epoll_create1(EPOLL_CLOEXEC);
	if (jobs->sockets_fd < 0 || uv_poll_init(jobs->loop, &jobs->sockets, jobs->sockets_fd) != 0)
		return SM_EXHAUSTED;
	jobs->sockets.data = jobs;
	uv_poll_start(&jobs->sockets, UV_READABLE, on_sockets_ready);
	return SM_OK;
}

void sm_jobs_stop(struct sm_jobs *jobs)
{
	uv_close((uv_handle_t *)&jobs->sockets, NULL);
	close(jobs->sockets_fd);
}

static void on_job_time(uv_timer_t *timer)
{
	step_job(timer->data);
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

static bool has_family(const struct sm_answer *answer, uint8_t family)
{
	for (uint32_t i = 0; i < answer->n_addresses; i++)
		if (answer->addresses[i].family == family)
			return true;
	return false;
}

/* A client that asked for one family does not wait much longer than for that family (RFC 8305): it gets the answer
 * known so far. This answer is not kept, and the job goes on for all other clients. */
static void tell_early(struct sm_job *job, uint8_t family, int64_t now_ns)
{
	static uint8_t record[SM_RECORD_MAX];
	const struct sm_times times = {now_ns, now_ns, now_ns, now_ns};
	const struct sm_answer *answer;
	struct sm_waiter *waiter = TAILQ_FIRST(&job->waiters), *next;
	size_t size;

	if (sm_lookup_answer(job->lookup, sm_surroundings_network(job->jobs->around), &answer) != SM_OK ||
	    !has_family(answer, family) ||
	    sm_record_encode(&job->name, answer, &times, SM_FORMAT, record, sizeof(record), &size) != SM_OK)
		return;
	for (; waiter; waiter = next) {
		next = TAILQ_NEXT(waiter, link);
		if (waiter->families != family)
			continue;
		sm_jobs_leave(waiter);
		waiter->tell(waiter, SM_FRAME_RECORD, record, size);
	}
}

static bool is_awaited(const struct sm_job *job, uint8_t family)
{
	const struct sm_waiter *waiter;

	TAILQ_FOREACH(waiter, &job->waiters, link)
		if (waiter->families == family)
			return true;
	return false;
}

/* Answers the clients that wait for one family if it is time; else returns when to call it again. */
static int64_t serve_family(struct sm_job *job, uint8_t family, int64_t now_ns)
{
	int64_t *settled_ns = &job->settled_ns[family - 1];

	if (!*settled_ns && sm_lookup_is_settled(job->lookup, family))
		*settled_ns = now_ns;
	if (!*settled_ns || !is_awaited(job, family))
		return INT64_MAX;
	if (now_ns < *settled_ns + SM_LOOKUP_GRACE_NS)
		return *settled_ns + SM_LOOKUP_GRACE_NS;
	tell_early(job, family, now_ns);
	return INT64_MAX;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void step_job(struct sm_job *job)
{
	int64_t now_ns = sm_clock_now_ns(), wakes_ns;

	if (sm_lookup_advance(job->lookup, now_ns)) {
		finish_job(job);
		return;
	}
	watch_sockets(job);
	if (!job->has_signed && now_ns >= job->sign_ns)
		sign_of_life(job);
	wakes_ns = sooner(serve_family(job, SM_IPV4, now_ns), serve_family(job, SM_IPV6, now_ns));
	wakes_ns = sooner(wakes_ns, sm_lookup_wakes_ns(job->lookup));
	if (!job->has_signed)
		wakes_ns = sooner(wakes_ns, job->sign_ns);
	uv_update_time(job->jobs->loop);
	uv_timer_start(&job->timer, on_job_time, wakes_ns > now_ns ? (uint64_t)((wakes_ns - now_ns) / SM_NS_PER_MS + 1) : 0, 0);
}

static enum sm_status make_job(struct sm_jobs *jobs, const struct sm_rule *rule, const struct sm_request *request,
                               uid_t uid, struct sm_job **ret)
{
	int64_t now_ns = sm_clock_now_ns();
	SM_SCOPE_FREE struct sm_job *job = calloc(1, sizeof(*job));

	if (!job)
		return SM_EXHAUSTED;
	job->jobs = jobs;
	job->rule = rule;
	job->name = request->name;
	job->uid = uid;
	job->sign_ns = now_ns + SIGN_AFTER_NS;
	TAILQ_INIT(&job->waiters);
	if (sm_lookup_open(&sm_channel_transport, &jobs->reload->settings->conf->rules, rule, &request->name, SM_IPV4_AND_IPV6,
	                   now_ns + rule->deadline_ms * SM_NS_PER_MS / 100 * DEADLINE_PERCENT, &job->lookup) != SM_OK)
		return SM_EXHAUSTED;
	if (!tsearch(&job->name, &jobs->by_name, compare)) {
		sm_lookup_close(job->lookup);
		return SM_EXHAUSTED;
	}
	job->settings = sm_settings_hold(jobs->reload->settings);
	uv_timer_init(jobs->loop, &job->timer);
	job->timer.data = job;
	*ret = job;
	job = NULL;
	return SM_OK;
}

static enum sm_status begin_job(struct sm_jobs *jobs, const struct sm_rule *rule, const struct sm_request *request,
                            uid_t uid, struct sm_job **ret)
{
	enum sm_status status;

	if (!sm_limits_take(jobs->limits, SM_LIMITED_JOBS, uid))
		return SM_FULL;
	status = make_job(jobs, rule, request, uid, ret);
	if (status != SM_OK) {
		sm_limits_give(jobs->limits, SM_LIMITED_JOBS, uid);
		return status;
	}
	jobs->counters->jobs++;
	return SM_OK;
}

static void join_job(struct sm_job *job, const struct sm_request *request, struct sm_waiter *waiter)
{
	if (!waiter)
		return;
	TAILQ_INSERT_TAIL(&job->waiters, waiter, link);
	waiter->job = job;
	waiter->families = request->families;
	job->sign_ns = sooner(job->sign_ns, sm_clock_now_ns() + request->wait_ms * SM_NS_PER_MS / SIGN_SHARE);
	if (job->has_signed && !job->is_finished)
		waiter->tell(waiter, SM_FRAME_WORKING, NULL, 0);
}

enum sm_status sm_jobs_ask(struct sm_jobs *jobs, const struct sm_rule *rule, const struct sm_request *request, uid_t uid,
                           struct sm_waiter *waiter)
{
	struct sm_job *job = find_job(jobs, &request->name);
	enum sm_status status = SM_OK;
	bool is_new = !job;

	if (is_new)
		status = begin_job(jobs, rule, request, uid, &job);
	if (status != SM_OK)
		return status;
	jobs->counters->joined += !is_new && waiter;
	join_job(job, request, waiter);
	if (is_new)
		step_job(job);
	else if (!job->is_finished)
		uv_timer_start(&job->timer, on_job_time, 0, 0); /* perhaps there is an answer already; not sent from here */
	return SM_OK;
}
