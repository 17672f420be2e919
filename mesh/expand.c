/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The expansion. It keeps to one rule: what is unknown is never reported as nonexistent. */
#include "mesh/expand.h"

#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 16 /* CNAMEs followed inside one message */

/* Where a chain of CNAMEs that starts at the question's name ends inside one message. */
enum chain_end {
	CHAIN_RECORDS,   /* at records of the asked type */
	CHAIN_NO_NAME,   /* at a name that does not exist */
	CHAIN_NO_DATA,   /* at a name without such records */
	CHAIN_ELSEWHERE, /* at a name of which the message says nothing */
};

static void note_unasked(struct sm_expand *expand, enum sm_rr_type type, uint16_t host)
{
	expand->is_cut = true;
	if (host != SM_NO_HOST)
		expand->unasked_families |= sm_family_of(type);
}

static void ask_question(struct sm_expand *expand, const char *name, enum sm_rr_type type, uint16_t host, uint8_t hops)
{
	struct sm_expand_question *questions = NULL;

	if (name && expand->n_questions < SM_QUESTIONS_MAX)
		questions = sm_arena_room(expand->arena, expand->questions, expand->n_questions, &expand->questions_room,
		                          sizeof(*questions));
	if (!questions) {
		note_unasked(expand, type, host);
		return;
	}
	expand->questions = questions;
	questions[expand->n_questions] = (struct sm_expand_question){
		.asks = {.name = name, .type = type, .is_alias = hops > 0},
		.host = host,
		.hops = hops,
	};
	expand->n_questions++;
	expand->n_open++;
}

static uint16_t add_host(struct sm_expand *expand, const char *name)
{
	struct sm_expand_host *hosts;

	for (uint16_t i = 0; i < expand->n_hosts; i++)
		if (strcmp(expand->hosts[i].name, name) == 0)
			return i;
	name = sm_arena_text(expand->arena, name, strlen(name));
	hosts = sm_arena_room(expand->arena, expand->hosts, expand->n_hosts, &expand->hosts_room, sizeof(*hosts));
	if (!name || !hosts)
		return SM_NO_HOST;
	expand->hosts = hosts;
	hosts[expand->n_hosts] = (struct sm_expand_host){.name = name};
	return (uint16_t)expand->n_hosts++;
}

static void add_target(struct sm_expand *expand, const struct sm_target *target, const char *name)
{
	uint16_t host = add_host(expand, name);
	struct sm_expand_target *targets =
		sm_arena_room(expand->arena, expand->targets, expand->n_targets, &expand->targets_room, sizeof(*targets));

	if (host == SM_NO_HOST || !targets) {
		expand->is_cut = true;
		return;
	}
	expand->targets = targets;
	targets += expand->n_targets++;
	targets->is = *target;
	targets->is.name = expand->hosts[host].name;
	targets->is.is_down = false;
	targets->is.metadata = NULL;
	targets->host = host;
}

static void add_address(struct sm_expand *expand, uint16_t host, const struct sm_dns_record *record)
{
	struct sm_expand_address *addresses = NULL;

	if (expand->n_addresses < SM_ADDRESSES_MAX)
		addresses = sm_arena_room(expand->arena, expand->addresses, expand->n_addresses, &expand->addresses_room,
		                          sizeof(*addresses));
	if (!addresses) {
		expand->unasked_families |= sm_family_of(record->type);
		return;
	}
	expand->addresses = addresses;
	addresses += expand->n_addresses++;
	*addresses = (struct sm_expand_address){.is = {.family = sm_family_of(record->type)}, .host = host};
	memcpy(addresses->is.bytes, record->address, record->type == SM_RR_A ? 4 : 16);
	sm_expand_lower(&expand->ttl_s, record->ttl_s);
}

static bool has_address(const struct sm_expand *expand, uint16_t host, uint8_t family)
{
	for (uint32_t i = 0; i < expand->n_addresses; i++)
		if (expand->addresses[i].host == host && expand->addresses[i].is.family == family)
			return true;
	return false;
}

/* Asks for the addresses that were not in the glue: all of one family before any of the other, so that where the time is too
 * short one family is whole. Families that the policy excludes are not asked for. */
static void ask_addresses(struct sm_expand *expand)
{
	static const enum sm_rr_type types[] = {SM_RR_A, SM_RR_AAAA};
	uint8_t wanted = sm_rule_families(expand->rule);

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		for (uint16_t host = 0; host < expand->n_hosts; host++)
			if ((wanted & sm_family_of(types[i])) && !has_address(expand, host, sm_family_of(types[i])))
				ask_question(expand, expand->hosts[host].name, types[i], host, 0);
}

static void fall_back(struct sm_expand *expand)
{
	expand->is_fallback = true;
	if (expand->rule->fallback == SM_FALLBACK_NONE || sm_name_is_srv_owner(&expand->name))
		return;
	add_target(expand, &(struct sm_target){.port = 0}, expand->name.text);
	ask_addresses(expand);
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
			return;
		}
	}
}

void sm_expand_init(struct sm_expand *expand, const struct sm_rule *rule, const struct sm_name *name,
                    struct sm_arena *arena)
{
	*expand = (struct sm_expand){
		.arena = arena,
		.rule = rule,
		.name = *name,
		.ttl_s = UINT32_MAX,
		.negative_ttl_s = UINT32_MAX,
	};
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

static bool is_answer(const struct sm_dns_record *record, const char *owner, uint16_t type)
{
	return !record->is_additional && record->type == type && strcmp(record->owner, owner) == 0;
}

static const struct sm_dns_record *find_record(const struct sm_reply *reply, const char *owner, uint16_t type)
{
	for (uint32_t i = 0; i < reply->n_records; i++)
		if (is_answer(&reply->records[i], owner, type))
			return &reply->records[i];
	return NULL;
}

/* Follows CNAMEs from `*at`, and sets `*at` to the name at the end of the chain. The TTLs of the CNAMEs count only
 * where the chain leads to records, in this message or a later one. */
static enum chain_end follow(const struct sm_reply *reply, enum sm_rr_type type, const char **at, uint32_t *ttl_s)
{
	uint32_t ttl = UINT32_MAX;

	for (int hops = 0; hops <= CHAIN_MAX; hops++) {
		const struct sm_dns_record *alias;

		if (find_record(reply, *at, type)) {
			sm_expand_lower(ttl_s, ttl);
			return CHAIN_RECORDS;
		}
		alias = find_record(reply, *at, SM_RR_CNAME);
		if (!alias) {
			if (reply->rcode == SM_RCODE_NXDOMAIN)
				return CHAIN_NO_NAME;
			if (hops == 0 || reply->has_soa)
				return CHAIN_NO_DATA;
			sm_expand_lower(ttl_s, ttl);
			return CHAIN_ELSEWHERE;
		}
		sm_expand_lower(&ttl, alias->ttl_s);
		*at = alias->target;
		if (!alias->target)
			return CHAIN_ELSEWHERE;
	}
	return CHAIN_ELSEWHERE;
}

/* Best first: by priority, then by weight (heavier first), then in the server's order. */
static int better_first(const void *left, const void *right)
{
	const struct sm_dns_record *a = *(const struct sm_dns_record *const *)left;
	const struct sm_dns_record *b = *(const struct sm_dns_record *const *)right;

	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	return a < b ? -1 : a > b;
}

static void take_targets(struct sm_expand *expand, const struct sm_reply *reply, const char *owner)
{
	const struct sm_dns_record **sorted =
		sm_arena_take(expand->arena, reply->n_records * sizeof(*sorted), _Alignof(struct sm_dns_record *));
	uint32_t n = 0;

	if (!sorted) {
		expand->is_cut = true;
		return;
	}
	for (uint32_t i = 0; i < reply->n_records; i++)
		if (is_answer(&reply->records[i], owner, SM_RR_SRV))
			sorted[n++] = &reply->records[i];
	qsort(sorted, n, sizeof(*sorted), better_first);
	for (uint32_t i = 0; i < n; i++) {
		const struct sm_dns_record *srv = sorted[i];
		struct sm_target target = {.priority = srv->priority, .weight = srv->weight, .port = srv->port};

		sm_expand_lower(&expand->ttl_s, srv->ttl_s);
		if (!srv->target)
			expand->is_cut = true;
		else if (expand->rule->port && srv->port != expand->rule->port && srv->target[0] != '\0')
			expand->has_other_ports = true;
		else if (srv->target[0] != '\0' && expand->n_targets < SM_TARGETS_MAX)
			add_target(expand, &target, srv->target);
	}
	expand->is_denied = expand->n_targets == 0 && !expand->is_cut && !expand->has_other_ports;
}

static void take_glue(struct sm_expand *expand, const struct sm_reply *reply)
{
	uint8_t wanted = sm_rule_families(expand->rule);

	for (uint32_t i = 0; i < reply->n_records; i++) {
		const struct sm_dns_record *record = &reply->records[i];

		if (!record->is_additional || (record->type != SM_RR_A && record->type != SM_RR_AAAA))
			continue;
		if (!(sm_family_of(record->type) & wanted))
			continue;
		for (uint16_t host = 0; host < expand->n_hosts; host++)
			if (strcmp(expand->hosts[host].name, record->owner) == 0)
				add_address(expand, host, record);
	}
}

static void take_addresses(struct sm_expand *expand, const struct sm_reply *reply, const char *owner,
                           enum sm_rr_type type, uint16_t host)
{
	for (uint32_t i = 0; i < reply->n_records; i++)
		if (is_answer(&reply->records[i], owner, type))
			add_address(expand, host, &reply->records[i]);
}

static void close_question(struct sm_expand *expand, uint32_t number)
{
	expand->questions[number].is_done = true;
	expand->n_open--;
}

static void fail(struct sm_expand *expand, enum sm_rr_type type, uint16_t host)
{
	if (host == SM_NO_HOST)
		expand->is_failed = true;
	else
		expand->hosts[host].failed_families |= sm_family_of(type);
}

static void ask_elsewhere(struct sm_expand *expand, const char *name, enum sm_rr_type type, uint16_t host, uint8_t hops)
{
	uint32_t before = expand->n_questions;

	if (hops < SM_HOPS_MAX && name)
		ask_question(expand, sm_arena_text(expand->arena, name, strlen(name)), type, host, hops + 1);
	if (expand->n_questions == before)
		fail(expand, type, host);
}

/* RFC 2308, 5: how long a denial lives is said by its SOA, and by nothing else. */
static void note_denial(struct sm_expand *expand, const struct sm_reply *reply)
{
	if (reply->has_soa)
		sm_expand_lower(&expand->negative_ttl_s, reply->negative_ttl_s);
	else
		expand->has_bare_denial = true;
}

static void learn_owner(struct sm_expand *expand, const struct sm_reply *reply, enum chain_end end, const char *at)
{
	if (end == CHAIN_RECORDS) {
		take_targets(expand, reply, at);
		take_glue(expand, reply);
		ask_addresses(expand);
		return;
	}
	note_denial(expand, reply);
	ask_owner(expand);
}

static void learn_host(struct sm_expand *expand, const struct sm_reply *reply, enum chain_end end, const char *at,
                       enum sm_rr_type type, uint16_t host)
{
	if (end == CHAIN_RECORDS) {
		take_addresses(expand, reply, at, type, host);
		return;
	}
	note_denial(expand, reply);
	if (end == CHAIN_NO_NAME)
		expand->hosts[host].missing_families |= sm_family_of(type);
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
	end = follow(reply, type, &at, &expand->ttl_s);
	if (end == CHAIN_ELSEWHERE)
		ask_elsewhere(expand, at, type, host, expand->questions[number].hops);
	else if (host == SM_NO_HOST)
		learn_owner(expand, reply, end, at);
	else
		learn_host(expand, reply, end, at, type, host);
}

void sm_expand_failed(struct sm_expand *expand, uint32_t number)
{
	if (expand->questions[number].is_done)
		return;
	close_question(expand, number);
	fail(expand, expand->questions[number].asks.type, expand->questions[number].host);
}

bool sm_expand_is_finished(const struct sm_expand *expand)
{
	return expand->n_open == 0;
}

bool sm_expand_is_settled(const struct sm_expand *expand, uint8_t families)
{
	for (uint32_t i = 0; i < expand->n_questions; i++)
		if (!expand->questions[i].is_done &&
		    (expand->questions[i].host == SM_NO_HOST || (sm_family_of(expand->questions[i].asks.type) & families)))
			return false;
	return true;
}
