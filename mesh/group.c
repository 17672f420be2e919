/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Leave out targets (filter, health, reach), group by priority, choose the family. */
#include "mesh/group.h"

#define PANIC_TARGETS 4 /* of fewer targets the share that is up says little */

bool sm_group_is_down(const struct sm_answer *answer, uint32_t target, uint32_t address, int64_t now_ns)
{
	uint32_t low = 0, high = answer->n_marks;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (sm_mark_is_before(&answer->marks[middle], target, address))
			low = middle + 1;
		else
			high = middle;
	}
	return low < answer->n_marks && answer->marks[low].target == target && answer->marks[low].address == address &&
	       now_ns < answer->marks[low].until_ns;
}

static bool has_down_address(const struct sm_answer *answer, uint32_t target, const struct sm_terms *terms)
{
	struct sm_terms with_down = *terms;

	with_down.with_down = true;
	return sm_group_families(answer, target, &with_down);
}

/* The targets that suit of the priority that begins at `first`; returns where the next one begins. */
static uint32_t take_priority(const struct sm_answer *answer, uint32_t first, const struct sm_terms *terms, struct sm_group *ret)
{
	uint16_t priority = answer->targets[first].priority;
	uint32_t i = first;

	ret->n = ret->n_down = 0;
	for (; i < answer->n_targets && answer->targets[i].priority == priority; i++) {
		const struct sm_target *target = &answer->targets[i];

		if (!sm_group_suits_port(target, terms) || (terms->is_filtered && !(target->judgement & SM_PASSES_FILTER)))
			continue;
		if (sm_group_families(answer, i, terms))
			ret->members[ret->n++] = (uint16_t)i;
		else if (target->is_marked && has_down_address(answer, i, terms))
			ret->n_down++;
	}
	return i;
}

static bool take_best_priority(const struct sm_answer *answer, const struct sm_terms *terms, struct sm_group *ret)
{
	ret->n = 0;
	for (uint32_t i = 0; i < answer->n_targets && ret->n == 0;)
		i = take_priority(answer, i, terms, ret);
	return ret->n > 0;
}

/* Is so little of the priority up that what is down may as well be a fault of ours? Then it is used whole. */
static bool is_panic(const struct sm_group *group, const struct sm_rule *rule)
{
	uint32_t n = group->n + group->n_down;

	return n >= PANIC_TARGETS && group->n * 100 < rule->health_panic_percent * n;
}

/* Some addresses are down: the targets that are up of the best priority that has enough of them; if none has, all targets of
 * the best priority of which some are up. */
static bool take_healthy(const struct sm_answer *answer, struct sm_terms *terms, struct sm_group *ret)
{
	uint32_t panic = answer->n_targets;

	terms->with_down = false;
	for (uint32_t first = 0, next; first < answer->n_targets; first = next) {
		next = take_priority(answer, first, terms, ret);
		if (ret->n > 0 && !is_panic(ret, terms->rule))
			return true;
		if (ret->n > 0 && panic == answer->n_targets)
			panic = first;
	}
	terms->with_down = true;
	ret->n = 0;
	if (panic < answer->n_targets)
		take_priority(answer, panic, terms, ret);
	return ret->n > 0;
}

/* Reach comes before health: what cannot be reached was never probed, and is up only as far as is known. */
static bool take_group(const struct sm_answer *answer, struct sm_terms *terms, struct sm_group *ret)
{
	bool has_marks = answer->n_marks > 0 && terms->rule->health != SM_HEALTH_OFF;

	terms->with_unreachable = false;
	if (has_marks && take_healthy(answer, terms, ret))
		return true;
	terms->with_down = true;
	if (take_best_priority(answer, terms, ret))
		return true;
	terms->with_unreachable = true;
	return take_best_priority(answer, terms, ret);
}

static void keep_family(const struct sm_answer *answer, const struct sm_terms *terms, struct sm_group *group)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < group->n; i++)
		if (sm_group_families(answer, group->members[i], terms))
			group->members[kept++] = group->members[i];
	group->n = kept;
}

static bool group_has(const struct sm_answer *answer, const struct sm_terms *terms, const struct sm_group *group, uint8_t family)
{
	for (uint32_t i = 0; i < group->n; i++)
		if (sm_group_families(answer, group->members[i], terms) & family)
			return true;
	return false;
}

void sm_group_make(const struct sm_answer *answer, struct sm_terms *terms, struct sm_group *ret)
{
	uint8_t preferred = sm_rule_preferred_family(terms->rule) & terms->families;

	terms->is_filtered = terms->rule->filter.n > 0;
	if (!take_group(answer, terms, ret) && terms->is_filtered &&
	    terms->rule->filter_fallback == SM_FILTER_FALLBACK_ALL) {
		terms->is_filtered = false;
		take_group(answer, terms, ret);
	}
	if (preferred && group_has(answer, terms, ret, preferred)) {
		terms->families = preferred;
		keep_family(answer, terms, ret);
	}
	ret->is_preferring = terms->rule->prefer.n > 0;
}
