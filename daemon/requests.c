/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A request is answered at once, from the cache, or waits for a job; where something past its TTL is kept, no longer than
 * `stale_after`. */
#include "daemon/requests.h"

#include "base/clock.h"
#include "base/scope.h"
#include "daemon/job.h"
#include "daemon/log.h"
#include "daemon/older.h"
#include "daemon/control.h"
#include "resolve/outlook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MAX_MS 120000 /* beyond every deadline */
#define SPARE_MS 1000
#define SIGN_AFTER_MS 100 /* as daemon/jobs.c signs */
#define GONE_AFTER_NS (2 * SM_NS_PER_MS) /* a client that came just now is not looked for */
#define TURNS_NS (SM_NS_PER_MS / 4) /* of jobs that begin, in one turn of the loop */
#define HINTS_A_SECOND 1000 /* of one account */

/* What a client waits for. */
struct sm_wanted {
	struct sm_waiter waiter;
	struct sm_requests *requests;
	struct sm_client *client;
	struct sm_settings *settings; /* that the rule belongs to */
	const struct sm_rule *rule;
	bool may_be_stale, is_scout;
	struct sm_turn turn; /* until its job has begun */
	int64_t asked_ns;
	bool has_signed; /* of its turn, which is late */
};

static void free_wanted(struct sm_wanted *wanted)
{
	wanted->client->wanted = NULL;
	sm_turns_leave(&wanted->requests->turns, &wanted->turn);
	sm_jobs_leave(&wanted->waiter);
	sm_settings_release(wanted->settings);
	free(wanted);
}

static void on_client_close(void *context, struct sm_client *client)
{
	struct sm_requests *requests = context;

	sm_targets_forget(requests->targets, client);
	sm_flush_forget(requests->flush_work, client);
	sm_monitor_forget(requests->control->monitor, client);
	if (client->wanted)
		free_wanted(client->wanted);
}

/* ---- replies */

static void refuse(struct sm_requests *requests, struct sm_client *client)
{
	char uid[24], pid[24];

	requests->counters->busy++;
	snprintf(uid, sizeof(uid), "%u", client->peer.uid);
	snprintf(pid, sizeof(pid), "%d", client->peer.pid);
	sm_log_rarely(SM_LOG_DEBUG, "busy", "name", client->request.name.text, "uid", uid, "pid", pid, NULL);
	sm_client_reply(client, SM_FRAME_BUSY, NULL, 0);
}

/* A plugin that was loaded before an upgrade asks in the format before, and gets a record of that. */
static void reply_record(struct sm_client *client, const void *record, size_t size)
{
	SM_SCOPE_FREE void *converted = NULL;

	if (client->request.format == SM_FORMAT_1) {
		if (sm_older_record(&client->request.name, record, size, &converted, &size) != SM_OK) {
			sm_client_reply(client, SM_FRAME_BUSY, NULL, 0);
			return;
		}
		record = converted;
	}
	sm_client_reply(client, SM_FRAME_RECORD, record, size);
}

static void on_told(struct sm_waiter *waiter, enum sm_frame_kind kind, const void *body, size_t size)
{
	struct sm_client *client = ((struct sm_wanted *)waiter)->client;

	_Static_assert(offsetof(struct sm_wanted, waiter) == 0, "the waiter is what is wanted");
	if (kind == SM_FRAME_WORKING)
		sm_client_sign(client);
	else if (kind == SM_FRAME_RECORD)
		reply_record(client, body, size);
	else
		sm_client_reply(client, kind, body, size);
}

/* No server can tell at the moment, and this is known without asking. It is not kept: the next client may be luckier. */
static void reply_failure(struct sm_requests *requests, struct sm_client *client)
{
	uint8_t record[512];
	size_t size = sm_job_failure(&client->request.name, record, sizeof(record));

	requests->counters->hopeless++;
	if (size > 0)
		reply_record(client, record, size);
	else
		sm_client_reply(client, SM_FRAME_BUSY, NULL, 0);
}

/* ---- waiting */

/* After this time the client has surely gone. */
static uint32_t patience_ms(const struct sm_client *client)
{
	return (client->request.wait_ms < WAIT_MAX_MS ? client->request.wait_ms : WAIT_MAX_MS) + SPARE_MS;
}

/* How long until something past its TTL is given, if there is any; else until the client is refused: a third of its time must be
 * left to it, so that it can ask DNS itself. */
static int64_t left_ms(const struct sm_wanted *wanted)
{
	int64_t spent_ms = (sm_clock_now_ns() - wanted->asked_ns) / SM_NS_PER_MS;
	int64_t most_ms = wanted->client->request.wait_ms * 2LL / 3;

	return (wanted->may_be_stale ? sm_sooner(most_ms, wanted->rule->stale_after_ms) : most_ms) - spent_ms;
}

/* The job has not begun: the turn is late, or the account has no job left. */
static void go_on_waiting(struct sm_client *client, struct sm_wanted *wanted)
{
	int64_t ms = left_ms(wanted);

	if (sm_listener_is_gone(client->fd)) {
		sm_client_close(client);
		return;
	}
	if (!wanted->has_signed)
		sm_client_sign(client);
	wanted->has_signed = true;
	sm_client_wait(client, ms > 0 ? (uint32_t)ms : 1);
}

/* Its time for what is past its TTL has come, or, without such, all of its time. */
static void end_waiting(struct sm_requests *requests, struct sm_client *client, struct sm_wanted *wanted)
{
	bool has_begun = !wanted->turn.queue;
	enum sm_status status = SM_MISS;
	const void *record;
	size_t size;

	if (wanted->may_be_stale)
		status = sm_jobs_settle_for_stale(requests->jobs, wanted->rule, &client->request, &record, &size);
	if (!client->wanted)
		return; /* the job had the new answer, and has told the client; `wanted` is gone */
	if (status == SM_OK) {
		sm_counters_note_stale(requests->counters, record, size, sm_clock_now_ns());
		reply_record(client, record, size);
	} else if (wanted->may_be_stale) {
		wanted->may_be_stale = false; /* the stale record is gone; only the job's reply is left */
		sm_client_wait(client, has_begun ? patience_ms(client) : 1);
	} else if (has_begun) {
		sm_client_close(client);
	} else {
		refuse(requests, client);
	}
}

static void on_client_time(void *context, struct sm_client *client)
{
	struct sm_requests *requests = context;
	struct sm_wanted *wanted = client->wanted;

	if (client->request.kind == SM_FRAME_FLUSH)
		sm_flush_hurry(requests->flush_work, client);
	else if (client->is_asking)
		sm_targets_list_now(requests->targets, client);
	else if (!wanted)
		sm_client_close(client);
	else if (wanted->turn.queue && left_ms(wanted) > 0)
		go_on_waiting(client, wanted);
	else
		end_waiting(requests, client, wanted);
}

/* SM_FULL: no job is left for it. */
static enum sm_status begin(struct sm_requests *requests, struct sm_wanted *wanted)
{
	struct sm_client *client = wanted->client;
	uint32_t ms = patience_ms(client);
	/* a job that is told at once waits for the next turn of the loop: it does not free the client in here */
	enum sm_status status = sm_jobs_ask(requests->jobs, wanted->rule, &client->request, client->peer, wanted->is_scout,
	                                    &wanted->waiter);

	if (status == SM_FULL)
		return SM_FULL;
	sm_turns_leave(&requests->turns, &wanted->turn);
	if (wanted->may_be_stale && wanted->rule->stale_after_ms < ms)
		ms = wanted->rule->stale_after_ms;
	if (status == SM_OK)
		sm_client_wait(client, ms);
	else if (status == SM_SILENT)
		reply_failure(requests, client);
	else
		refuse(requests, client);
	return SM_OK;
}

/* When the client has to hear something, if its turn has not come: it assumes after a third of its time that nobody is there. */
static uint32_t first_sign_ms(const struct sm_wanted *wanted)
{
	uint32_t ms = wanted->client->request.wait_ms / 6;

	return ms < SIGN_AFTER_MS ? ms : SIGN_AFTER_MS;
}

/* `wanted` belongs to the client from here on. */
static void wait_for_job(struct sm_requests *requests, struct sm_wanted *wanted)
{
	struct sm_client *client = wanted->client;

	client->wanted = wanted;
	wanted->asked_ns = sm_clock_now_ns();
	if (sm_jobs_has(requests->jobs, &client->request) && begin(requests, wanted) == SM_OK)
		return;
	if (sm_turns_wait(&requests->turns, &wanted->turn, client->peer.account,
	                  sm_limits_used(requests->jobs->limits, SM_LIMITED_JOBS, client->peer.account) == 0) == SM_OK)
		sm_client_wait(client, first_sign_ms(wanted));
	else
		refuse(requests, client);
}

/* Who has gone while he waited needs no answer. */
static bool take_turn(void *context, struct sm_turn *turn)
{
	struct sm_wanted *wanted = (struct sm_wanted *)((char *)turn - offsetof(struct sm_wanted, turn));
	struct sm_requests *requests = context;

	if (sm_clock_now_ns() - wanted->asked_ns < GONE_AFTER_NS || !sm_listener_is_gone(wanted->client->fd))
		return begin(requests, wanted) == SM_OK;
	sm_client_close(wanted->client);
	return true;
}

static void on_taking_turns(uv_idle_t *idle)
{
	(void)idle; /* only keeps the loop from waiting */
}

void sm_requests_before_waiting(struct sm_requests *requests)
{
	bool has_more = sm_jobs_go_on(requests->jobs);

	has_more |= sm_turns_take(&requests->turns, TURNS_NS, take_turn, requests);
	if (has_more)
		uv_idle_start(&requests->taking_turns, on_taking_turns);
	else
		uv_idle_stop(&requests->taking_turns);
}

void sm_requests_start(struct sm_requests *requests, uv_loop_t *loop)
{
	sm_turns_start(&requests->turns);
	uv_idle_init(loop, &requests->taking_turns);
}

void sm_requests_stop(struct sm_requests *requests)
{
	uv_close((uv_handle_t *)&requests->taking_turns, NULL);
}

/* ---- lookups */

/* What is kept of a name, and what to do with it. */
struct kept {
	const void *record; /* NULL: nothing; valid until the owner's next call */
	size_t size;
	enum sm_freshness freshness;
	enum sm_use use;
};

/* `families`: of the client. What has left out the one that it wants is of no use to it. */
static struct kept find_kept(struct sm_requests *requests, const struct sm_rule *rule, const struct sm_name *name,
                             uint8_t families)
{
	int64_t now_ns = sm_clock_now_ns();
	struct sm_outlook outlook = sm_outlook_of(&requests->upstream->servers, rule, now_ns);
	struct sm_record_head head = {.kind = SM_ANSWER_ADDRESSES}; /* long dead */
	struct kept kept = {.freshness = SM_DEAD};

	if (sm_owner_get(requests->owner, name, &kept.record, &kept.size) == SM_OK &&
	    (sm_record_head(kept.record, kept.size, &head) != SM_OK ||
	     ((head.unasked_families & families) == families && now_ns >= head.times.recheck_ns)))
		head.times = (struct sm_times){.made_ns = 0};
	kept.freshness = sm_lifetime_freshness(&head.times, now_ns);
	sm_pulse_beat(requests->pulse, now_ns);
	outlook.turn_ns = sm_lifetime_turn_ns(sm_name_hash(name->text), requests->pulse->jumped_ns, now_ns);
	kept.use = sm_lifetime_use(&head.times, head.kind, &outlook, now_ns);
	return kept;
}

/* A job that nobody waits for. Where none can be begun, the next client begins one. */
static void ask_behind(struct sm_requests *requests, struct sm_client *client, const struct sm_rule *rule)
{
	enum sm_status status = sm_jobs_ask(requests->jobs, rule, &client->request, client->peer, true, NULL);

	(void)status;
}

/* The answer goes out now. Where it is near its end, a job behind it renews it; where it is past its TTL, the job notices when
 * the servers are back. */
static void answer_from_cache(struct sm_requests *requests, struct sm_client *client, const struct sm_rule *rule,
                              const struct kept *kept)
{
	SM_SCOPE_FREE void *copy = NULL;
	const void *record = kept->record;

	requests->counters->cached += kept->freshness < SM_STALE;
	if (kept->freshness >= SM_STALE)
		sm_counters_note_stale(requests->counters, record, kept->size, sm_clock_now_ns());
	if (kept->use == SM_USE_AND_ASK)
		copy = malloc(kept->size); /* a job uses the same room */
	if (copy) {
		memcpy(copy, record, kept->size);
		record = copy;
		ask_behind(requests, client, rule);
	}
	reply_record(client, record, kept->size);
}

static struct sm_wanted *make_wanted(struct sm_requests *requests, struct sm_client *client, const struct sm_rule *rule)
{
	struct sm_wanted *wanted = malloc(sizeof(*wanted));

	if (!wanted)
		return NULL;
	*wanted = (struct sm_wanted){
		.waiter.tell = on_told,
		.requests = requests,
		.client = client,
		.rule = rule,
		.settings = sm_settings_hold(requests->reload->settings),
	};
	return wanted;
}

static void look_up(struct sm_requests *requests, struct sm_client *client)
{
	const struct sm_name *name = &client->request.name;
	const struct sm_rule *rule = sm_reload_rule(requests->reload, name);
	struct sm_wanted *wanted;
	struct kept kept;

	requests->counters->requests++;
	if (!rule || rule->is_torn) {
		sm_reload_if_changed(requests->reload); /* the program may know newer files */
		rule = sm_reload_rule(requests->reload, name);
	}
	if (!rule) {
		requests->counters->not_ours++;
		sm_client_reply(client, SM_FRAME_NOT_OURS, NULL, 0);
		return;
	}
	kept = find_kept(requests, rule, name, client->request.families);
	sm_owner_use(requests->owner, name, client->peer.account);
	switch (kept.use) {
	case SM_USE:
	case SM_USE_AND_ASK:
		answer_from_cache(requests, client, rule, &kept);
		return;
	case SM_ASK_OR_FAIL:
	case SM_ASK:
		break;
	}
	wanted = make_wanted(requests, client, rule);
	if (!wanted) {
		refuse(requests, client);
		return;
	}
	/* another host may have an old answer, too */
	wanted->may_be_stale = kept.freshness == SM_OLD || sm_shared_may_know(requests->jobs->shared);
	wanted->is_scout = kept.use == SM_ASK_OR_FAIL;
	wait_for_job(requests, wanted);
}

/* Why a process has passed over the map or us, in its request or hint. */
static void note_bypass(struct sm_requests *requests, const struct sm_request *request)
{
	if (request->bypass != SM_BYPASS_NONE && request->bypass < SM_BYPASS_KINDS)
		requests->counters->bypassed[request->bypass]++;
}

static void on_request(void *context, struct sm_client *client)
{
	struct sm_requests *requests = context;

	note_bypass(requests, &client->request);
	if (client->request.kind == SM_FRAME_LOOKUP)
		look_up(requests, client);
	else
		sm_control_ask(requests->control, client);
}

static bool may_hint(struct sm_requests *requests, uid_t account, int64_t now_ns)
{
	struct sm_hint_rate *rate = &requests->hint_rates[sm_account_place(account)];
	int64_t since_ns = sm_sooner(now_ns - rate->counted_ns, SM_NS_PER_S), more = since_ns * HINTS_A_SECOND / SM_NS_PER_S;

	if (more > 0) {
		rate->n_left = (uint32_t)sm_sooner(rate->n_left + more, HINTS_A_SECOND);
		rate->counted_ns = now_ns;
	}
	if (rate->n_left == 0)
		return false;
	rate->n_left--;
	return true;
}

/* A hint renews what is near its end, and nothing else: it cannot make us ask more than the lifetimes allow. It costs its
 * sender's rate, and its job is his. */
static void on_hint(void *context, const struct sm_request *hint, struct sm_peer from)
{
	struct sm_requests *requests = context;
	const struct sm_rule *rule;
	uint64_t jobs = requests->counters->jobs;

	requests->counters->hints++;
	if (!may_hint(requests, from.account, sm_clock_now_ns()))
		return;
	rule = sm_reload_rule(requests->reload, &hint->name);
	note_bypass(requests, hint);
	if (!rule || requests->is_stopping)
		return;
	sm_owner_use(requests->owner, &hint->name, from.account);
	if (find_kept(requests, rule, &hint->name, SM_IPV4_AND_IPV6).freshness != SM_DUE)
		return;
	if (sm_jobs_ask(requests->jobs, rule, hint, from, true, NULL) == SM_OK)
		requests->counters->renewed += requests->counters->jobs - jobs;
}

static void on_client_writable(void *context, struct sm_client *client)
{
	const struct sm_requests *requests = context;

	sm_monitor_send(requests->control->monitor, client);
}

const struct sm_client_events sm_requests_events = {
	.on_request = on_request,
	.on_client_time = on_client_time,
	.on_client_close = on_client_close,
	.on_hint = on_hint,
	.on_client_writable = on_client_writable,
};
