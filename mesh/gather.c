/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The answer that an expansion knows so far. */
#include "mesh/expand.h"

/* Families for which the addresses of some host are not known for certain. */
static uint8_t uncertain_families(const struct sm_expand *expand)
{
	uint8_t families = 0;

	for (uint32_t i = 0; i < expand->n_hosts; i++)
		families |= expand->hosts[i].failed_families;
	for (uint32_t i = 0; i < expand->n_questions; i++)
		if (!expand->questions[i].is_done && expand->questions[i].host != SM_NO_HOST)
			families |= sm_family_of(expand->questions[i].asks.type);
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
	/* missing SRV records, or missing addresses of some target, are part of the answer: their TTL counts too. Where the
	 * server does not say it, `negative_ttl` bounds it: else a host without SRV would be asked for every second */
	if (expand->is_fallback || some_host_is_empty(expand, first)) {
		sm_expand_lower(&answer->ttl_s, expand->negative_ttl_s);
		if (expand->has_bare_denial)
			sm_expand_lower(&answer->ttl_s, expand->rule->negative_ttl_ms / 1000);
	}
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
		ret->ttl_s = expand->negative_ttl_s == UINT32_MAX || expand->has_bare_denial ? 0 : expand->negative_ttl_s;
}
