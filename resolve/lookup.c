/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lookup: the expansion's questions go to the asker, the asker's replies to the expansion, until none is open. */
#include "resolve/lookup.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/random.h"
#include "mesh/origin.h"
#include "resolve/recall.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_MAX 16777216 /* of one lookup: 4,096 questions, 1,024 targets, 4,096 addresses take a quarter */
#define QUESTIONS_AT_ONCE 32 /* on the wire, so that a large service is no flood */

struct sm_lookup {
	struct sm_lookup_means means;
	const struct sm_rule *rule;
	struct sm_network *learnt; /* NULL: not needed yet, or the caller knows it */
	uint8_t families;
	bool is_settled; /* all is known, except for other families */
	bool is_cut;     /* it stopped waiting for those before the deadline */
	bool is_spent;   /* out of memory */
	bool is_over;    /* the answer is used: it only listens */
	bool is_extended; /* it goes on with the targets of old */
	bool has_bad, has_silent; /* questions that ended in vain: answered, but badly; not answered */
	int64_t deadline_ns;
	int64_t now_ns; /* of the turn */
	struct sm_arena arena; /* of all that lives as long as the lookup */
	struct sm_arena room;  /* of one reply, or the answer */
	struct sm_expand expand;
	struct sm_asker asker;
	struct sm_answer answer;
	struct origin {
		uint16_t size; /* 0: there is no reply yet */
		bool has_records;
		uint8_t bytes[SM_ORIGIN_MAX];
	} of_owner, of_host; /* of the SRV owner that was asked for last, and of the name as a host */
};

/* ---- what the expansion wants to know */

static const struct sm_network *network_of(struct sm_lookup *lookup)
{
	const struct sm_network *known = lookup->means.network ? lookup->means.network(lookup->means.context) : NULL;
	enum sm_status status = SM_OK;

	if (known)
		return known;
	if (!lookup->learnt)
		status = sm_network_learn(&lookup->learnt);
	return status == SM_OK ? lookup->learnt : NULL;
}

static uint8_t host_families(struct sm_lookup *lookup)
{
	const struct sm_network *network = network_of(lookup);

	return network ? sm_network_families(network) : SM_IPV4_AND_IPV6;
}

/* An address that is not known to be out of reach is good enough. */
static bool reaches(void *context, const struct sm_address *address)
{
	const struct sm_network *network = network_of(context);

	return !network || sm_source_reaches(network, address);
}

/* A server speaks for the names of its own section, of sections that would ask the same servers, and of none. */
static bool believes(void *context, uint32_t number, const char *name)
{
	const struct sm_lookup *lookup = context;
	const struct sm_rule *asked = sm_asker_rule(&lookup->asker, number);
	const struct sm_rule *owner = sm_rules_match(lookup->means.rules, name, strlen(name));

	return !owner || owner == asked || sm_rule_speaks_for(asked, owner);
}

/* The rule whose servers are asked: of a name under a section, that section's; of any other name, the rule of the service,
 * because its servers know what they refer to (*ret_is_foreign). For SRV owners it is always the service's, even if a
 * template gives a name outside its suffix. */
static const struct sm_rule *rule_of(const struct sm_lookup *lookup, const struct sm_question *question, bool *ret_is_foreign)
{
	const struct sm_rule *rule = NULL;

	*ret_is_foreign = false;
	if (question->is_owner)
		return lookup->rule;
	rule = sm_rules_match(lookup->means.rules, question->name, strlen(question->name));
	*ret_is_foreign = !rule;
	return rule ? rule : lookup->rule;
}

/* Not the answer of the name itself: how its own answer was come by is told. */
static bool may_recall(const struct sm_lookup *lookup, const struct sm_question *question)
{
	return strcmp(question->name, lookup->expand.name.text) != 0;
}

static bool remembers(void *context, const struct sm_question *question)
{
	struct sm_lookup *lookup = context;
	bool is_foreign;

	return may_recall(lookup, question) &&
	       sm_asker_remembers(&lookup->asker, question, rule_of(lookup, question, &is_foreign), lookup->now_ns);
}

static const struct sm_answer *old(void *context)
{
	struct sm_lookup *lookup = context;

	return lookup->means.old(lookup->means.context, &lookup->arena);
}

/* ---- the lookup */

static void init(struct sm_lookup *lookup, const struct sm_name *name)
{
	const struct sm_lookup_means *means = &lookup->means;
	struct sm_expand_means wants = {
		.families = SM_IPV4_AND_IPV6,
		.needs = means->needs,
		.keeps = means->keeps,
		.is_plain = means->is_plain,
		.believes = believes,
		.reaches = reaches,
		.remembers = means->hosts ? remembers : NULL,
		.old = means->old ? old : NULL,
		.context = lookup,
	};
	uint64_t seeds[2];

	lookup->arena = sm_arena_growing(MEMORY_MAX);
	lookup->room = sm_arena_growing(SM_REPLY_MEMORY_MAX);
	sm_random_take(means->random, seeds, sizeof(seeds));
	wants.seed = seeds[0];
	if (lookup->rule->family == SM_FAMILY_AUTO)
		wants.families = host_families(lookup);
	sm_asker_init(&lookup->asker, means->transport, &lookup->arena, means->servers, sm_name_hash(name->text), seeds[1]);
	lookup->asker.listens_on = means->listens_on;
	lookup->asker.is_scout = means->is_scout;
	lookup->asker.counts = means->counts;
	lookup->asker.hosts = means->hosts;
	lookup->asker.hosts_context = means->context;
	sm_expand_init(&lookup->expand, lookup->rule, name, &wants, &lookup->arena);
}

enum sm_status sm_lookup_open(const struct sm_lookup_means *means, const struct sm_rule *rule, const struct sm_name *name,
                              uint8_t families, int64_t deadline_ns, struct sm_lookup **ret)
{
	struct sm_lookup *lookup = malloc(sizeof(*lookup));

	if (!lookup)
		return SM_EXHAUSTED;
	lookup->means = *means;
	lookup->rule = rule;
	lookup->learnt = NULL;
	lookup->families = families & sm_rule_families(rule);
	lookup->is_settled = lookup->is_cut = lookup->is_spent = lookup->is_over = lookup->is_extended = false;
	lookup->has_bad = lookup->has_silent = false;
	lookup->of_owner.size = lookup->of_host.size = 0;
	lookup->deadline_ns = deadline_ns;
	init(lookup, name);
	*ret = lookup;
	return SM_OK;
}

void sm_lookup_close(struct sm_lookup *lookup)
{
	if (!lookup)
		return;
	sm_asker_clear(&lookup->asker);
	sm_network_free(lookup->learnt);
	sm_arena_clear(&lookup->room);
	sm_arena_clear(&lookup->arena);
	free(lookup);
}

static void note_want(struct sm_lookup *lookup)
{
	lookup->is_spent |= lookup->arena.is_exhausted || lookup->asker.is_exhausted;
}

static bool recall(struct sm_lookup *lookup, uint32_t number, const struct sm_question *question, const struct sm_rule *rule,
                   int64_t now_ns)
{
	struct sm_reply reply;

	if (!may_recall(lookup, question) ||
	    sm_asker_recall(&lookup->asker, number, question, rule, now_ns, &lookup->room, &reply) != SM_OK)
		return false;
	sm_expand_reply(&lookup->expand, number, &reply);
	return true;
}

static void hand_out_questions(struct sm_lookup *lookup, int64_t now_ns)
{
	struct sm_question question;
	uint32_t number;

	while (!lookup->is_spent && lookup->asker.n_open < QUESTIONS_AT_ONCE &&
	       sm_expand_next(&lookup->expand, &question, &number) == SM_OK) {
		bool is_foreign;
		const struct sm_rule *rule = rule_of(lookup, &question, &is_foreign);

		if (!recall(lookup, number, &question, rule, now_ns))
			lookup->is_spent = sm_asker_ask(&lookup->asker, number, &question, rule, is_foreign, now_ns) != SM_OK;
	}
}

static const struct sm_rule *elsewhere_of(const struct sm_lookup_means *means)
{
	return means->elsewhere ? means->elsewhere(means->context) : &means->rules->elsewhere;
}

/* What the servers of the service decline goes to the default servers. Where the rule forbids that, it has no address. */
static bool goes_elsewhere(struct sm_lookup *lookup, uint32_t number, int64_t now_ns)
{
	const struct sm_reply nothing = {.rcode = SM_RCODE_NOERROR};
	const struct sm_rule *elsewhere;

	if (!sm_asker_was_declined(&lookup->asker, number))
		return false;
	if (lookup->rule->elsewhere == SM_ELSEWHERE_NEVER) {
		sm_expand_reply(&lookup->expand, number, &nothing);
		return true;
	}
	elsewhere = elsewhere_of(&lookup->means);
	if (!elsewhere || sm_rule_speaks_for(elsewhere, lookup->rule))
		return false;
	sm_asker_ask_again(&lookup->asker, number, elsewhere, now_ns);
	return true;
}

static void fail(struct sm_lookup *lookup, uint32_t number, enum sm_status status)
{
	lookup->has_bad |= status == SM_REFUSED;
	lookup->has_silent |= status == SM_SILENT;
	sm_expand_failed(&lookup->expand, number);
}

static bool has_records(const struct sm_reply *reply)
{
	for (uint32_t i = 0; i < reply->n_records; i++)
		if (!reply->records[i].is_additional)
			return true;
	return false;
}

/* What is asked for targets says nothing of how the service was found; nor does an empty reply of one family, where the other has
 * addresses. */
static void note_origin(struct sm_lookup *lookup, uint32_t number, const struct sm_reply *reply)
{
	const struct sm_expand_question *question = &lookup->expand.questions[number];
	bool is_owner = question->asks.is_owner && question->asks.type == SM_RR_SRV;
	struct sm_origin origin = {.type = (uint16_t)question->asks.type, .rcode = (uint8_t)reply->rcode};
	const struct sm_server *server;
	struct origin *place = is_owner ? &lookup->of_owner : &lookup->of_host;
	int64_t took_ns;

	if (question->is_done)
		return; /* it came too late */
	if (!is_owner && (!sm_family_of(question->asks.type) || strcmp(question->asks.name, lookup->expand.name.text) != 0))
		return;
	if (place->size > 0 && place->has_records && !has_records(reply))
		return;
	server = sm_asker_winner(&lookup->asker, number, &took_ns);
	if (!server || sm_name_parse(question->asks.name, strlen(question->asks.name), &origin.owner) != SM_OK)
		return;
	origin.server = *server;
	origin.took_us = took_ns / 1000 < UINT32_MAX ? (uint32_t)(took_ns / 1000) : UINT32_MAX;
	place->size = sm_origin_pack(&origin, place->bytes);
	place->has_records = has_records(reply);
}

/* Handles one settled question; false: there is none. */
static bool take_one(struct sm_lookup *lookup, int64_t now_ns)
{
	struct sm_reply reply;
	uint32_t number;
	enum sm_status status = sm_asker_take(&lookup->asker, now_ns, &lookup->room, &reply, &number);

	if (status == SM_MISS)
		return false;
	if (status == SM_OK) {
		note_origin(lookup, number, &reply);
		sm_expand_reply(&lookup->expand, number, &reply);
	} else if (!goes_elsewhere(lookup, number, now_ns)) {
		fail(lookup, number, status);
	}
	return true;
}

static void take_remnants(struct sm_lookup *lookup)
{
	struct sm_reply reply;
	uint32_t number;

	while (sm_asker_take_remnant(&lookup->asker, &lookup->room, &reply, &number) == SM_OK)
		sm_expand_reply(&lookup->expand, number, &reply);
}

/* Goes on as far as it can without waiting. */
static void turn(struct sm_lookup *lookup, int64_t now_ns)
{
	lookup->now_ns = now_ns;
	do {
		hand_out_questions(lookup, now_ns);
	} while (take_one(lookup, now_ns));
}

/* The time is up, and the servers of the SRV records have said nothing. Those of the targets of old may be other ones: they have
 * the same time once more. */
static void go_on_with_old(struct sm_lookup *lookup, int64_t now_ns)
{
	lookup->has_silent |= lookup->means.old && !sm_expand_is_finished(&lookup->expand);
	if (!sm_expand_settle_for_old(&lookup->expand)) {
		sm_expand_end_with_old(&lookup->expand);
		return;
	}
	lookup->is_extended = true;
	lookup->deadline_ns = now_ns + lookup->rule->deadline_ms * SM_NS_PER_MS;
	turn(lookup, now_ns);
}

bool sm_lookup_advance(struct sm_lookup *lookup, int64_t now_ns)
{
	turn(lookup, now_ns);
	note_want(lookup);
	if (!lookup->is_settled && sm_expand_is_settled(&lookup->expand, lookup->families)) {
		lookup->is_settled = true;
		if (lookup->deadline_ns > now_ns + SM_LOOKUP_GRACE_NS) {
			lookup->deadline_ns = now_ns + SM_LOOKUP_GRACE_NS;
			lookup->is_cut = true;
		}
	}
	if (now_ns >= lookup->deadline_ns) {
		sm_asker_note_silence(&lookup->asker, now_ns);
		take_remnants(lookup);
		go_on_with_old(lookup, now_ns);
	}
	return lookup->is_spent || now_ns >= lookup->deadline_ns || sm_expand_is_finished(&lookup->expand);
}

size_t sm_lookup_fds(const struct sm_lookup *lookup, struct pollfd *ret)
{
	return sm_asker_fds(&lookup->asker, ret);
}

int64_t sm_lookup_wakes_ns(const struct sm_lookup *lookup)
{
	int64_t wakes_ns = sm_asker_wakes_ns(&lookup->asker);

	return wakes_ns < lookup->deadline_ns || lookup->is_over ? wakes_ns : lookup->deadline_ns;
}

void sm_lookup_process(struct sm_lookup *lookup, const struct pollfd *fds, size_t n, int64_t now_ns)
{
	sm_asker_process(&lookup->asker, fds, n, now_ns);
}

enum sm_status sm_lookup_run(struct sm_lookup *lookup)
{
	int64_t now_ns = sm_clock_now_ns();

	while (!sm_lookup_advance(lookup, now_ns)) {
		struct pollfd fds[SM_ASKER_FDS_MAX];
		size_t n = sm_lookup_fds(lookup, fds);
		enum sm_status status = sm_descriptor_wait(fds, n, sm_lookup_wakes_ns(lookup) - now_ns, &now_ns);

		if (status != SM_OK)
			return status;
		sm_lookup_process(lookup, fds, n, now_ns);
	}
	return sm_lookup_status(lookup);
}

enum sm_status sm_lookup_status(const struct sm_lookup *lookup)
{
	return lookup->is_spent ? SM_EXHAUSTED : sm_asker_socket_status(&lookup->asker);
}

bool sm_lookup_is_settled(const struct sm_lookup *lookup, uint8_t families)
{
	return sm_expand_is_settled(&lookup->expand, families);
}

static void set_origin(const struct sm_lookup *lookup, struct sm_answer *answer)
{
	bool is_plain = answer->kind == SM_ANSWER_ADDRESSES && lookup->expand.is_fallback && lookup->of_host.size > 0;
	const struct origin *origin = is_plain ? &lookup->of_host : &lookup->of_owner;

	if (lookup->expand.old) {
		answer->origin = lookup->expand.old->origin;
		answer->origin_size = lookup->expand.old->origin_size;
		return;
	}
	if (answer->kind == SM_ANSWER_FAILURE || origin->size == 0)
		return;
	answer->origin = origin->bytes;
	answer->origin_size = origin->size;
}

enum sm_status sm_lookup_answer(struct sm_lookup *lookup, struct sm_answer **ret)
{
	const struct sm_lookup_means *means = &lookup->means;
	const struct sm_policies *policies = NULL;
	const struct sm_network *network = NULL;

	sm_arena_clear(&lookup->room);
	sm_expand_answer(&lookup->expand, &lookup->room, &lookup->answer);
	if (lookup->room.is_exhausted)
		return SM_EXHAUSTED;
	set_origin(lookup, &lookup->answer);
	if (lookup->is_cut && lookup->answer.kind == SM_ANSWER_ADDRESSES) {
		lookup->answer.unawaited_families = lookup->answer.uncertain_families & (uint8_t)~lookup->families;
		lookup->answer.uncertain_families &= lookup->families;
	}
	if (lookup->answer.n_addresses > 1 && means->policies) /* one address is neither sorted nor drawn */
		policies = means->policies(means->context);
	if (policies)
		network = network_of(lookup);
	if (network)
		sm_source_rank(policies, network, &lookup->answer);
	*ret = &lookup->answer;
	return SM_OK;
}

bool sm_lookup_is_extended(const struct sm_lookup *lookup)
{
	return lookup->is_extended;
}

void sm_lookup_begin_again(struct sm_lookup *lookup, int64_t deadline_ns)
{
	lookup->deadline_ns = deadline_ns;
}

bool sm_lookup_widen(struct sm_lookup *lookup, uint8_t families, int64_t deadline_ns)
{
	uint32_t n = lookup->expand.n_questions;

	if (!families)
		return false;
	sm_expand_widen(&lookup->expand, families);
	if (lookup->expand.n_questions == n)
		return false;
	lookup->is_settled = lookup->is_cut = false;
	lookup->deadline_ns = deadline_ns;
	return true;
}

uint8_t sm_lookup_unasked(const struct sm_lookup *lookup)
{
	return sm_expand_unasked_families(&lookup->expand);
}

uint8_t sm_lookup_left_out(struct sm_lookup *lookup)
{
	uint8_t unasked = sm_lookup_unasked(lookup);

	return unasked ? unasked & (host_families(lookup) | lookup->means.keeps) : 0;
}

size_t sm_lookup_held(const struct sm_lookup *lookup)
{
	return sizeof(*lookup) + sm_arena_held(&lookup->arena) + sm_arena_held(&lookup->room);
}

bool sm_lookup_was_answered_badly(const struct sm_lookup *lookup)
{
	return lookup->asker.has_heard && lookup->has_bad && !lookup->has_silent && sm_expand_is_finished(&lookup->expand);
}

int64_t sm_lookup_silence_ns(const struct sm_lookup *lookup)
{
	return lookup->asker.has_heard ? 0 : lookup->asker.silence_ns;
}

void sm_lookup_note_silence(struct sm_lookup *lookup, int64_t now_ns)
{
	sm_asker_note_silence(&lookup->asker, now_ns);
}

bool sm_lookup_listen(struct sm_lookup *lookup, int64_t now_ns)
{
	lookup->is_over = true;
	return sm_asker_listen(&lookup->asker, &lookup->room, now_ns);
}
