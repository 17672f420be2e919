/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The expansion. It keeps to one rule: what is unknown is never reported as nonexistent. */
#include "mesh/expand.h"

#include "mesh/take.h"

#include <string.h>

#define CHAIN_MAX 16 /* CNAMEs followed inside one message */

/* Where a chain of CNAMEs that starts at the question's name ends inside one message. */
enum chain_end {
	CHAIN_RECORDS,   /* at records of the asked type */
	CHAIN_NO_NAME,   /* at a name that does not exist */
	CHAIN_NO_DATA,   /* at a name without such records */
	CHAIN_ELSEWHERE, /* at a name of which the message says nothing */
};

static struct sm_expand_metadata *metadata_of(struct sm_expand *expand, uint16_t host)
{
	return host == SM_NO_HOST ? &expand->metadata : &expand->hosts[host].metadata;
}

/* Metadata that cannot be asked for are unknown, and the addresses whole. */
static void note_cut(struct sm_expand *expand, enum sm_rr_type type, uint16_t host)
{
	if (type == SM_RR_TXT)
		return;
	expand->is_cut = true;
	if (host != SM_NO_HOST)
		expand->hosts[host].cut_families |= sm_family_of(type);
}

static void ask_question(struct sm_expand *expand, const char *name, enum sm_rr_type type, uint16_t host, uint8_t hops)
{
	struct sm_expand_question *questions = NULL;

	if (host != SM_NO_HOST)
		expand->hosts[host].asked_families |= sm_family_of(type);
	if (name && expand->n_questions < SM_QUESTIONS_MAX)
		questions = sm_arena_room(expand->arena, expand->questions, expand->n_questions, &expand->questions_room,
		                          sizeof(*questions));
	if (!questions) {
		note_cut(expand, type, host);
		return;
	}
	expand->questions = questions;
	questions[expand->n_questions] = (struct sm_expand_question){
		.asks = {.name = name, .type = type, .is_owner = host == SM_NO_HOST && hops == 0},
		.host = host,
		.hops = hops,
	};
	expand->n_questions++;
	expand->n_open++;
}

/* A chain of CNAMEs may lead over names that no question can be for. */
static bool can_be_asked(const char *name)
{
	struct sm_name parsed;

	return sm_name_parse(name, strlen(name), &parsed) == SM_OK;
}

/* ---- questions for addresses */

static const enum sm_rr_type address_types[] = {SM_RR_A, SM_RR_AAAA};
#define N_ADDRESS_TYPES (sizeof(address_types) / sizeof(address_types[0]))

/* Families of which this host reaches an address. */
static uint8_t reached_families(const struct sm_expand *expand, uint16_t host)
{
	uint8_t families = 0;

	for (uint32_t i = expand->hosts[host].first_address; i != SM_NO_ADDRESS; i = expand->addresses[i].next)
		if (expand->means.reaches(expand->means.context, &expand->addresses[i].is))
			families |= expand->addresses[i].is.family;
	return families;
}

/* Is the glue enough? Not if it is of a family that this host cannot reach, or lacks one that is needed. */
static bool is_complete(const struct sm_expand *expand, uint16_t host, uint8_t needs)
{
	uint8_t reached = expand->hosts[host].families ? reached_families(expand, host) : 0;

	return reached && !(needs & ~reached);
}

static uint8_t unknown_families(const struct sm_expand_host *host)
{
	return host->missing_families ? 0 : (uint8_t)~(host->families | host->asked_families);
}

/* Would what is not known of the host cost nothing? */
static bool is_remembered(const struct sm_expand *expand, const struct sm_expand_host *host, uint8_t families)
{
	for (size_t i = 0; i < N_ADDRESS_TYPES; i++) {
		const struct sm_question question = {.name = host->name, .type = address_types[i]};

		if (families & unknown_families(host) & sm_family_of(question.type) &&
		    !expand->means.remembers(expand->means.context, &question))
			return false;
	}
	return true;
}

/* Asks for what is not known of the hosts, and was not asked before: all of one family before any of the other, so that where
 * the time is too short one family is whole. A name that does not exist has no other family either. */
static void ask_families(struct sm_expand *expand, uint8_t wanted)
{
	for (size_t i = 0; i < N_ADDRESS_TYPES; i++)
		for (uint16_t host = 0; host < expand->n_hosts; host++) {
			const struct sm_expand_host *of = &expand->hosts[host];

			if (of->is_used && !of->has_enough && wanted & sm_family_of(address_types[i]) & unknown_families(of))
				ask_question(expand, of->name, address_types[i], host, 0);
		}
}

static void ask_strings(struct sm_expand *expand, const char *name, uint16_t host, uint8_t hops)
{
	struct sm_expand_metadata *metadata = metadata_of(expand, host);

	if (metadata->is_asked || metadata->is_known)
		return;
	metadata->is_asked = true;
	ask_question(expand, name, SM_RR_TXT, host, hops);
}

static bool wants_metadata_of(const struct sm_expand *expand, enum sm_metadata_source source)
{
	return sm_rule_wants_metadata(expand->rule) && expand->rule->metadata == source;
}

static void ask_metadata(struct sm_expand *expand, uint8_t hops)
{
	if (wants_metadata_of(expand, SM_METADATA_OF_OWNER) && expand->owner && expand->n_targets > 0 &&
	    can_be_asked(expand->owner))
		ask_strings(expand, expand->owner, SM_NO_HOST, hops);
	if (!wants_metadata_of(expand, SM_METADATA_OF_TARGET))
		return;
	for (uint16_t host = 0; host < expand->n_hosts; host++)
		if (expand->hosts[host].is_used && !expand->hosts[host].missing_families)
			ask_strings(expand, expand->hosts[host].name, host, 0);
}

uint8_t sm_expand_extra_families(const struct sm_expand *expand)
{
	uint8_t extra = (expand->means.keeps | expand->means.needs) & (uint8_t)~expand->means.families;

	return expand->is_glue_enough ? extra | expand->means.needs : extra;
}

/* `hops`: to the SRV owner. */
static void ask_addresses(struct sm_expand *expand, uint8_t hops)
{
	uint8_t preferred = sm_rule_preferred_family(expand->rule), wanted = sm_expand_wanted_families(expand);

	expand->is_glue_enough = true;
	for (uint16_t host = 0; host < expand->n_hosts; host++) {
		struct sm_expand_host *of = &expand->hosts[host];

		of->has_enough = is_complete(expand, host, preferred | expand->means.needs);
		if (of->is_used && !of->has_enough)
			expand->is_glue_enough &= expand->means.needs && is_complete(expand, host, preferred);
		if (of->is_used && of->has_enough && expand->means.remembers)
			of->has_enough = !is_remembered(expand, of, wanted);
	}
	ask_families(expand, wanted);
	ask_metadata(expand, hops);
}

void sm_expand_widen(struct sm_expand *expand, uint8_t families)
{
	families &= sm_rule_families(expand->rule);
	expand->means.needs |= families;
	for (uint16_t host = 0; host < expand->n_hosts; host++)
		expand->hosts[host].has_enough = false;
	ask_families(expand, families);
}

/* ---- the course */

static bool may_fall_back(const struct sm_expand *expand)
{
	return expand->rule->fallback != SM_FALLBACK_NONE && !sm_name_is_srv_owner(&expand->name);
}

static void fall_back(struct sm_expand *expand)
{
	expand->is_fallback = true;
	expand->metadata.is_known = true; /* nobody owns SRV records */
	if (!may_fall_back(expand))
		return;
	sm_take_target(expand, &(struct sm_target){.name = expand->name.text});
	ask_addresses(expand, 0);
}

static bool has_more_templates(const struct sm_expand *expand)
{
	struct sm_name owner;
	enum sm_status status = SM_INVALID;

	for (uint32_t i = expand->template; status == SM_INVALID; i++)
		status = sm_rule_owner(expand->rule, &expand->name, i, &owner);
	return status == SM_OK;
}

/* A guess that the name is a plain host: if it is one, it takes one round trip. */
static void ask_ahead(struct sm_expand *expand)
{
	uint16_t host = sm_take_host(expand, expand->name.text);

	if (host == SM_NO_HOST)
		return;
	if (sm_expand_wanted_families(expand) & SM_IPV4)
		ask_question(expand, expand->hosts[host].name, SM_RR_A, host, 0);
	if (sm_expand_wanted_families(expand) & SM_IPV6)
		ask_question(expand, expand->hosts[host].name, SM_RR_AAAA, host, 0);
	if (wants_metadata_of(expand, SM_METADATA_OF_TARGET))
		ask_strings(expand, expand->hosts[host].name, host, 0);
}

/* Asks for the next SRV owner, or falls back when the templates are used up. */
static void ask_owner(struct sm_expand *expand)
{
	for (;;) {
		struct sm_name owner;
		enum sm_status status = sm_rule_owner(expand->rule, &expand->name, expand->template++, &owner);

		if (status == SM_MISS) {
			fall_back(expand);
			return;
		}
		if (status == SM_OK) {
			ask_question(expand, sm_arena_text(expand->arena, owner.text, owner.length), SM_RR_SRV, SM_NO_HOST, 0);
			if (expand->means.is_plain && may_fall_back(expand) && !has_more_templates(expand))
				ask_ahead(expand);
			return;
		}
	}
}

void sm_expand_init(struct sm_expand *expand, const struct sm_rule *rule, const struct sm_name *name,
                    const struct sm_expand_means *means, struct sm_arena *arena)
{
	uint8_t allowed = sm_rule_families(rule);

	*expand = (struct sm_expand){
		.arena = arena,
		.rule = rule,
		.means = *means,
		.name = *name,
		.ttl_s = UINT32_MAX,
		.negative_ttl_s = UINT32_MAX,
		.metadata.negative_ttl_s = UINT32_MAX,
	};
	expand->means.families &= allowed;
	expand->means.keeps &= allowed;
	expand->means.needs &= allowed;
	ask_owner(expand);
}

enum sm_status sm_expand_next(struct sm_expand *expand, struct sm_question *ret, uint32_t *ret_number)
{
	if (expand->n_handed_out == expand->n_questions)
		return SM_MISS;
	*ret = expand->questions[expand->n_handed_out].asks;
	*ret_number = expand->n_handed_out++;
	return SM_OK;
}

/* Follows CNAMEs of the reply to question `number` from `*at`, and sets `*at` to the name at the end of the chain. The TTLs
 * of the CNAMEs count only where the chain leads to records, in this message or a later one. */
static enum chain_end follow(const struct sm_expand *expand, uint32_t number, const struct sm_reply *reply, const char **at,
                             uint32_t *ttl_s)
{
	enum sm_rr_type type = expand->questions[number].asks.type;
	uint32_t ttl = UINT32_MAX;

	for (int hops = 0; hops <= CHAIN_MAX; hops++) {
		const struct sm_dns_record *alias;

		if (sm_reply_find(reply, *at, type)) {
			sm_expand_lower(ttl_s, ttl);
			return CHAIN_RECORDS;
		}
		alias = sm_reply_find(reply, *at, SM_RR_CNAME);
		if (!alias) {
			/* a server may well know a name that nobody can ask for, and deny it all the same */
			if (reply->rcode == SM_RCODE_NXDOMAIN)
				return can_be_asked(*at) ? CHAIN_NO_NAME : CHAIN_ELSEWHERE;
			if (hops == 0 || reply->has_soa)
				return CHAIN_NO_DATA;
			sm_expand_lower(ttl_s, ttl);
			return CHAIN_ELSEWHERE;
		}
		sm_expand_lower(&ttl, alias->ttl_s);
		*at = alias->target;
		if (!alias->target)
			return CHAIN_ELSEWHERE;
		if (!expand->means.believes(expand->means.context, number, *at)) {
			sm_expand_lower(ttl_s, ttl);
			return CHAIN_ELSEWHERE;
		}
	}
	return CHAIN_ELSEWHERE;
}

static void close_question(struct sm_expand *expand, uint32_t number)
{
	expand->questions[number].is_done = true;
	expand->n_open--;
}

/* The name is no plain host: what was asked ahead is of no use. */
static void drop_guess(struct sm_expand *expand)
{
	for (uint32_t i = 0; i < expand->n_questions; i++) {
		uint16_t host = expand->questions[i].host;

		if (expand->questions[i].is_done || host == SM_NO_HOST || expand->hosts[host].is_used)
			continue;
		close_question(expand, i);
		expand->hosts[host].asked_families &= (uint8_t)~sm_family_of(expand->questions[i].asks.type);
	}
}

static void fail(struct sm_expand *expand, enum sm_rr_type type, uint16_t host)
{
	if (type == SM_RR_TXT)
		return; /* metadata stay unknown */
	if (host != SM_NO_HOST) {
		if (!sm_take_old_addresses(expand, type, host))
			expand->hosts[host].failed_families |= sm_family_of(type);
		return;
	}
	expand->is_failed = true;
	drop_guess(expand);
	if (sm_take_old_targets(expand))
		ask_addresses(expand, 0);
}

bool sm_expand_settle_for_old(struct sm_expand *expand)
{
	if (!expand->means.old || expand->old)
		return false;
	for (uint32_t i = 0; i < expand->n_questions && !expand->old && expand->n_targets == 0; i++)
		if (!expand->questions[i].is_done && expand->questions[i].asks.type == SM_RR_SRV)
			sm_expand_failed(expand, i);
	return expand->old && expand->n_handed_out < expand->n_questions;
}

static void ask_elsewhere(struct sm_expand *expand, const char *name, enum sm_rr_type type, uint16_t host, uint8_t hops)
{
	uint32_t before = expand->n_questions;

	if (hops < SM_HOPS_MAX && name && can_be_asked(name))
		ask_question(expand, sm_arena_text(expand->arena, name, strlen(name)), type, host, hops + 1);
	if (expand->n_questions == before)
		fail(expand, type, host);
}

/* RFC 2308, 5: how long a denial lives is said by its SOA, and by nothing else. */
static void note_denial(const struct sm_reply *reply, uint32_t *negative_ttl_s, bool *is_bare)
{
	if (reply->has_soa)
		sm_expand_lower(negative_ttl_s, reply->negative_ttl_s);
	else
		*is_bare = true;
}

static void learn_owner(struct sm_expand *expand, uint32_t number, const struct sm_reply *reply, enum chain_end end,
                        const char *at)
{
	if (end == CHAIN_RECORDS) {
		uint8_t hops = expand->questions[number].hops + (strcmp(at, expand->questions[number].asks.name) != 0);

		expand->owner = sm_arena_text(expand->arena, at, strlen(at));
		sm_take_targets(expand, reply, at);
		drop_guess(expand);
		if (expand->rule->glue == SM_GLUE_COMPLETE)
			sm_take_glue(expand, number, reply);
		ask_addresses(expand, hops);
		return;
	}
	note_denial(reply, &expand->negative_ttl_s, &expand->has_bare_denial);
	ask_owner(expand);
}

static void learn_host(struct sm_expand *expand, const struct sm_reply *reply, enum chain_end end, const char *at,
                       enum sm_rr_type type, uint16_t host)
{
	if (end == CHAIN_RECORDS) {
		sm_take_addresses(expand, reply, at, type, host);
		if (!expand->hosts[host].canonical && strcmp(at, expand->hosts[host].name) != 0 && can_be_asked(at))
			expand->hosts[host].canonical = sm_arena_text(expand->arena, at, strlen(at));
		return;
	}
	note_denial(reply, &expand->hosts[host].negative_ttl_s, &expand->hosts[host].has_bare_denial);
	if (end == CHAIN_NO_NAME)
		expand->hosts[host].missing_families |= sm_family_of(type);
}

static void learn_metadata(struct sm_expand *expand, const struct sm_reply *reply, enum chain_end end, const char *at,
                           uint16_t host)
{
	struct sm_expand_metadata *metadata = metadata_of(expand, host);
	bool is_bare;

	if (end == CHAIN_RECORDS) {
		sm_take_metadata(expand, reply, at, host);
		return;
	}
	note_denial(reply, &metadata->negative_ttl_s, &is_bare);
	metadata->is_known = true;
}

bool sm_expand_has_addresses(const struct sm_expand *expand)
{
	for (uint32_t i = 0; i < expand->n_hosts; i++)
		if (expand->hosts[i].is_used && expand->hosts[i].families)
			return true;
	return false;
}

uint8_t sm_expand_unasked_families(const struct sm_expand *expand)
{
	uint8_t unasked = 0;

	for (uint32_t i = 0; i < expand->n_hosts; i++)
		if (expand->hosts[i].is_used)
			unasked |= unknown_families(&expand->hosts[i]);
	return unasked & sm_rule_families(expand->rule);
}

/* A family that was left out is asked for after all where the others have no address: else it would be denied. */
static void ask_left_out(struct sm_expand *expand)
{
	if (expand->n_open > 0 || expand->is_failed || sm_expand_has_addresses(expand))
		return;
	for (uint32_t i = 0; i < expand->n_hosts; i++)
		if (expand->hosts[i].is_used && expand->hosts[i].failed_families)
			return;
	sm_expand_widen(expand, sm_expand_unasked_families(expand));
}

void sm_expand_reply(struct sm_expand *expand, uint32_t number, const struct sm_reply *reply)
{
	enum sm_rr_type type = expand->questions[number].asks.type;
	const char *at = expand->questions[number].asks.name;
	uint16_t host = expand->questions[number].host;
	enum chain_end end;

	if (expand->questions[number].is_done)
		return;
	close_question(expand, number);
	expand->is_remnant |= reply->is_remnant;
	end = follow(expand, number, reply, &at, host == SM_NO_HOST ? &expand->ttl_s : &expand->hosts[host].ttl_s);
	if (end == CHAIN_ELSEWHERE)
		ask_elsewhere(expand, at, type, host, expand->questions[number].hops);
	else if (type == SM_RR_TXT)
		learn_metadata(expand, reply, end, at, host);
	else if (host == SM_NO_HOST)
		learn_owner(expand, number, reply, end, at);
	else
		learn_host(expand, reply, end, at, type, host);
	ask_left_out(expand);
}

void sm_expand_failed(struct sm_expand *expand, uint32_t number)
{
	if (expand->questions[number].is_done)
		return;
	close_question(expand, number);
	fail(expand, expand->questions[number].asks.type, expand->questions[number].host);
}

void sm_expand_end_with_old(struct sm_expand *expand)
{
	for (uint32_t i = 0; expand->old && i < expand->n_questions; i++)
		sm_expand_failed(expand, i);
}

bool sm_expand_is_finished(const struct sm_expand *expand)
{
	return expand->n_open == 0;
}

bool sm_expand_is_settled(const struct sm_expand *expand, uint8_t families)
{
	for (uint32_t i = 0; i < expand->n_questions; i++) {
		enum sm_rr_type type = expand->questions[i].asks.type;
		bool counts = type == SM_RR_TXT ? expand->rule->filter.n > 0 : type == SM_RR_SRV || sm_family_of(type) & families;

		if (!expand->questions[i].is_done && counts)
			return false;
	}
	return true;
}
