/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/standing.h"

#include "mesh/group.h"

static bool has_family(const struct sm_answer *answer, uint32_t target, uint8_t families)
{
	uint32_t first = answer->targets[target].first_address, end = first + answer->targets[target].n_addresses;

	for (uint32_t i = first; i < end; i++)
		if (answer->addresses[i].family & families)
			return true;
	return false;
}

/* Does it have an address of these families on these terms? */
static bool counts(const struct sm_answer *answer, uint32_t target, struct sm_terms terms, uint8_t families, bool with_down,
                   bool with_unreachable)
{
	terms.families = families;
	terms.with_down = with_down;
	terms.with_unreachable = with_unreachable;
	return sm_group_families(answer, target, &terms);
}

/* Why a target is not in the group. `terms` are those by which the group was made, `families` those that were asked for. */
static enum sm_standing_kind kind_of(const struct sm_answer *answer, uint32_t target, const struct sm_terms *terms,
                                     uint8_t families, uint16_t priority)
{
	const struct sm_target *is = &answer->targets[target];

	if (!sm_group_suits_port(is, terms))
		return SM_STANDING_PORT;
	if (is->n_addresses == 0)
		return SM_STANDING_NO_ADDRESS;
	if (terms->is_filtered && !(is->judgement & SM_PASSES_FILTER))
		return SM_STANDING_FILTERED;
	if (!has_family(answer, target, families))
		return SM_STANDING_FAMILY;
	if (!counts(answer, target, *terms, families, true, false) && !terms->with_unreachable)
		return SM_STANDING_UNREACHABLE;
	if (!counts(answer, target, *terms, families, false, true) && !terms->with_down)
		return SM_STANDING_DOWN;
	if (!has_family(answer, target, terms->families))
		return SM_STANDING_FAMILY;
	return is->priority < priority ? SM_STANDING_PANIC : SM_STANDING_SPARE;
}

static uint8_t preference_of(const struct sm_answer *answer, uint16_t target)
{
	return answer->targets[target].judgement & (uint8_t)~SM_PASSES_FILTER;
}

static void share(const struct sm_answer *answer, const struct sm_group *group, struct sm_standing *ret)
{
	uint8_t best = 0;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < group->n && group->is_preferring; i++)
		if (preference_of(answer, group->members[i]) > best)
			best = preference_of(answer, group->members[i]);
	for (uint32_t i = 0; i < group->n; i++)
		if (preference_of(answer, group->members[i]) == best || !group->is_preferring)
			sum += sm_choose_weight(answer->targets[group->members[i]].weight);
	for (uint32_t i = 0; i < group->n; i++) {
		uint16_t member = group->members[i];
		uint64_t weight = sm_choose_weight(answer->targets[member].weight);
		bool is_first = preference_of(answer, member) == best || !group->is_preferring;

		ret[member].kind = is_first ? SM_STANDING_IN : SM_STANDING_UNPREFERRED;
		ret[member].share_ppm = is_first ? (uint32_t)((weight * 1000000 + sum / 2) / sum) : 0;
	}
}

void sm_standings(const struct sm_answer *answer, const struct sm_rule *rule, uint8_t families, int64_t now_ns,
                  struct sm_standing *ret, struct sm_concessions *ret_concessions)
{
	struct sm_terms terms = {.rule = rule, .now_ns = now_ns, .families = families};
	struct sm_group group;
	bool wants_health = rule->health != SM_HEALTH_OFF;

	sm_group_make(answer, &terms, &group);
	*ret_concessions = (struct sm_concessions){
		.without_filter = group.n > 0 && rule->filter.n > 0 && !terms.is_filtered,
		.without_reach = group.n > 0 && terms.with_unreachable,
		.is_empty = group.n == 0,
		.priority = group.n > 0 ? answer->targets[group.members[0]].priority : 0,
	};
	for (uint32_t i = 0; i < answer->n_targets; i++) {
		ret[i].kind = kind_of(answer, i, &terms, families, ret_concessions->priority);
		ret[i].share_ppm = 0;
		ret[i].is_down = wants_health && answer->targets[i].is_marked && has_family(answer, i, families) &&
		                 !counts(answer, i, terms, families, false, true);
	}
	share(answer, &group, ret);
	for (uint32_t i = 0; i < group.n; i++)
		ret_concessions->without_health |= ret[group.members[i]].is_down;
}
