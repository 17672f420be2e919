/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Choosing: leave out targets, group by priority, choose the family, draw by weight, copy. */
#include "mesh/choose.h"

#include "base/random.h"

#include <string.h>

/* The targets to draw from: indexes into answer->targets. */
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

/* A name without SRV has no port of its own: the rule's port then does not apply. */
static bool suits_port(const struct sm_target *target, const struct sm_rule *rule, const struct sm_pin *pin)
{
	if (pin)
		return target->port == pin->port;
	return rule->port == 0 || target->port == 0 || target->port == rule->port;
}

static void take_best_priority(const struct sm_answer *answer, const struct sm_rule *rule, const struct sm_pin *pin,
                               uint8_t families, bool with_down, struct group *ret)
{
	ret->n = 0;
	for (uint32_t i = 0; i < answer->n_targets; i++) {
		const struct sm_target *target = &answer->targets[i];

		if (target->is_down && !with_down)
			continue;
		if (!suits_port(target, rule, pin))
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

static uint16_t take(struct group *group, uint32_t at)
{
	uint16_t taken = group->members[at];

	group->members[at] = group->members[--group->n];
	return taken;
}

/* One draw without replacement. The sum stays below 2^32, so the modulo is fair to one part in 2^32. */
static uint16_t draw(const struct sm_answer *answer, struct group *group, uint64_t *seed)
{
	uint64_t sum = 0, mark;
	uint32_t at = 0;

	if (group->n == 1)
		return take(group, 0);
	for (uint32_t i = 0; i < group->n; i++)
		sum += scaled_weight(answer, group->members[i]);
	mark = sm_random_step(seed) % sum;
	while (mark >= scaled_weight(answer, group->members[at]))
		mark -= scaled_weight(answer, group->members[at++]);
	return take(group, at);
}

/* The first draw: the pinned target if there is one, else a random one. */
static uint16_t draw_first(const struct sm_answer *answer, struct group *group, const struct sm_pin *pin, uint64_t *seed)
{
	for (uint32_t i = 0; pin && i < group->n; i++)
		if (strcmp(answer->targets[group->members[i]].name, pin->target.text) == 0)
			return take(group, i);
	return draw(answer, group, seed);
}

static bool has_address(const struct sm_choice *choice, const struct sm_address *address)
{
	for (uint32_t i = 0; i < choice->n_addresses; i++)
		if (memcmp(&choice->addresses[i], address, sizeof(*address)) == 0)
			return true;
	return false;
}

/* An index that means: no address has to stay first. */
#define NOBODY UINT32_MAX

static bool stays_behind(const struct sm_answer *answer, uint32_t at, uint32_t first)
{
	return first == NOBODY || !sm_rank_before(answer->ranks[at], answer->addresses[at].family, answer->ranks[first],
	                                          answer->addresses[first].family);
}

/* The one of a target's addresses that glibc would sort first. */
static uint32_t best_address(const struct sm_answer *answer, const struct sm_target *target, uint8_t families)
{
	uint32_t best = NOBODY, end = (uint32_t)target->first_address + target->n_addresses;

	for (uint32_t i = target->first_address; i < end; i++) {
		if (!(answer->addresses[i].family & families))
			continue;
		if (best == NOBODY || !stays_behind(answer, i, best))
			best = i;
	}
	return best;
}

static void copy_address(const struct sm_answer *answer, uint32_t at, uint32_t max, struct sm_choice *choice)
{
	if (choice->n_addresses < max && !has_address(choice, &answer->addresses[at]))
		choice->addresses[choice->n_addresses++] = answer->addresses[at];
}

static void copy_target(const struct sm_answer *answer, const struct sm_target *target, uint8_t families, uint32_t first,
                        uint32_t max, struct sm_choice *choice)
{
	for (uint32_t i = 0; i < target->n_addresses; i++) {
		uint32_t at = target->first_address + i;

		if ((answer->addresses[at].family & families) && stays_behind(answer, at, first))
			copy_address(answer, at, max, choice);
	}
}

/* `group` has at least one member. */
static void copy_group(const struct sm_answer *answer, const struct sm_rule *rule, uint8_t families, struct group *group,
                       const struct sm_pin *pin, uint64_t seed, struct sm_choice *choice)
{
	uint32_t max = rule->max_answers < SM_ANSWERS_MAX ? rule->max_answers : SM_ANSWERS_MAX, first = NOBODY;
	const struct sm_target *target = &answer->targets[draw_first(answer, group, pin, &seed)];

	if (rule->answers == SM_ANSWERS_ORDERED) {
		first = best_address(answer, target, families);
		copy_address(answer, first, max, choice);
	}
	if (first == NOBODY || target->n_addresses > 1)
		copy_target(answer, target, families, first, max, choice);
	if (rule->answers == SM_ANSWERS_ONE)
		return;
	while (group->n > 0 && choice->n_addresses < max)
		copy_target(answer, &answer->targets[draw(answer, group, &seed)], families, first, max, choice);
}

/* The group to draw from; *families becomes the preferred one where the group has it. */
static void make_group(const struct sm_answer *answer, const struct sm_rule *rule, const struct sm_pin *pin,
                       uint8_t *families, struct group *ret)
{
	uint8_t preferred = preferred_family(rule) & *families;

	take_best_priority(answer, rule, pin, *families, false, ret);
	if (ret->n == 0)
		take_best_priority(answer, rule, pin, *families, true, ret); /* if all are down, they count as up */
	if (preferred && group_has(answer, ret, preferred)) {
		*families = preferred;
		keep_family(answer, preferred, ret);
	}
}

void sm_choose(const struct sm_answer *answer, const struct sm_rule *rule, uint8_t families, const struct sm_pin *pin,
               uint64_t seed, struct sm_choice *ret)
{
	uint8_t unknown = answer->uncertain_families | answer->unasked_families | answer->unawaited_families, asked = families;
	struct group group;

	ret->kind = answer->kind;
	ret->n_addresses = 0;
	if (answer->kind != SM_ANSWER_ADDRESSES)
		return;
	make_group(answer, rule, pin, &families, &group);
	if (group.n > 0)
		copy_group(answer, rule, families, &group, pin, seed, ret);
	else
		ret->kind = pin || unknown & asked ? SM_ANSWER_FAILURE : SM_ANSWER_NO_DATA;
}

enum sm_status sm_choose_target(const struct sm_answer *answer, const struct sm_rule *rule, uint8_t families,
                                uint64_t seed, struct sm_pin *ret)
{
	const struct sm_target *target;
	struct group group;

	if (answer->kind != SM_ANSWER_ADDRESSES)
		return SM_MISS;
	make_group(answer, rule, NULL, &families, &group);
	if (group.n == 0)
		return SM_MISS;
	target = &answer->targets[draw(answer, &group, &seed)];
	ret->port = target->port;
	return target->port ? sm_name_parse(target->name, strlen(target->name), &ret->target) : SM_MISS;
}
