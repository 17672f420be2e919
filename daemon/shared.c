/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/shared.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/scope.h"
#include "daemon/job.h"
#include "daemon/log.h"
#include "daemon/values.h"
#include "mesh/judge.h"
#include "resolve/outlook.h"

#include <stdio.h>
#include <string.h>

#define HOUR_MS (3600 * 1000LL)

/* ---- what is read */

/* Makes it this host's own, and keeps it. */
static enum sm_status keep(struct sm_shared *shared, struct sm_job *job, struct sm_answer *answer, const struct sm_times *times,
                           const void **ret, size_t *ret_size)
{
	sm_surroundings_rank(shared->around, answer);
	sm_judge_if_needed(answer, job->rule);
	sm_targets_mark(shared->targets, job->rule, &job->name, answer);
	return sm_owner_put(shared->owner, &job->name, answer, times, job->peer.account, sm_clock_now_ns(), ret, ret_size);
}

/* Something newer is kept, though perhaps past its time; a failure says nothing. */
static bool has_newer(const struct sm_shared *shared, const struct sm_job *job, const struct sm_times *times)
{
	struct sm_record_head head;
	const void *record;
	size_t size;

	return sm_owner_get(shared->owner, &job->name, &record, &size) == SM_OK && sm_record_head(record, size, &head) == SM_OK &&
	       head.kind != SM_ANSWER_FAILURE && head.times.made_ns >= times->made_ns;
}

/* It is kept, where nothing better is, and given where DNS fails; at once where all servers are known to be down. */
static void take_old(struct sm_shared *shared, struct sm_job *job, struct sm_answer *answer, const struct sm_times *times)
{
	const void *record;
	size_t size;

	if (has_newer(shared, job, times) || keep(shared, job, answer, times, &record, &size) != SM_OK)
		return;
	shared->n_hits++;
	if (sm_outlook_is_down(&shared->upstream->servers, job->rule, sm_clock_now_ns()))
		sm_job_tell(job, record, size);
}

/* Where DNS is asked already, clients get this, and what DNS says replaces it. */
static void take_fresh(struct sm_shared *shared, struct sm_job *job, struct sm_answer *answer, const struct sm_times *times)
{
	const void *record;
	size_t size;

	if (keep(shared, job, answer, times, &record, &size) != SM_OK)
		return;
	shared->n_hits++;
	if (job->sharing.course.state == SM_COURSE_DONE)
		sm_job_settle(job, SM_FRAME_RECORD, record, size);
	else
		sm_job_tell(job, record, size);
}

static struct sm_job *job_of(struct sm_store_waiter *waiter)
{
	return (struct sm_job *)((char *)waiter - offsetof(struct sm_job, sharing.waiter));
}

static void on_value(struct sm_store_waiter *waiter, const void *bytes, size_t size, int64_t left_ms)
{
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	struct sm_job *job = job_of(waiter);
	struct sm_shared *shared = job->jobs->shared;
	struct sm_sharing *sharing = &job->sharing;
	enum sm_course_found found = SM_COURSE_NOTHING;
	struct sm_answer answer;
	struct sm_times times;

	if (sm_job_is_current(job))
		found = sm_values_read(shared, job, sharing->keys[sharing->n_keys - sharing->n_expected], bytes, size, left_ms,
		                       &arena, &answer, &times);
	sharing->n_expected--;
	if (found > sharing->best)
		sharing->best = found;
	if (sharing->n_expected == 0 || found == SM_COURSE_FRESH)
		sm_course_heard(&sharing->course, sharing->best);
	if (found == SM_COURSE_OLD)
		take_old(shared, job, &answer, &times);
	else if (found == SM_COURSE_FRESH && !job->is_settled)
		take_fresh(shared, job, &answer, &times);
	if (found == SM_COURSE_FRESH)
		sm_store_forget(&shared->store, waiter);
	sm_job_step(job);
}

static void on_claimed(struct sm_store_waiter *waiter, bool is_ours)
{
	struct sm_job *job = job_of(waiter);

	sm_course_claimed(&job->sharing.course, is_ours, sm_clock_now_ns(), sm_random_step(&job->jobs->shared->seed));
	sm_job_step(job);
}

static void on_lost(struct sm_store_waiter *waiter)
{
	struct sm_job *job = job_of(waiter);

	sm_course_fail(&job->sharing.course);
	sm_job_step(job);
}

/* ---- the course of a job */

static uint8_t families_of(struct sm_shared *shared, const struct sm_rule *rule)
{
	const struct sm_network *network = rule->family == SM_FAMILY_AUTO ? sm_surroundings_network(shared->around) : NULL;
	uint8_t families = sm_rule_families(rule);

	return network ? families & sm_network_families(network) : families;
}

/* Under which the name is kept, one of each of our keys. */
static enum sm_status set_keys(struct sm_shared *shared, struct sm_job *job)
{
	struct sm_sharing *sharing = &job->sharing;
	uint8_t subject[SM_SUBJECT_MAX];
	size_t size = sm_value_subject(&job->name, job->rule, families_of(shared, job->rule), shared->view, subject);
	uint32_t n = sm_seal_n_keys(shared->seal);

	for (uint32_t i = 0; i < n; i++) {
		char name[SM_SEAL_NAME_SIZE + 1];

		if (sm_seal_name(shared->seal, i, subject, size, name) != SM_OK)
			return SM_EXHAUSTED;
		snprintf(sharing->keys[i], sizeof(sharing->keys[i]), "%s:%s", shared->conf.namespace, name);
	}
	sharing->n_keys = n;
	return SM_OK;
}

static void read_all(struct sm_shared *shared, struct sm_job *job)
{
	struct sm_sharing *sharing = &job->sharing;

	sharing->is_read = true;
	sharing->best = SM_COURSE_NOTHING;
	sharing->n_expected = sharing->n_keys;
	for (uint32_t i = 0; i < sharing->n_keys; i++) {
		if (sm_store_read(&shared->store, sharing->keys[i], &sharing->waiter) == SM_OK)
			continue;
		sm_store_forget(&shared->store, &sharing->waiter);
		sm_course_fail(&sharing->course);
		return;
	}
}

/* A flush begins everything anew, claims included. */
static void claim(struct sm_shared *shared, struct sm_job *job)
{
	struct sm_sharing *sharing = &job->sharing;
	char key[SM_STORE_KEY_MAX + 24];

	snprintf(key, sizeof(key), "%s:%llx", sharing->keys[0],
	         (unsigned long long)sm_flushes_recent(&shared->flushes, &job->name, sm_values_wall_ms()));
	if (sm_store_claim(&shared->store, key, SM_COURSE_CLAIM_MS, &sharing->waiter) != SM_OK)
		sm_course_fail(&sharing->course);
}

/* Where DNS is down, a tier that is slow is better than nothing. */
static enum sm_breaker_way way_of(struct sm_shared *shared, const struct sm_job *job, int64_t now_ns)
{
	if (shared->store.state == SM_STORE_READY && sm_outlook_is_down(&shared->upstream->servers, job->rule, now_ns))
		return SM_BREAKER_WAIT;
	return sm_store_way(&shared->store, now_ns);
}

static struct sm_course course_of(struct sm_shared *shared, const struct sm_job *job, bool is_patient, int64_t now_ns)
{
	/* where DNS cannot be asked, the store has all the time */
	uint32_t waits_ms = is_patient || job->sharing.may_not_ask ? shared->conf.timeout_ms : shared->conf.head_start_ms;
	bool may_claim = !shared->conf.is_read_only && !job->sharing.is_large;

	switch (way_of(shared, job, now_ns)) {
	case SM_BREAKER_WAIT:
		return sm_course_begin(is_patient, may_claim, waits_ms * SM_NS_PER_MS, now_ns);
	case SM_BREAKER_PROBE:
		return sm_course_begin(false, false, 0, now_ns);
	case SM_BREAKER_PASS:
		break;
	}
	return sm_course_without();
}

/* Anything fresh is newer than nothing, and than what is old, or has been flushed. */
static void note_renewed(struct sm_shared *shared, struct sm_job *job, int64_t now_ns)
{
	struct sm_record_head head;
	const void *record;
	size_t size = 0;

	job->sharing.renewed = (struct sm_times){.made_ns = INT64_MIN};
	if (sm_owner_get(shared->owner, &job->name, &record, &size) == SM_OK && sm_record_head(record, size, &head) == SM_OK &&
	    now_ns < head.times.expires_ns)
		job->sharing.renewed = head.times;
	job->sharing.is_large = job->sharing.renewed.made_ns != INT64_MIN && size > SM_VALUE_MAX / 2;
}

/* A job that no client waits for, because what is kept is still fresh, or has just been flushed. Past its TTL it is asked for in
 * order to see whether the servers are back, and that each host finds out for itself. */
static bool is_renewal(const struct sm_job *job, const struct sm_waiter *waiter)
{
	return waiter ? waiter->is_patient : job->sharing.renewed.made_ns != INT64_MIN;
}

void sm_shared_begin(struct sm_shared *shared, struct sm_job *job, const struct sm_waiter *waiter)
{
	struct sm_sharing *sharing = &job->sharing;
	int64_t now_ns = sm_clock_now_ns();

	sharing->waiter = (struct sm_store_waiter){.on_value = on_value, .on_done = on_claimed, .on_lost = on_lost};
	sharing->course = sm_course_without();
	sharing->flush = sm_flushes_covering(&shared->flushes, &job->name);
	if (!shared->seal || set_keys(shared, job) != SM_OK)
		return;
	note_renewed(shared, job, now_ns);
	sharing->is_patient = is_renewal(job, waiter);
	sharing->course = course_of(shared, job, sharing->is_patient, now_ns);
	if (sharing->course.state == SM_COURSE_READ)
		read_all(shared, job);
}

void sm_shared_hurry(struct sm_shared *shared, struct sm_job *job)
{
	sm_course_hurry(&job->sharing.course, shared->conf.head_start_ms * SM_NS_PER_MS, sm_clock_now_ns());
}

/* Settles the job where DNS cannot be asked either. */
static void turn_to_dns(struct sm_shared *shared, struct sm_job *job, int64_t now_ns)
{
	struct sm_sharing *sharing = &job->sharing;

	if (sharing->may_not_ask && !sm_upstream_may_scout(shared->upstream, job->rule, job->peer.account, now_ns))
		sm_job_settle_in_vain(job);
	if (sharing->is_patient)
		sm_lookup_begin_again(job->lookup, sm_job_deadline_ns(job->rule));
	sharing->may_not_ask = sharing->is_patient = false;
}

bool sm_shared_lets_ask(struct sm_shared *shared, struct sm_job *job, int64_t now_ns)
{
	struct sm_sharing *sharing = &job->sharing;
	enum sm_course_state before = sharing->course.state;

	sm_course_wake(&sharing->course, now_ns);
	if (before == SM_COURSE_PAUSE && sharing->course.state == SM_COURSE_READ)
		read_all(shared, job);
	if (sharing->course.state == SM_COURSE_CLAIM && sharing->waiter.n_under_way == 0)
		claim(shared, job);
	if (sharing->course.state < SM_COURSE_ASK)
		return false;
	if (sharing->course.state == SM_COURSE_LEFT && !job->is_settled)
		sm_job_settle(job, SM_FRAME_BUSY, NULL, 0);
	if (sharing->course.state == SM_COURSE_ASK && !job->is_settled)
		turn_to_dns(shared, job, now_ns);
	return true;
}

void sm_shared_leave(struct sm_shared *shared, struct sm_job *job)
{
	sm_store_forget(&shared->store, &job->sharing.waiter);
}

bool sm_shared_is_outdated(const struct sm_shared *shared, const struct sm_job *job)
{
	return sm_flushes_covering(&shared->flushes, &job->name) > job->sharing.flush;
}

bool sm_shared_may_know(const struct sm_shared *shared)
{
	return shared->store.state == SM_STORE_READY;
}

/* ---- flushes */

/* The longest that an answer may be kept in any host, and what a flush is remembered for by those that did not hear it. */
static int64_t longest_ms(const struct sm_shared *shared, bool is_stale)
{
	const struct sm_rules *rules = &shared->reload->settings->conf->rules;
	int64_t longest = HOUR_MS;

	for (uint32_t i = 0; i < rules->n_rules; i++) {
		int64_t ms = (int64_t)rules->rules[i].max_ttl_ms + (is_stale ? rules->rules[i].stale_ms : 0);

		longest = ms > longest ? ms : longest;
	}
	return longest;
}

static enum sm_flush_taken take(struct sm_shared *shared, const struct sm_flush *flush)
{
	return sm_flushes_take(&shared->flushes, flush, sm_values_wall_ms(), longest_ms(shared, false), longest_ms(shared, true));
}

struct sm_flush sm_shared_flush(struct sm_shared *shared, const char *pattern)
{
	struct sm_flush flush = sm_flushes_make(&shared->flushes, pattern, sm_values_wall_ms(), sm_random_step(&shared->seed));
	enum sm_flush_taken taken = take(shared, &flush);

	(void)taken; /* it is of this moment, and has an id of its own */
	return flush;
}

enum sm_status sm_shared_tell(struct sm_shared *shared, const struct sm_flush *flush, struct sm_store_waiter *waiter)
{
	uint8_t text[SM_FLUSH_MESSAGE_MAX], sealed[SM_FLUSH_MESSAGE_MAX + SM_SEAL_OVERHEAD], salt[SM_SEAL_SALT_SIZE];
	size_t size = sm_flush_encode(flush, text);

	if (!shared->seal)
		return SM_FULL;
	if (!sm_random_secret(salt, sizeof(salt)) ||
	    sm_seal_close(shared->seal, shared->store.messages, salt, text, size, sealed) != SM_OK)
		return SM_FULL;
	return sm_store_tell(&shared->store, sealed, size + SM_SEAL_OVERHEAD, (uint64_t)longest_ms(shared, false), waiter);
}

static void on_message(void *context, enum sm_store_message which, const void *bytes, size_t size)
{
	struct sm_shared *shared = context;
	enum sm_flush_taken taken;
	uint8_t text[SM_FLUSH_MESSAGE_MAX + SM_SEAL_OVERHEAD];
	struct sm_flush flush;
	size_t text_size;

	if (size > sizeof(text) || sm_seal_open(shared->seal, shared->store.messages, bytes, size, text, &text_size) != SM_OK ||
	    sm_flush_decode(text, text_size, &flush) != SM_OK) {
		shared->n_refused++;
		return;
	}
	taken = take(shared, &flush);
	if (which == SM_STORE_OLDEST && taken == SM_FLUSH_TAKEN)
		shared->oldest = flush;
	switch (taken) {
	case SM_FLUSH_AHEAD:
		sm_values_note_ahead(shared);
		/* fall through */
	case SM_FLUSH_TAKEN:
		sm_log_rarely(SM_LOG_INFO, "flushed by another host", "names", flush.pattern, NULL);
		shared->follow(shared->flush_work, &flush);
		break;
	case SM_FLUSH_KNOWN:
		break;
	case SM_FLUSH_TOO_OLD:
		if (which != SM_STORE_PUBLISHED)
			break; /* newer ones keep it in the list */
		shared->n_late_flushes++;
		sm_log_rarely(SM_LOG_WARNING, "a flush is refused for its age: it is repeated, or a clock is wrong", "names",
		       flush.pattern, NULL);
		break;
	}
}

/* The list is full, and this host has not known the oldest flush in it: those before it may be of any name. */
static void on_ready(void *context, bool is_full)
{
	struct sm_shared *shared = context;
	struct sm_job *job, *next;

	if (is_full && shared->oldest.id) {
		sm_flushes_widen(&shared->flushes, &shared->oldest);
		strcpy(shared->oldest.pattern, "*");
		shared->follow(shared->flush_work, &shared->oldest);
	}
	shared->oldest.id = 0;
	/* a job that began before may hear something now */
	for (job = TAILQ_FIRST(&shared->jobs->running); job; job = next) {
		next = TAILQ_NEXT(job, link);
		if (job->sharing.n_keys > 0 && !job->sharing.is_read && !job->is_settled)
			read_all(shared, job);
	}
}

static const struct sm_store_events events = {.on_message = on_message, .on_ready = on_ready};

/* ---- the configuration */

static void close_tier(struct sm_shared *shared)
{
	sm_store_close(&shared->store);
	sm_seal_end(shared->seal);
	shared->seal = NULL;
}

static bool open_tier(struct sm_shared *shared)
{
	const struct sm_secrets *secrets = &shared->secrets;

	if (sm_seal_begin(secrets->keys, shared->conf.n_keys, &shared->seal) != SM_OK ||
	    sm_store_open(&shared->store, &shared->conf, secrets->password) != SM_OK) {
		sm_log(SM_LOG_ERROR, "answers are not shared: libcrypto, or memory, is lacking", NULL);
		close_tier(shared);
		return false;
	}
	sm_seal_identity(shared->seal, shared->identity);
	return true;
}

static bool is_same_road(const struct sm_road *a, const struct sm_road *b)
{
	if (a->path[0] != '\0' || b->path[0] != '\0')
		return strcmp(a->path, b->path) == 0;
	return sm_server_is_at(&a->server, &b->server) && strcmp(a->server.zone, b->server.zone) == 0;
}

static bool is_same_conf(const struct sm_shared_conf *a, const struct sm_shared_conf *b)
{
	if (a->n_roads != b->n_roads || a->n_keys != b->n_keys || a->is_read_only != b->is_read_only ||
	    a->head_start_ms != b->head_start_ms || a->timeout_ms != b->timeout_ms || strcmp(a->username, b->username) != 0 ||
	    strcmp(a->namespace, b->namespace) != 0)
		return false;
	for (uint32_t i = 0; i < a->n_roads; i++)
		if (!is_same_road(&a->roads[i], &b->roads[i]))
			return false;
	return true;
}

static bool is_same(const struct sm_shared *shared, const struct sm_shared_conf *conf, const struct sm_secrets *secrets)
{
	return shared->seal && is_same_conf(&shared->conf, conf) &&
	       memcmp(&shared->secrets, secrets, sizeof(*secrets)) == 0;
}

void sm_shared_follow(struct sm_shared *shared)
{
	const struct sm_conf *all = shared->reload->settings->conf;
	const struct sm_shared_conf *conf = &all->host.shared;
	struct sm_secrets secrets = {.password = ""};

	sm_value_view(&all->rules, conf->view, shared->view);
	if (conf->n_roads == 0 || !sm_secrets_read(conf, &secrets)) {
		close_tier(shared);
	} else if (!is_same(shared, conf, &secrets)) {
		close_tier(shared);
		shared->conf = *conf;
		shared->secrets = secrets;
		if (open_tier(shared))
			sm_log(SM_LOG_INFO, "answers are shared", "key", shared->identity, "view", shared->view, NULL);
	}
	sm_seal_wipe(&secrets, sizeof(secrets));
}

void sm_shared_start(struct sm_shared *shared)
{
	shared->store.events = &events;
	shared->store.context = shared;
	sm_random_fill(&shared->seed, sizeof(shared->seed));
	sm_store_start(&shared->store);
	sm_shared_follow(shared);
}

void sm_shared_stop(struct sm_shared *shared)
{
	close_tier(shared);
	sm_store_stop(&shared->store);
	sm_seal_wipe(&shared->secrets, sizeof(shared->secrets));
}
