/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The answer that an expansion knows so far. */
#include "mesh/expand.h"
#include "mesh/judge.h"
#include "mesh/rank.h"

#include <string.h>

/* Families for which the addresses of some host are not known for certain. */
static uint8_t uncertain_families(const struct sm_expand *expand)
{
	uint8_t families = 0;

	for (uint32_t i = 0; i < expand->n_hosts; i++)
		if (expand->hosts[i].is_used)
			families |= expand->hosts[i].failed_families;
	for (uint32_t i = 0; i < expand->n_questions; i++) {
		uint16_t host = expand->questions[i].host;

		if (!expand->questions[i].is_done && host != SM_NO_HOST && expand->hosts[host].is_used)
			families |= sm_family_of(expand->questions[i].asks.type);
	}
	return families;
}

static uint8_t cut_families(const struct sm_expand *expand)
{
	uint8_t families = 0;

	for (uint32_t i = 0; i < expand->n_hosts; i++)
		if (expand->hosts[i].is_used)
			families |= expand->hosts[i].cut_families;
	return families;
}

static bool owner_is_unknown(const struct sm_expand *expand)
{
	return expand->is_failed || (expand->n_open > 0 && expand->n_targets == 0);
}

static enum sm_answer_kind kind_of(const struct sm_expand *expand, const struct sm_answer *answer)
{
	if (sm_expand_has_addresses(expand))
		return SM_ANSWER_ADDRESSES;
	if (owner_is_unknown(expand) || expand->is_cut || expand->n_cut > 0)
		return SM_ANSWER_FAILURE;
	if (answer->uncertain_families || answer->cut_families || answer->unasked_families)
		return SM_ANSWER_FAILURE;
	if (expand->has_other_ports)
		return SM_ANSWER_NO_DATA;
	if (expand->is_denied || expand->n_targets == 0)
		return SM_ANSWER_NO_NAME;
	if (expand->is_fallback && expand->hosts[expand->targets[0].host].missing_families)
		return SM_ANSWER_NO_NAME;
	return SM_ANSWER_NO_DATA;
}

/* The addresses of a host, side by side behind those of the answer. */
static void gather_addresses(const struct sm_expand *expand, uint16_t host, struct sm_answer *answer)
{
	for (uint32_t i = expand->hosts[host].first_address; i != SM_NO_ADDRESS; i = expand->addresses[i].next) {
		answer->ranks[answer->n_addresses] = SM_RANK_UNKNOWN;
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
		if (expand->hosts[host].is_used)
			gather_addresses(expand, host, answer);
	}
	first[expand->n_hosts] = answer->n_addresses;
	return first;
}

static bool some_host_is_empty(const struct sm_expand *expand, const uint16_t *first)
{
	for (uint32_t host = 0; host < expand->n_hosts; host++)
		if (expand->hosts[host].is_used && first[host] == first[host + 1])
			return true;
	return false;
}

/* How long denials live: *ret_ttl_s by those that say it; UINT32_MAX: none does. true: some do not say it. */
static bool gather_denials(const struct sm_expand *expand, uint32_t *ret_ttl_s)
{
	bool is_bare = expand->has_bare_denial;

	*ret_ttl_s = expand->negative_ttl_s;
	for (uint32_t i = 0; i < expand->n_hosts; i++)
		if (expand->hosts[i].is_used) {
			sm_expand_lower(ret_ttl_s, expand->hosts[i].negative_ttl_s);
			is_bare |= expand->hosts[i].has_bare_denial;
		}
	return is_bare;
}

static const struct sm_expand_metadata *metadata_of(const struct sm_expand *expand, uint16_t host)
{
	return expand->rule->metadata == SM_METADATA_OF_OWNER ? &expand->metadata : &expand->hosts[host].metadata;
}

/* What is not known, or denied for a time only, is part of the answer. But one target without metadata does not make the
 * others be asked for each second: their absence may be believed for `negative_ttl`. */
static void gather_metadata(const struct sm_expand *expand, uint16_t host, struct sm_target *target, struct sm_answer *answer)
{
	const struct sm_expand_metadata *metadata = metadata_of(expand, host);
	uint32_t bound_s = expand->rule->negative_ttl_ms / 1000;

	target->metadata = metadata->strings;
	target->metadata_size = metadata->size;
	answer->is_metadata_cut |= metadata->is_cut;
	answer->is_metadata_unknown |= !metadata->is_known;
	if (metadata->negative_ttl_s < UINT32_MAX)
		sm_expand_lower(&answer->ttl_s, metadata->negative_ttl_s > bound_s ? metadata->negative_ttl_s : bound_s);
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
		if (expand->is_fallback && expand->hosts[host].canonical)
			target->name = expand->hosts[host].canonical;
		target->first_address = first[host];
		target->n_addresses = n;
		if (sm_rule_wants_metadata(expand->rule))
			gather_metadata(expand, host, target, answer);
		answer->n_targets++;
	}
}

static void fill_answer(const struct sm_expand *expand, struct sm_arena *room, struct sm_answer *answer)
{
	const uint16_t *first = gather_hosts(expand, room, answer);
	uint32_t negative_ttl_s;
	bool is_bare = gather_denials(expand, &negative_ttl_s);

	if (!first) {
		answer->kind = SM_ANSWER_FAILURE;
		return;
	}
	for (uint32_t i = 0; i < expand->n_hosts; i++)
		if (expand->hosts[i].is_used)
			sm_expand_lower(&answer->ttl_s, expand->hosts[i].ttl_s);
	/* missing SRV records, or missing addresses of some target, are part of the answer: their TTL counts too. Where the
	 * server does not say it, `negative_ttl` bounds it: else a host without SRV would be asked for every second */
	if (expand->is_fallback || some_host_is_empty(expand, first)) {
		sm_expand_lower(&answer->ttl_s, negative_ttl_s);
		if (is_bare)
			sm_expand_lower(&answer->ttl_s, expand->rule->negative_ttl_ms / 1000);
	}
	gather_targets(expand, first, answer);
	sm_judge_if_needed(answer, expand->rule);
}

/* "." has the TTL of its SRV record; every other negative answer comes from missing records. */
static uint32_t negative_ttl_s(const struct sm_expand *expand)
{
	uint32_t ttl_s;
	bool is_bare = gather_denials(expand, &ttl_s);

	if (expand->is_denied)
		return expand->ttl_s;
	return ttl_s == UINT32_MAX || is_bare ? 0 : ttl_s;
}

/* A family that a program wanted besides, and that nobody could tell, counts as left out, and harms no other. */
static void defer(const struct sm_expand *expand, struct sm_answer *answer)
{
	answer->deferred_families = answer->uncertain_families & sm_expand_extra_families(expand);
	answer->unasked_families |= answer->deferred_families;
	answer->uncertain_families &= (uint8_t)~answer->deferred_families;
}

void sm_expand_answer(const struct sm_expand *expand, struct sm_arena *room, struct sm_answer *ret)
{
	*ret = (struct sm_answer){
		.ttl_s = expand->ttl_s,
		.uncertain_families = uncertain_families(expand),
		.cut_families = cut_families(expand),
		.unasked_families = sm_expand_unasked_families(expand),
		.n_cut = expand->n_cut,
		.is_remnant = expand->is_remnant,
		.is_of_old = expand->old,
	};
	ret->kind = kind_of(expand, ret);
	ret->is_of_old &= ret->kind == SM_ANSWER_ADDRESSES;
	if (ret->kind == SM_ANSWER_ADDRESSES) {
		defer(expand, ret);
		fill_answer(expand, room, ret);
	} else {
		ret->ttl_s = negative_ttl_s(expand);
	}
}
