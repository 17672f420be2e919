/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a job tells its clients, and keeps: at its end, and before it to those that want one family alone. */
#include "daemon/job.h"

#include "base/clock.h"
#include "base/usdt.h"
#include "daemon/changes.h"
#include "daemon/keeping.h"
#include "daemon/log.h"
#include "mesh/expand.h"
#include "mesh/origin.h"
#include "mesh/record.h"
#include "mesh/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

SM_USDT_DEFINE(job_end);

#define PLAIN_NS (86400 * SM_NS_PER_S)
#define BARREN_NS (10 * SM_NS_PER_S)

static bool has_family(const struct sm_answer *answer, uint8_t families)
{
	for (uint32_t i = 0; i < answer->n_addresses; i++)
		if (answer->addresses[i].family & families)
			return true;
	return false;
}

/* ---- the end */

size_t sm_job_failure(const struct sm_name *name, void *ret, size_t size)
{
	const struct sm_answer answer = {.kind = SM_ANSWER_FAILURE};
	int64_t now_ns = sm_clock_now_ns();
	const struct sm_times times = {now_ns, now_ns, now_ns, now_ns, 0};
	size_t used;

	return sm_record_encode(name, &answer, &times, SM_FORMAT, ret, size, &used) == SM_OK ? used : 0;
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

void sm_job_settle(struct sm_job *job, enum sm_frame_kind kind, const void *body, size_t size)
{
	set_final_reply(job, kind, body, size);
	job->is_settled = true;
}

void sm_job_settle_in_vain(struct sm_job *job)
{
	uint8_t failure[512];
	const void *record = failure;
	size_t size;

	if (sm_keeping_old(job->jobs->owner, job->rule, &job->name, &record, &size) == SM_OK)
		sm_counters_note_stale(job->jobs->counters, record, size, sm_clock_now_ns());
	else
		size = sm_job_failure(&job->name, failure, sizeof(failure));
	job->jobs->counters->hopeless += record == failure;
	sm_job_settle(job, SM_FRAME_RECORD, record, size);
}

/* Said once: the record says that it has been. */
static void note_cut(struct sm_job *job, const struct sm_answer *answer, bool was_cut)
{
	char left_out[8];

	job->jobs->counters->cut++;
	if (was_cut)
		return;
	if (answer->is_metadata_cut)
		sm_log_rarely(SM_LOG_WARNING, "a target has too much metadata: some pairs are left out", "name", job->name.text,
		              NULL);
	if (answer->n_cut == 0 && !answer->cut_families)
		return;
	snprintf(left_out, sizeof(left_out), "%u", answer->n_cut);
	sm_log_rarely(SM_LOG_WARNING, "a service is too large: some targets or addresses are left out", "name", job->name.text,
	              "targets", left_out, NULL);
}

/* Where a TTL of nothing makes each second a lifetime, the other family is not asked for in vain each second. */
static void note_nature(struct sm_job *job, const struct sm_answer *answer)
{
	bool is_plain = sm_answer_is_plain(answer);

	sm_memo_set(&job->jobs->plain, &job->name, is_plain ? job->answered_ns + PLAIN_NS : 0);
	if (job->is_behind && !has_family(answer, job->behind_families))
		sm_memo_set(&job->jobs->barren, &job->name, job->answered_ns + BARREN_NS);
}

/* What has become of a job. */
struct outcome {
	const char *answer;
	int64_t took_ns;
	uid_t uid;
	pid_t pid;
	uint16_t origin_size; /* 0: it is not known */
	struct sm_name name;
	uint8_t origin[SM_ORIGIN_MAX];
};
_Static_assert(sizeof(struct outcome) <= SM_LOG_WHAT_MAX, "an outcome can be kept");

static void spell_id(struct sm_log_pairs *pairs, const char *key, bool is_known, uint32_t id)
{
	if (is_known)
		sm_log_spell(pairs, key, "%u", id);
	else
		sm_log_spell(pairs, key, "-");
}

static void spell_outcome(const void *what, struct sm_log_pairs *ret)
{
	const struct outcome *outcome = what;
	char server[SM_TEXT_ENDPOINT_MAX];

	sm_text_origin(outcome->origin, outcome->origin_size, server);
	sm_log_spell(ret, "name", "%s", outcome->name.text);
	sm_log_spell(ret, "answer", "%s", outcome->answer);
	sm_log_spell(ret, "server", "%s", server);
	sm_log_spell(ret, "took_ms", "%.1f", (double)outcome->took_ns / SM_NS_PER_MS);
	spell_id(ret, "uid", outcome->uid != SM_LEDGER_NOBODY, outcome->uid);
	spell_id(ret, "pid", outcome->pid > 0, (uint32_t)outcome->pid);
}

/* For those who follow. */
static void tell_outcome(const struct sm_job *job, const struct sm_answer *answer, bool is_old)
{
	static const char *const words[] = {
		[SM_ANSWER_ADDRESSES] = "addresses", [SM_ANSWER_NO_NAME] = "no-name",
		[SM_ANSWER_NO_DATA] = "no-data", [SM_ANSWER_FAILURE] = "failure",
	};
	const char *event = job->is_behind ? "a name is completed" : job->is_renewal ? "a name is renewed" : "a name is resolved";
	struct outcome is;

	is.answer = is_old ? "old" : words[answer->kind];
	is.took_ns = sm_clock_now_ns() - job->began_ns;
	is.uid = job->peer.uid;
	is.pid = job->peer.pid;
	is.name = job->name;
	is.origin_size = answer->origin && answer->origin_size <= sizeof(is.origin) ? answer->origin_size : 0;
	if (is.origin_size > 0)
		memcpy(is.origin, answer->origin, is.origin_size);
	SM_USDT_3(job_end, job->name.text, answer->kind, is.took_ns);
	sm_log_matter(SM_LOG_DEBUG, event, &(struct sm_log_matter){spell_outcome, &is, sizeof(is)});
}

static void keep_answer(struct sm_job *job, struct sm_answer *answer)
{
	struct sm_counters *counters = job->jobs->counters;
	const struct sm_job_answer of = {
		.rule = job->rule,
		.name = &job->name,
		.answer = answer,
		.answered_ns = job->answered_ns,
		.uid = job->peer.account,
		.is_bad = sm_lookup_was_answered_badly(job->lookup),
		.is_outdated = sm_shared_is_outdated(job->jobs->shared, job),
	};
	bool is_cut = sm_answer_is_cut(answer);
	bool was_cut = is_cut && sm_keeping_marks(job->jobs->owner, &job->name).is_cut;
	struct sm_kept_answer kept;

	sm_targets_mark(job->jobs->targets, job->rule, &job->name, answer);
	counters->changed += sm_changes_note(job->jobs->owner, &job->name, answer);
	counters->answers[answer->kind]++;
	sm_histogram_add(&counters->job_times, sm_clock_now_ns() - job->began_ns);
	counters->failed += answer->kind == SM_ANSWER_FAILURE;
	if (sm_keeping_answer(job->jobs->owner, &of, &kept) != SM_OK) {
		set_final_reply(job, SM_FRAME_BUSY, NULL, 0);
		return;
	}
	if (answer->kind == SM_ANSWER_FAILURE)
		sm_renewals_fail(&job->jobs->renewals, &job->name, of.is_bad, sm_clock_now_ns());
	else
		sm_renewals_succeed(&job->jobs->renewals, &job->name);
	if (kept.is_old)
		sm_counters_note_stale(counters, kept.record, kept.size, job->answered_ns);
	tell_outcome(job, answer, kept.is_old);
	if (is_cut)
		note_cut(job, answer, was_cut);
	if (answer->kind == SM_ANSWER_ADDRESSES) {
		job->is_complete = true;
		note_nature(job, answer);
	}
	set_final_reply(job, SM_FRAME_RECORD, kept.record, kept.size);
	job->may_be_shared = !kept.is_old && !sm_answer_is_makeshift(answer);
}

/* A newer answer of the name has come while this job asked for the other family of an older one. */
static bool is_superseded(const struct sm_job *job)
{
	struct sm_record_head head;
	const void *bytes;
	size_t size;

	return job->is_behind && (sm_owner_get(job->jobs->owner, &job->name, &bytes, &size) != SM_OK ||
	                          sm_record_head(bytes, size, &head) != SM_OK || head.times.made_ns != job->answered_ns);
}

bool sm_job_is_current(const struct sm_job *job)
{
	const struct sm_rule *rule = sm_reload_rule(job->jobs->reload, &job->name);

	return rule && rule->key == job->rule->key;
}

void sm_job_conclude(struct sm_job *job)
{
	struct sm_answer *answer;

	if (job->is_settled)
		return;
	if (!job->answered_ns)
		job->answered_ns = sm_clock_now_ns();
	/* the configuration has changed meanwhile: the waiting program should rather look the name up itself */
	if (sm_job_is_current(job) && !is_superseded(job) &&
	    sm_lookup_status(job->lookup) == SM_OK && sm_lookup_answer(job->lookup, &answer) == SM_OK)
		keep_answer(job, answer);
	else
		set_final_reply(job, SM_FRAME_BUSY, NULL, 0);
}

/* ---- before the end */

void sm_job_tell(struct sm_job *job, const void *record, size_t size)
{
	struct sm_waiter *waiter;

	while ((waiter = TAILQ_FIRST(&job->waiters))) {
		sm_jobs_leave(waiter);
		waiter->tell(waiter, SM_FRAME_RECORD, record, size);
	}
}

void sm_job_tell_old(struct sm_job *job)
{
	const void *record;
	size_t size;

	if (TAILQ_EMPTY(&job->waiters) ||
	    sm_keeping_old(job->jobs->owner, job->rule, &job->name, &record, &size) != SM_OK)
		return;
	sm_counters_note_stale(job->jobs->counters, record, size, sm_clock_now_ns());
	sm_job_tell(job, record, size);
}

/* A client that asked for one family does not wait much longer than for that family (RFC 8305): it gets the answer
 * known so far. This answer is not kept, and the job goes on for all other clients. */
static void tell_early(struct sm_job *job, uint8_t family, int64_t now_ns)
{
	static uint8_t record[SM_RECORD_MAX];
	const struct sm_times times = {now_ns, now_ns, now_ns, now_ns, 0};
	struct sm_answer *answer;
	struct sm_waiter *waiter = TAILQ_FIRST(&job->waiters), *next;
	size_t size;

	if (sm_lookup_answer(job->lookup, &answer) != SM_OK ||
	    !has_family(answer, family))
		return;
	sm_targets_mark(job->jobs->targets, job->rule, &job->name, answer);
	if (sm_record_encode(&job->name, answer, &times, SM_FORMAT, record, sizeof(record), &size) != SM_OK)
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

int64_t sm_job_serve_early(struct sm_job *job, int64_t now_ns)
{
	return sm_sooner(serve_family(job, SM_IPV4, now_ns), serve_family(job, SM_IPV6, now_ns));
}
