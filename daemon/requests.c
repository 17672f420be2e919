/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A request is answered at once, from the cache, or waits for a job; where something past its TTL is kept, no longer than
 * `stale_after`. */
#include "daemon/requests.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/scope.h"
#include "daemon/job.h"
#include "daemon/log.h"
#include "daemon/control.h"
#include "mesh/srvset.h"
#include "resolve/outlook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MAX_MS 120000 /* beyond every deadline */
#define SPARE_MS 1000
#define TARGETS_OF_FORMAT_1 256
#define ADDRESSES_OF_FORMAT_1 512

/* What a client waits for. */
struct sm_wanted {
	struct sm_waiter waiter;
	struct sm_requests *requests;
	struct sm_client *client;
	struct sm_settings *settings; /* that the rule belongs to */
	const struct sm_rule *rule;
	bool may_be_stale, is_scout;
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

/* What is left of an answer for the release before. */
struct shrunk {
	uint32_t n;
	struct sm_address addresses[ADDRESSES_OF_FORMAT_1];
	uint64_t ranks[ADDRESSES_OF_FORMAT_1];
	uint16_t was_first[TARGETS_OF_FORMAT_1]; /* of each target's addresses in the answer */
};

/* Gives the target as many of its addresses as it may have; those of another target on the same host are the same. */
static void shrink_target(const struct sm_answer *answer, uint32_t which, uint32_t may_have, struct shrunk *shrunk)
{
	struct sm_target *target = &answer->targets[which];
	uint16_t first = target->first_address;

	shrunk->was_first[which] = first;
	for (uint32_t i = 0; i < which; i++)
		if (shrunk->was_first[i] == first) {
			target->first_address = answer->targets[i].first_address;
			target->n_addresses = answer->targets[i].n_addresses;
			return;
		}
	target->first_address = (uint16_t)shrunk->n;
	target->n_addresses = target->n_addresses < may_have ? target->n_addresses : (uint16_t)may_have;
	memcpy(shrunk->addresses + shrunk->n, answer->addresses + first, target->n_addresses * sizeof(struct sm_address));
	memcpy(shrunk->ranks + shrunk->n, answer->ranks + first, target->n_addresses * sizeof(uint64_t));
	shrunk->n += target->n_addresses;
}

/* No more than the release before reads: the best targets, and of each as many addresses as there is room for. Its arrays of
 * addresses live until the next call. */
static void shrink(struct sm_answer *answer)
{
	static struct shrunk shrunk;
	uint32_t n_targets;
	uint64_t seed;

	shrunk.n = 0;
	sm_random_fill(&seed, sizeof(seed));
	n_targets = sm_srvset_cut(answer->targets, answer->n_targets, TARGETS_OF_FORMAT_1, seed);
	for (uint32_t i = 0; i < n_targets; i++)
		/* one is left for each other */
		shrink_target(answer, i, ADDRESSES_OF_FORMAT_1 - shrunk.n - (n_targets - 1 - i), &shrunk);
	answer->addresses = shrunk.addresses;
	answer->ranks = shrunk.ranks;
	answer->n_targets = (uint16_t)n_targets;
	answer->n_addresses = (uint16_t)shrunk.n;
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
	if (answer.n_targets > TARGETS_OF_FORMAT_1 || answer.n_addresses > ADDRESSES_OF_FORMAT_1)
		shrink(&answer);
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

static void on_client_time(void *context, struct sm_client *client)
{
	struct sm_requests *requests = context;
	struct sm_wanted *wanted = client->wanted;
	enum sm_status status;
	const void *record;
	size_t size;

	if (client->request.kind == SM_FRAME_FLUSH) {
		sm_flush_hurry(requests->flush_work, client);
		return;
	}
	if (client->is_asking) {
		sm_targets_list_now(requests->targets, client);
		return;
	}
	if (!wanted || !wanted->may_be_stale) {
		sm_client_close(client);
		return;
	}
	status = sm_jobs_settle_for_stale(requests->jobs, wanted->rule, &client->request, &record, &size);
	if (!client->wanted)
		return; /* the job had the new answer, and has told the client; `wanted` is gone */
	if (status == SM_OK) {
		sm_counters_note_stale(requests->counters, record, size, sm_clock_now_ns());
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
	enum sm_status status;

	if (wanted->may_be_stale && wanted->rule->stale_after_ms < ms)
		ms = wanted->rule->stale_after_ms;
	client->wanted = wanted;
	/* a job that is told at once waits for the next turn of the loop: it does not free the client in here */
	status = sm_jobs_ask(requests->jobs, wanted->rule, &client->request, client->peer, wanted->is_scout, &wanted->waiter);
	if (status == SM_OK)
		sm_client_wait(client, ms);
	else if (status == SM_SILENT)
		reply_failure(requests, client);
	else
		refuse(requests, client);
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

/* A hint renews what is near its end, and nothing else: it cannot make us ask more than the lifetimes allow. */
static void on_hint(void *context, const struct sm_request *hint, struct sm_peer from)
{
	struct sm_requests *requests = context;
	const struct sm_rule *rule = sm_reload_rule(requests->reload, &hint->name);
	uint64_t jobs = requests->counters->jobs;

	(void)from;
	requests->counters->hints++;
	note_bypass(requests, hint);
	if (!rule || requests->is_stopping)
		return;
	if (find_kept(requests, rule, &hint->name, SM_IPV4_AND_IPV6).freshness != SM_DUE)
		return;
	if (sm_jobs_ask(requests->jobs, rule, hint, sm_jobs_nobody, true, NULL) == SM_OK)
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
