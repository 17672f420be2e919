/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The expansion. It keeps to one rule: what is unknown is never reported as nonexistent. */
#include "mesh/expand.h"

#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 16 /* CNAMEs followed inside one message */
#define NO_HOST UINT16_MAX

/* Where a chain of CNAMEs that starts at the question's name ends inside one message. */
enum chain_end {
	CHAIN_RECORDS,   /* at records of the asked type */
	CHAIN_NO_NAME,   /* at a name that does not exist */
	CHAIN_NO_DATA,   /* at a name without such records */
	CHAIN_ELSEWHERE, /* at a name of which the message says nothing */
};

static uint8_t family_of(enum sm_rr_type type)
{
	return type == SM_RR_A ? SM_IPV4 : SM_IPV6;
}

static void note_unasked(struct sm_expand *expand, enum sm_rr_type type, uint16_t host)
{
	expand->is_cut = true;
	if (host != NO_HOST)
		expand->unasked_families |= family_of(type);
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

static void lower(uint32_t *least, uint32_t value)
{
	if (value < *least)
		*least = value;
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
		return NO_HOST;
	expand->hosts = hosts;
	hosts[expand->n_hosts] = (struct sm_expand_host){.name = name};
	return (uint16_t)expand->n_hosts++;
}

static void add_target(struct sm_expand *expand, const struct sm_target *target, const char *name)
{
	uint16_t host = add_host(expand, name);
	struct sm_expand_target *targets =
		sm_arena_room(expand->arena, expand->targets, expand->n_targets, &expand->targets_room, sizeof(*targets));

	if (host == NO_HOST || !targets) {
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
		expand->unasked_families |= family_of(record->type);
		return;
	}
	expand->addresses = addresses;
	addresses += expand->n_addresses++;
	*addresses = (struct sm_expand_address){.is = {.family = family_of(record->type)}, .host = host};
	memcpy(addresses->is.bytes, record->address, record->type == SM_RR_A ? 4 : 16);
	lower(&expand->ttl_s, record->ttl_s);
}

/* Asks for the addresses that were not in the glue. Families that the policy excludes are not asked for. */
static void ask_addresses(struct sm_expand *expand)
{
	uint8_t wanted = sm_rule_families(expand->rule);

	for (uint16_t host = 0; host < expand->n_hosts; host++) {
		uint8_t told = 0;

		for (uint32_t i = 0; i < expand->n_addresses; i++)
			if (expand->addresses[i].host == host)
				told |= expand->addresses[i].is.family;
		if (wanted & ~told & SM_IPV4)
			ask_question(expand, expand->hosts[host].name, SM_RR_A, host, 0);
		if (wanted & ~told & SM_IPV6)
			ask_question(expand, expand->hosts[host].name, SM_RR_AAAA, host, 0);
	}
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
			ask_question(expand, sm_arena_text(expand->arena, owner.text, owner.length), SM_RR_SRV, NO_HOST, 0);
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
			lower(ttl_s, ttl);
			return CHAIN_RECORDS;
		}
		alias = find_record(reply, *at, SM_RR_CNAME);
		if (!alias) {
			if (reply->rcode == SM_RCODE_NXDOMAIN)
				return CHAIN_NO_NAME;
			if (hops == 0 || reply->has_soa)
				return CHAIN_NO_DATA;
			lower(ttl_s, ttl);
			return CHAIN_ELSEWHERE;
		}
		lower(&ttl, alias->ttl_s);
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

		lower(&expand->ttl_s, srv->ttl_s);
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
		if (!(family_of(record->type) & wanted))
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
	if (host == NO_HOST)
		expand->is_failed = true;
	else
		expand->hosts[host].failed_families |= family_of(type);
}

static void ask_elsewhere(struct sm_expand *expand, const char *name, enum sm_rr_type type, uint16_t host, uint8_t hops)
{
	uint32_t before = expand->n_questions;

	if (hops < SM_HOPS_MAX && name)
		ask_question(expand, sm_arena_text(expand->arena, name, strlen(name)), type, host, hops + 1);
	if (expand->n_questions == before)
		fail(expand, type, host);
}

static void learn_owner(struct sm_expand *expand, const struct sm_reply *reply, enum chain_end end, const char *at)
{
	if (end == CHAIN_RECORDS) {
		take_targets(expand, reply, at);
		take_glue(expand, reply);
		ask_addresses(expand);
		return;
	}
	lower(&expand->negative_ttl_s, reply->negative_ttl_s);
	ask_owner(expand);
}

static void learn_host(struct sm_expand *expand, const struct sm_reply *reply, enum chain_end end, const char *at,
                       enum sm_rr_type type, uint16_t host)
{
	if (end == CHAIN_RECORDS) {
		take_addresses(expand, reply, at, type, host);
		return;
	}
	lower(&expand->negative_ttl_s, reply->negative_ttl_s);
	if (end == CHAIN_NO_NAME)
		expand->hosts[host].missing_families |= family_of(type);
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
	else if (host == NO_HOST)
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
		    (expand->questions[i].host == NO_HOST || (family_of(expand->questions[i].asks.type) & families)))
			return false;
	return true;
}

/* Families for which the addresses of some host are not known for certain. */
static uint8_t uncertain_families(const struct sm_expand *expand)
{
	uint8_t families = 0;

	for (uint32_t i = 0; i < expand->n_hosts; i++)
		families |= expand->hosts[i].failed_families;
	for (uint32_t i = 0; i < expand->n_questions; i++)
		if (!expand->questions[i].is_done && expand->questions[i].host != NO_HOST)
			families |= family_of(expand->questions[i].asks.type);
	return families;
}

static bool owner_is_unknown(const struct sm_expand *expand)
{
	return expand->is_failed || (expand->n_open > 0 && expand->n_hosts == 0);
}

static enum sm_answer_kind kind_of(const struct sm_expand *expand, uint8_t uncertain)
{
	if (expand->n_addresses > 0)
		return SM_ANSWER_ADDRESSES;
	if (owner_is_unknown(expand) || uncertain || expand->is_cut || expand->unasked_families)
		return SM_ANSWER_FAILURE;
	if (expand->has_other_ports)
		return SM_ANSWER_NO_DATA;
	if (expand->is_denied || expand->n_hosts == 0)
		return SM_ANSWER_NO_NAME;
	if (expand->is_fallback && expand->hosts[0].missing_families)
		return SM_ANSWER_NO_NAME;
	return SM_ANSWER_NO_DATA;
}

/* The addresses of a host, side by side behind those of the answer. */
static void gather_addresses(const struct sm_expand *expand, uint16_t host, struct sm_answer *answer)
{
	for (uint32_t i = 0; i < expand->n_addresses; i++)
		if (expand->addresses[i].host == host) {
			answer->ranks[answer->n_addresses] = 0;
			answer->addresses[answer->n_addresses++] = expand->addresses[i].is;
		}
}

/* Where the addresses of each host begin in the answer, and where those of the last one end. */
static uint16_t *gather_hosts(const struct sm_expand *expand, struct sm_arena *room, struct sm_answer *answer)
{
	uint16_t *first = sm_arena_take(room, (expand->n_hosts + 1) * sizeof(*first), _Alignof(uint16_t));

	answer->targets = sm_arena_take(room, expand->n_targets * sizeof(*answer->targets), _Alignof(struct sm_target));
	answer->addresses =
		sm_arena_take(room, expand->n_addresses * sizeof(*answer->addresses), _Alignof(struct sm_address));
	answer->ranks = sm_arena_take(room, expand->n_addresses * sizeof(*answer->ranks), _Alignof(uint64_t));
	if (room->failed)
		return NULL;
	for (uint16_t host = 0; host < expand->n_hosts; host++) {
		first[host] = answer->n_addresses;
		gather_addresses(expand, host, answer);
	}
	first[expand->n_hosts] = answer->n_addresses;
	return first;
}

static bool some_host_is_empty(const struct sm_expand *expand, const uint16_t *first)
{
	for (uint32_t host = 0; host < expand->n_hosts; host++)
		if (first[host] == first[host + 1])
			return true;
	return false;
}

/* The targets that have an address. */
static void gather_targets(const struct sm_expand *expand, const uint16_t *first, struct sm_answer *answer)
{
	for (uint32_t i = 0; i < expand->n_targets; i++) {
		uint16_t host = expand->targets[i].host, n = (uint16_t)(first[host + 1] - first[host]);
		struct sm_target *target = &answer->targets[answer->n_targets];

		if (n == 0)
			continue;
		*target = expand->targets[i].is;
		target->first_address = first[host];
		target->n_addresses = n;
		answer->n_targets++;
	}
}

static void fill_answer(const struct sm_expand *expand, struct sm_arena *room, struct sm_answer *answer)
{
	const uint16_t *first = gather_hosts(expand, room, answer);

	if (!first) {
		answer->kind = SM_ANSWER_FAILURE;
		return;
	}
	/* missing SRV records, or missing addresses of some target, are part of the answer: their TTL counts too */
	if (expand->is_fallback || some_host_is_empty(expand, first))
		lower(&answer->ttl_s, expand->negative_ttl_s);
	gather_targets(expand, first, answer);
}

void sm_expand_answer(const struct sm_expand *expand, struct sm_arena *room, struct sm_answer *ret)
{
	uint8_t uncertain = uncertain_families(expand);

	*ret = (struct sm_answer){
		.kind = kind_of(expand, uncertain),
		.ttl_s = expand->ttl_s,
		.uncertain_families = uncertain,
		.unasked_families = expand->unasked_families,
	};
	if (ret->kind == SM_ANSWER_ADDRESSES)
		fill_answer(expand, room, ret);
	else if (!expand->is_denied)
		/* "." has the TTL of its SRV record; every other negative answer comes from missing records */
		ret->ttl_s = expand->negative_ttl_s == UINT32_MAX ? 0 : expand->negative_ttl_s;
}
