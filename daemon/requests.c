/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A request is answered at once, from the cache, or waits for a job; where something past its TTL is kept, no longer than
 * `stale_after`. */
#include "daemon/requests.h"

#include "base/clock.h"
#include "base/scope.h"
#include "daemon/log.h"
#include "daemon/status.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_MAX_MS 120000 /* beyond every deadline */
#define SPARE_MS 1000

/* What a client waits for. */
struct sm_wanted {
	struct sm_waiter waiter;
	struct sm_requests *requests;
	struct sm_client *client;
	struct sm_settings *settings; /* that the rule belongs to */
	const struct sm_rule *rule;
	bool may_be_stale;
};

static void free_wanted(struct sm_wanted *wanted)
{
	wanted->client->wanted = NULL;
	sm_jobs_leave(&wanted->waiter);
	sm_settings_release(wanted->settings);
	free(wanted);
}

static void on_client_close(void *context, struct sm_client *client)
{
	(void)context;
	if (client->wanted)
		free_wanted(client->wanted);
}

/* ---- replies */

static void refuse(struct sm_requests *requests, struct sm_client *client)
{
	requests->counters->busy++;
	sm_log(SM_LOG_DEBUG, "busy", "name", client->request.name.text, NULL);
	sm_client_reply(client, SM_FRAME_BUSY, NULL, 0);
}

/* The same record in the format before, in *ret, which the caller frees. */
static enum sm_status convert(const struct sm_name *name, const void *record, size_t size, void **ret, size_t *ret_size)
{
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	SM_SCOPE_FREE void *bytes = NULL;
	struct sm_answer answer;
	struct sm_times times;
	enum sm_status status = sm_record_decode(name, record, size, &arena, &answer, &times);

	if (status != SM_OK)
		return status;
	*ret_size = sm_record_size(name, &answer);
	bytes = malloc(*ret_size);
	if (!bytes)
		return SM_EXHAUSTED;
	status = sm_record_encode(name, &answer, &times, SM_FORMAT_1, bytes, *ret_size, ret_size);
	if (status != SM_OK)
		return status;
	*ret = bytes;
	bytes = NULL;
	return SM_OK;
}

/* A plugin that was loaded before an upgrade asks in the format before, and gets a record of that. */
static void reply_record(struct sm_client *client, const void *record, size_t size)
{
	SM_SCOPE_FREE void *converted = NULL;

	if (client->request.format == SM_FORMAT_1) {
		if (convert(&client->request.name, record, size, &converted, &size) != SM_OK) {
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

/* ---- waiting */

/* After this time the client has surely gone. */
static uint32_t patience_ms(const struct sm_client *client)
{
	return (client->request.wait_ms < WAIT_MAX_MS ? client->request.wait_ms : WAIT_MAX_MS) + SPARE_MS;
}

static void on_client_time(void *context, struct sm_client *client)
{
	struct sm_requests *requests = context;
	struct sm_wanted *wanted = client->wanted;
	const void *record;
	size_t size;

	if (!wanted || !wanted->may_be_stale) {
		sm_client_close(client);
		return;
	}
	if (sm_jobs_settle_for_stale(requests->jobs, wanted->rule, &client->request.name, &record, &size) == SM_OK) {
		requests->counters->stale++;
		reply_record(client, record, size);
		return;
	}
	wanted->may_be_stale = false; /* the stale record is gone; only the job's reply is left */
	sm_client_wait(client, patience_ms(client));
}

/* `wanted` belongs to the client from here on. */
static void wait_for_job(struct sm_requests *requests, struct sm_wanted *wanted)
{
	struct sm_client *client = wanted->client;
	uint32_t ms = patience_ms(client);

	if (wanted->may_be_stale && wanted->rule->stale_after_ms < ms)
		ms = wanted->rule->stale_after_ms;
	client->wanted = wanted;
	/* a job that is told at once waits for the next turn of the loop: it does not free the client in here */
	if (sm_jobs_ask(requests->jobs, wanted->rule, &client->request, client->uid, &wanted->waiter) != SM_OK)
		refuse(requests, client);
	else
		sm_client_wait(client, ms);
}

/* ---- lookups */

/* Finds the cached record that may be sent at once. */
static enum sm_status find_cached(struct sm_requests *requests, const struct sm_rule *rule, const struct sm_name *name,
                                  const void **ret, size_t *ret_size, enum sm_freshness *ret_freshness)
{
	enum sm_answer_kind kind;
	struct sm_times times;
	struct sm_name own;

	*ret_freshness = SM_DEAD;
	if (sm_owner_get(requests->owner, name, ret, ret_size) != SM_OK)
		return SM_MISS;
	if (sm_record_head(*ret, *ret_size, &own, &times, &kind) != SM_OK)
		return SM_MISS;
	*ret_freshness = sm_lifetime_freshness(&times, sm_clock_now_ns());
	if (*ret_freshness == SM_OLD && *sm_settings_is_down(requests->reload->settings, rule))
		return SM_OK;
	return *ret_freshness < SM_OLD ? SM_OK : SM_MISS;
}

/* Where the servers are known to be silent, the old answer goes out now, and a job behind it notices when they are back. */
static void answer_from_cache(struct sm_requests *requests, struct sm_client *client, const struct sm_rule *rule,
                              const void *record, size_t size, enum sm_freshness freshness)
{
	SM_SCOPE_FREE void *copy = NULL;
	enum sm_status status;

	requests->counters->cached += freshness < SM_STALE;
	requests->counters->stale += freshness >= SM_STALE;
	if (freshness == SM_OLD)
		copy = malloc(size); /* a job uses the same room */
	if (copy) {
		memcpy(copy, record, size);
		record = copy;
		status = sm_jobs_ask(requests->jobs, rule, &client->request, client->uid, NULL);
		(void)status; /* otherwise the next client starts the job */
	}
	reply_record(client, record, size);
}

static const struct sm_rule *rule_of(const struct sm_requests *requests, const struct sm_name *name)
{
	const struct sm_rule *rule = sm_rules_match(&requests->reload->settings->conf->rules, name->text, name->length);

	return rule && !rule->is_disabled ? rule : NULL;
}

static struct sm_wanted *make_wanted(struct sm_requests *requests, struct sm_client *client, const struct sm_rule *rule)
{
	struct sm_wanted *wanted = calloc(1, sizeof(*wanted));

	if (!wanted)
		return NULL;
	wanted->waiter.tell = on_told;
	wanted->requests = requests;
	wanted->client = client;
	wanted->rule = rule;
	wanted->settings = sm_settings_hold(requests->reload->settings);
	return wanted;
}

static void look_up(struct sm_requests *requests, struct sm_client *client)
{
	const struct sm_name *name = &client->request.name;
	const struct sm_rule *rule = rule_of(requests, name);
	enum sm_freshness freshness;
	struct sm_wanted *wanted;
	const void *record;
	size_t size;

	requests->counters->requests++;
	if (!rule || rule->is_torn) {
		sm_reload_if_changed(requests->reload); /* the program may know newer files */
		rule = rule_of(requests, name);
	}
	if (!rule) {
		requests->counters->not_ours++;
		sm_client_reply(client, SM_FRAME_NOT_OURS, NULL, 0);
		return;
	}
	if (find_cached(requests, rule, name, &record, &size, &freshness) == SM_OK) {
		answer_from_cache(requests, client, rule, record, size, freshness);
		return;
	}
	wanted = make_wanted(requests, client, rule);
	if (!wanted) {
		refuse(requests, client);
		return;
	}
	wanted->may_be_stale = freshness == SM_OLD;
	wait_for_job(requests, wanted);
}

static void tell_status(struct sm_requests *requests, struct sm_client *client)
{
	const struct sm_status_sources from = {
		.began_ns = requests->began_ns,
		.counters = requests->counters,
		.limits = requests->limits,
		.owner = requests->owner,
	};
	char text[SM_STATUS_MAX];
	size_t size = sm_status_text(&from, text);

	sm_client_reply(client, SM_FRAME_TEXT, text, size);
}

static void on_request(void *context, struct sm_client *client)
{
	if (client->request.kind == SM_FRAME_STATUS)
		tell_status(context, client);
	else
		look_up(context, client);
}

/* A hint renews what is near its end, and nothing else: it cannot make us ask more than the lifetimes allow. */
static void on_hint(void *context, const struct sm_request *hint)
{
	struct sm_requests *requests = context;
	const struct sm_rule *rule = rule_of(requests, &hint->name);
	uint64_t jobs = requests->counters->jobs;
	enum sm_freshness freshness;
	const void *record;
	size_t size;

	requests->counters->hints++;
	if (!rule || requests->is_stopping)
		return;
	if (find_cached(requests, rule, &hint->name, &record, &size, &freshness) != SM_OK || freshness != SM_DUE)
		return;
	if (sm_jobs_ask(requests->jobs, rule, hint, SM_LEDGER_NOBODY, NULL) == SM_OK)
		requests->counters->renewed += requests->counters->jobs - jobs;
}

const struct sm_client_events sm_requests_events = {
	.on_request = on_request,
	.on_client_time = on_client_time,
	.on_client_close = on_client_close,
	.on_hint = on_hint,
};
