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

/* By what targets are left out. */
struct terms {
	const struct sm_rule *rule;
	const struct sm_pin *pin;
	uint8_t families;
	bool needs_port;
	bool with_down, with_unreachable; /* where no others are left */
};

/* The families of which the target has an address that counts. */
static uint8_t families_of(const struct sm_answer *answer, const struct sm_target *target, const struct terms *terms)
{
	uint32_t end = (uint32_t)target->first_address + target->n_addresses;
	uint8_t families = 0;

	for (uint32_t i = target->first_address; i < end; i++)
		if (terms->with_unreachable || sm_rank_is_reachable(answer->ranks[i]))
			families |= answer->addresses[i].family;
	return families;
}

/* A name without SRV has no port of its own: the rule's port then does not apply. */
static bool suits_port(const struct sm_target *target, const struct terms *terms)
{
	if (terms->pin)
		return target->port == terms->pin->port;
	if (terms->needs_port && target->port == 0)
		return false;
	return terms->rule->port == 0 || target->port == 0 || target->port == terms->rule->port;
}

static void take_best_priority(const struct sm_answer *answer, const struct terms *terms, struct group *ret)
{
	ret->n = 0;
	for (uint32_t i = 0; i < answer->n_targets; i++) {
		const struct sm_target *target = &answer->targets[i];

		if (target->is_down && !terms->with_down)
			continue;
		if (!suits_port(target, terms))
			continue;
		if (!(families_of(answer, target, terms) & terms->families))
			continue;
		if (ret->n > 0 && target->priority > answer->targets[ret->members[0]].priority)
			continue;
		if (ret->n > 0 && target->priority < answer->targets[ret->members[0]].priority)
			ret->n = 0;
		ret->members[ret->n++] = (uint16_t)i;
	}
}

static void keep_family(const struct sm_answer *answer, const struct terms *terms, struct group *group)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < group->n; i++)
		if (families_of(answer, &answer->targets[group->members[i]], terms) & terms->families)
			group->members[kept++] = group->members[i];
	group->n = kept;
}

static bool group_has(const struct sm_answer *answer, const struct terms *terms, const struct group *group, uint8_t family)
{
	for (uint32_t i = 0; i < group->n; i++)
		if (families_of(answer, &answer->targets[group->members[i]], terms) & family)
			return true;
	return false;
}

static uint64_t weight_of(const struct sm_answer *answer, uint16_t member)
{
	return sm_choose_weight(answer->targets[member].weight);
}

static uint16_t take(struct group *group, uint32_t at)
{
	uint16_t taken = group->members[at];

	group->members[at] = group->members[--group->n];
	return taken;
}

/* One draw without replacement. The sum stays below 2^35, so the modulo is fair to one part in 2^29. */
static uint16_t draw(const struct sm_answer *answer, struct group *group, uint64_t *seed)
{
	uint64_t sum = 0, mark;
	uint32_t at = 0;

	if (group->n == 1)
		return take(group, 0);
	for (uint32_t i = 0; i < group->n; i++)
		sum += weight_of(answer, group->members[i]);
	mark = sm_random_step(seed) % sum;
	while (mark >= weight_of(answer, group->members[at]))
		mark -= weight_of(answer, group->members[at++]);
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

static uint32_t below(uint32_t n, uint64_t *seed)
{
	return (uint32_t)(sm_random_step(seed) % n);
}

/* The one of a target's addresses that glibc would sort first; drawn, where it would leave several in our order. */
static uint32_t best_address(const struct sm_answer *answer, const struct sm_target *target, uint8_t families, uint64_t *seed)
{
	uint32_t best = NOBODY, end = (uint32_t)target->first_address + target->n_addresses, n_equal = 0;

	for (uint32_t i = target->first_address; i < end; i++) {
		if (!(answer->addresses[i].family & families))
			continue;
		if (best == NOBODY || !stays_behind(answer, i, best)) {
			best = i;
			n_equal = 1;
		} else if (stays_behind(answer, best, i) && below(++n_equal, seed) == 0) {
			best = i;
		}
	}
	return best;
}

static void copy_address(const struct sm_answer *answer, uint32_t at, uint32_t max, struct sm_choice *choice)
{
	if (choice->n_addresses < max && !has_address(choice, &answer->addresses[at]))
		choice->addresses[choice->n_addresses++] = answer->addresses[at];
}

static void swap(uint16_t *a, uint16_t *b)
{
	uint16_t kept = *a;

	*a = *b;
	*b = kept;
}

/* Of a target's addresses that this host reaches, or does not reach: as many as there is room for, drawn, in random order
 * (reservoir sampling). */
static void copy_drawn(const struct sm_answer *answer, const struct sm_target *target, bool is_reachable, uint8_t families,
                       uint32_t first, uint32_t max, uint64_t *seed, struct sm_choice *choice)
{
	uint32_t room = max - choice->n_addresses, n_drawn = 0, n_seen = 0;
	uint16_t drawn[SM_ANSWERS_MAX];

	for (uint32_t i = 0; i < target->n_addresses && room > 0; i++) {
		uint32_t at = (uint32_t)target->first_address + i, place;

		if (sm_rank_is_reachable(answer->ranks[at]) != is_reachable || !(answer->addresses[at].family & families) ||
		    at == first || !stays_behind(answer, at, first))
			continue;
		place = below(++n_seen, seed);
		if (n_drawn < room) {
			drawn[n_drawn] = (uint16_t)at;
			swap(&drawn[n_drawn++], &drawn[place]);
		} else if (place < room) {
			drawn[place] = (uint16_t)at;
		}
	}
	for (uint32_t i = 0; i < n_drawn; i++)
		copy_address(answer, drawn[i], max, choice);
}

static void copy_target(const struct sm_answer *answer, const struct sm_target *target, uint8_t families, uint32_t first,
                        uint32_t max, uint64_t *seed, struct sm_choice *choice)
{
	if (target->n_addresses > 1) {
		copy_drawn(answer, target, true, families, first, max, seed, choice);
		copy_drawn(answer, target, false, families, first, max, seed, choice);
	} else if ((answer->addresses[target->first_address].family & families) &&
	           stays_behind(answer, target->first_address, first)) {
		copy_address(answer, target->first_address, max, choice);
	}
}

/* Where no rank says how glibc sorts, only the addresses of one target keep the weights. */
static bool is_unranked(const struct sm_answer *answer, uint32_t at)
{
	return (answer->ranks[at] & ~SM_RANK_UNREACHABLE) == SM_RANK_UNKNOWN && answer->n_addresses > 1;
}

/* `group` has at least one member. */
static void copy_group(const struct sm_answer *answer, const struct terms *terms, struct group *group, uint64_t seed,
                       struct sm_choice *choice)
{
	uint32_t max = terms->rule->max_answers < SM_ANSWERS_MAX ? terms->rule->max_answers : SM_ANSWERS_MAX, first = NOBODY;
	const struct sm_target *target = &answer->targets[draw_first(answer, group, terms->pin, &seed)];

	if (terms->rule->answers == SM_ANSWERS_ORDERED) {
		first = best_address(answer, target, terms->families, &seed);
		copy_address(answer, first, max, choice);
	}
	if (first == NOBODY || target->n_addresses > 1)
		copy_target(answer, target, terms->families, first, max, &seed, choice);
	if (terms->rule->answers == SM_ANSWERS_ONE || (first != NOBODY && is_unranked(answer, first)))
		return;
	while (group->n > 0 && choice->n_addresses < max)
		copy_target(answer, &answer->targets[draw(answer, group, &seed)], terms->families, first, max, &seed, choice);
}

/* The group to draw from. If all targets are down, they count as up; if none of what is left then can be reached, what is
 * left counts as reachable. Of families only the preferred one is left where the group has it. */
static void make_group(const struct sm_answer *answer, struct terms *terms, struct group *ret)
{
	uint8_t preferred = sm_rule_preferred_family(terms->rule) & terms->families;

	for (unsigned level = 0; level < 4; level++) {
		terms->with_down = level & 2;
		terms->with_unreachable = level & 1;
		take_best_priority(answer, terms, ret);
		if (ret->n > 0)
			break;
	}
	if (preferred && group_has(answer, terms, ret, preferred)) {
		terms->families = preferred;
		keep_family(answer, terms, ret);
	}
}

/* Families of which some target may have an address that the answer does not hold. */
static uint8_t unknown_families(const struct sm_answer *answer)
{
	return answer->uncertain_families | answer->cut_families | answer->unasked_families | answer->unawaited_families;
}

void sm_choose(const struct sm_answer *answer, const struct sm_rule *rule, uint8_t families, const struct sm_pin *pin,
               uint64_t seed, struct sm_choice *ret)
{
	struct terms terms = {.rule = rule, .pin = pin, .families = families};
	struct group group;

	ret->kind = answer->kind;
	ret->n_addresses = 0;
	if (answer->kind != SM_ANSWER_ADDRESSES)
		return;
	make_group(answer, &terms, &group);
	if (group.n > 0)
		copy_group(answer, &terms, &group, seed, ret);
	else
		ret->kind = pin || unknown_families(answer) & families ? SM_ANSWER_FAILURE : SM_ANSWER_NO_DATA;
}

enum sm_status sm_choose_target(const struct sm_answer *answer, const struct sm_rule *rule, uint8_t families,
                                uint64_t seed, struct sm_pin *ret)
{
	struct terms terms = {.rule = rule, .families = families, .needs_port = true};
	const struct sm_target *target;
	struct group group;

	if (answer->kind != SM_ANSWER_ADDRESSES)
		return SM_MISS;
	make_group(answer, &terms, &group);
	if (group.n == 0)
		return SM_MISS;
	target = &answer->targets[draw(answer, &group, &seed)];
	ret->port = target->port;
	return sm_name_parse(target->name, strlen(target->name), &ret->target);
}
