/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Choosing: leave out, group by priority, settle the family, draw by weight, copy. */
#include "mesh/choose.h"

#include "base/random.h"

#include <string.h>

/* The group that is drawn from: indexes into answer->targets. */
struct group {
	uint32_t n;
	uint16_t members[SM_TARGETS_MAX];
};

static uint8_t families_of(const struct sm_answer *answer, const struct sm_target *target)
{
	uint8_t families = 0;

	for (uint32_t i = 0; i < target->n_addresses; i++)
		families |= answer->addresses[target->first_address + i].family;
	return families;
}

static void take_best_priority(const struct sm_answer *answer, const struct sm_rule *rule, uint8_t families,
                               struct group *ret)
{
	ret->n = 0;
	for (uint32_t i = 0; i < answer->n_targets; i++) {
		const struct sm_target *target = &answer->targets[i];

		if (rule->port && target->port != rule->port)
			continue;
		if (!(families_of(answer, target) & families))
			continue;
		if (ret->n > 0 && target->priority > answer->targets[ret->members[0]].priority)
			continue;
		if (ret->n > 0 && target->priority < answer->targets[ret->members[0]].priority)
			ret->n = 0;
		ret->members[ret->n++] = (uint16_t)i;
	}
}

static void keep_family(const struct sm_answer *answer, uint8_t family, struct group *group)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < group->n; i++)
		if (families_of(answer, &answer->targets[group->members[i]]) & family)
			group->members[kept++] = group->members[i];
	group->n = kept;
}

static bool group_has(const struct sm_answer *answer, const struct group *group, uint8_t family)
{
	for (uint32_t i = 0; i < group->n; i++)
		if (families_of(answer, &answer->targets[group->members[i]]) & family)
			return true;
	return false;
}

static uint8_t preferred_family(const struct sm_rule *rule)
{
	switch (rule->family) {
	case SM_FAMILY_PREFER_IPV4:
		return SM_IPV4;
	case SM_FAMILY_PREFER_IPV6:
		return SM_IPV6;
	case SM_FAMILY_ANY:
	case SM_FAMILY_IPV4:
	case SM_FAMILY_IPV6:
		break;
	}
	return 0;
}

static uint64_t scaled_weight(const struct sm_answer *answer, uint16_t member)
{
	uint64_t weight = answer->targets[member].weight;

	return weight ? weight * 256 : 1;
}

/* One draw without replacement. The sum stays below 2^32, so the modulo is fair to one part in 2^32. */
static uint16_t draw(const struct sm_answer *answer, struct group *group, uint64_t *seed)
{
	uint64_t sum = 0, mark;
	uint32_t at = 0;
	uint16_t drawn;

	if (group->n == 1) {
		group->n = 0;
		return group->members[0];
	}
	for (uint32_t i = 0; i < group->n; i++)
		sum += scaled_weight(answer, group->members[i]);
	mark = sm_random_step(seed) % sum;
	while (mark >= scaled_weight(answer, group->members[at]))
		mark -= scaled_weight(answer, group->members[at++]);
	drawn = group->members[at];
	group->members[at] = group->members[--group->n];
	return drawn;
}

static bool has_address(const struct sm_choice *choice, const struct sm_address *address)
{
	for (uint32_t i = 0; i < choice->n_addresses; i++)
		if (memcmp(&choice->addresses[i], address, sizeof(*address)) == 0)
			return true;
	return false;
}

static void copy_addresses(const struct sm_answer *answer, const struct sm_target *target, uint8_t families,
                           uint32_t max, struct sm_choice *choice)
{
	for (uint32_t i = 0; i < target->n_addresses && choice->n_addresses < max; i++) {
		const struct sm_address *address = &answer->addresses[target->first_address + i];

		if ((address->family & families) && !has_address(choice, address))
			choice->addresses[choice->n_addresses++] = *address;
	}
}

void sm_choose(const struct sm_answer *answer, const struct sm_rule *rule, uint8_t families, uint64_t seed,
               struct sm_choice *ret)
{
	uint32_t max = rule->max_answers < SM_ANSWERS_MAX ? rule->max_answers : SM_ANSWERS_MAX;
	uint8_t preferred = preferred_family(rule) & families;
	struct group group;

	ret->kind = answer->kind;
	ret->n_addresses = 0;
	if (answer->kind != SM_ANSWER_ADDRESSES)
		return;
	take_best_priority(answer, rule, families, &group);
	if (group.n == 0) {
		ret->kind = answer->uncertain_families & families ? SM_ANSWER_FAILURE : SM_ANSWER_NO_DATA;
		return;
	}
	if (preferred && group_has(answer, &group, preferred)) {
		families = preferred;
		keep_family(answer, preferred, &group);
	}
	while (group.n > 0 && ret->n_addresses < max) {
		copy_addresses(answer, &answer->targets[draw(answer, &group, &seed)], families, max, ret);
		if (rule->answers == SM_ANSWERS_ONE)
			break;
	}
}
