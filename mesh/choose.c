/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Choosing: make the group to draw from (mesh/group.h), draw by preference and weight, copy. */
#include "mesh/choose.h"

#include "base/random.h"
#include "mesh/group.h"

#include <string.h>

/* ---- drawing */

static void swap(uint16_t *a, uint16_t *b)
{
	uint16_t kept = *a;

	*a = *b;
	*b = kept;
}

/* Brings the members that are preferred most to the front; returns how many they are. */
static uint32_t bring_forward(const struct sm_answer *answer, struct sm_group *group)
{
	uint8_t best = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < group->n; i++) {
		uint8_t preference = answer->targets[group->members[i]].judgement & (uint8_t)~SM_PASSES_FILTER;

		if (preference > best)
			n = 0;
		if (preference < best)
			continue;
		best = preference;
		swap(&group->members[i], &group->members[n++]);
	}
	return n;
}

static uint64_t weight_of(const struct sm_answer *answer, uint16_t member)
{
	return sm_choose_weight(answer->targets[member].weight);
}

static uint16_t take(struct sm_group *group, uint32_t at)
{
	uint16_t taken = group->members[at];

	group->members[at] = group->members[--group->n];
	return taken;
}

/* One draw without replacement. The sum stays below 2^35, so the modulo is fair to one part in 2^29. */
static uint16_t draw(const struct sm_answer *answer, struct sm_group *group, uint64_t *seed)
{
	uint64_t sum = 0, mark;
	uint32_t at = 0, n;

	if (group->n == 1)
		return take(group, 0);
	n = group->is_preferring ? bring_forward(answer, group) : group->n;
	for (uint32_t i = 0; i < n; i++)
		sum += weight_of(answer, group->members[i]);
	mark = sm_random_step(seed) % sum;
	while (mark >= weight_of(answer, group->members[at]))
		mark -= weight_of(answer, group->members[at++]);
	return take(group, at);
}

/* The first draw: the pinned target if there is one, else a random one. */
static uint16_t draw_first(const struct sm_answer *answer, struct sm_group *group, const struct sm_pin *pin, uint64_t *seed)
{
	for (uint32_t i = 0; pin && i < group->n; i++)
		if (strcmp(answer->targets[group->members[i]].name, pin->target.text) == 0)
			return take(group, i);
	return draw(answer, group, seed);
}

/* ---- copying */

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
static uint32_t best_address(const struct sm_answer *answer, uint16_t target, const struct sm_terms *terms, uint64_t *seed)
{
	uint32_t first = answer->targets[target].first_address, end = first + answer->targets[target].n_addresses;
	uint32_t best = NOBODY, n_equal = 0;

	for (uint32_t i = first; i < end; i++) {
		if (!sm_group_uses(answer, target, i, terms))
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

static void copy_address(const struct sm_answer *answer, uint16_t target, uint32_t at, uint32_t max, struct sm_choice *choice)
{
	if (choice->n_addresses >= max || has_address(choice, &answer->addresses[at]))
		return;
	choice->targets[choice->n_addresses] = target;
	choice->addresses[choice->n_addresses++] = answer->addresses[at];
}

/* Of a target's addresses that this host reaches, or does not reach: as many as there is room for, drawn, in random order
 * (reservoir sampling). */
static void copy_drawn(const struct sm_answer *answer, uint16_t target, bool is_reachable, const struct sm_terms *terms,
                       uint32_t first, uint32_t max, uint64_t *seed, struct sm_choice *choice)
{
	uint32_t room = max - choice->n_addresses, n_drawn = 0, n_seen = 0;
	uint16_t drawn[SM_ANSWERS_MAX];

	for (uint32_t i = 0; i < answer->targets[target].n_addresses && room > 0; i++) {
		uint32_t at = (uint32_t)answer->targets[target].first_address + i, place;

		if (sm_rank_is_reachable(answer->ranks[at]) != is_reachable || at == first ||
		    !stays_behind(answer, at, first) || !sm_group_uses(answer, target, at, terms))
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
		copy_address(answer, target, drawn[i], max, choice);
}

static void copy_target(const struct sm_answer *answer, uint16_t target, const struct sm_terms *terms, uint32_t first,
                        uint32_t max, uint64_t *seed, struct sm_choice *choice)
{
	uint32_t only = answer->targets[target].first_address;

	if (answer->targets[target].n_addresses > 1) {
		copy_drawn(answer, target, true, terms, first, max, seed, choice);
		copy_drawn(answer, target, false, terms, first, max, seed, choice);
	} else if (sm_group_uses(answer, target, only, terms) && stays_behind(answer, only, first)) {
		copy_address(answer, target, only, max, choice);
	}
}

/* Where no rank says how glibc sorts, only the addresses of one target keep the weights. */
static bool is_unranked(const struct sm_answer *answer, uint32_t at)
{
	return (answer->ranks[at] & ~SM_RANK_UNREACHABLE) == SM_RANK_UNKNOWN && answer->n_addresses > 1;
}

/* `group` has at least one member. */
static void copy_group(const struct sm_answer *answer, const struct sm_terms *terms, struct sm_group *group, uint64_t seed,
                       struct sm_choice *choice)
{
	uint32_t max = terms->rule->max_answers < SM_ANSWERS_MAX ? terms->rule->max_answers : SM_ANSWERS_MAX, first = NOBODY;
	uint16_t target = draw_first(answer, group, terms->pin, &seed);

	if (terms->rule->answers == SM_ANSWERS_ORDERED) {
		first = best_address(answer, target, terms, &seed);
		copy_address(answer, target, first, max, choice);
	}
	if (first == NOBODY || answer->targets[target].n_addresses > 1)
		copy_target(answer, target, terms, first, max, &seed, choice);
	if (terms->rule->answers == SM_ANSWERS_ONE || (first != NOBODY && is_unranked(answer, first)))
		return;
	while (group->n > 0 && choice->n_addresses < max)
		copy_target(answer, draw(answer, group, &seed), terms, first, max, &seed, choice);
}

/* May there be a target that passes the filter, of which the answer does not know? */
static bool may_pass(const struct sm_answer *answer, const struct sm_terms *terms)
{
	return terms->is_filtered && (answer->is_metadata_unknown || answer->is_metadata_cut);
}

/* May there be an address that suits, of which the answer does not know? */
static bool is_unknown(const struct sm_answer *answer, const struct sm_terms *terms)
{
	uint8_t families = answer->uncertain_families | answer->cut_families | answer->unasked_families |
	                   answer->unawaited_families;

	return families & terms->families || may_pass(answer, terms);
}

bool sm_choose_is_certain(const struct sm_answer *answer, const struct sm_rule *rule)
{
	return answer->kind == SM_ANSWER_ADDRESSES && answer->n_targets == 1 && answer->n_addresses == 1 &&
	       answer->targets[0].n_addresses == 1 && rule->filter.n == 0;
}

static bool is_certain(const struct sm_answer *answer, const struct sm_terms *terms)
{
	return sm_choose_is_certain(answer, terms->rule) && sm_group_suits_port(&answer->targets[0], terms) &&
	       (answer->addresses[0].family & terms->families);
}

void sm_choose(const struct sm_answer *answer, const struct sm_rule *rule, uint8_t families, const struct sm_pin *pin,
               uint64_t seed, int64_t now_ns, struct sm_choice *ret)
{
	struct sm_terms terms = {.rule = rule, .pin = pin, .now_ns = now_ns, .families = families};
	struct sm_group group;

	ret->kind = answer->kind;
	ret->n_addresses = 0;
	if (answer->kind != SM_ANSWER_ADDRESSES)
		return;
	if (is_certain(answer, &terms)) {
		copy_address(answer, 0, answer->targets[0].first_address, 1, ret);
		return;
	}
	sm_group_make(answer, &terms, &group);
	if (group.n > 0)
		copy_group(answer, &terms, &group, seed, ret);
	else
		ret->kind = pin || is_unknown(answer, &terms) ? SM_ANSWER_FAILURE : SM_ANSWER_NO_DATA;
}

enum sm_status sm_choose_target(const struct sm_answer *answer, const struct sm_rule *rule, uint8_t families,
                                uint64_t seed, int64_t now_ns, struct sm_pin *ret)
{
	struct sm_terms terms = {.rule = rule, .now_ns = now_ns, .families = families, .needs_port = true};
	const struct sm_target *target;
	struct sm_group group;

	if (answer->kind != SM_ANSWER_ADDRESSES)
		return SM_MISS;
	sm_group_make(answer, &terms, &group);
	if (group.n == 0)
		return may_pass(answer, &terms) ? SM_SILENT : SM_MISS;
	target = &answer->targets[draw(answer, &group, &seed)];
	ret->port = target->port;
	return sm_name_parse(target->name, strlen(target->name), &ret->target);
}

enum sm_status sm_choose_take(struct sm_answer *answer, const struct sm_rule *rule, uint8_t families, uint64_t *seed,
                              int64_t now_ns, uint16_t *ret_target, struct sm_address *ret)
{
	struct sm_terms terms = {.rule = rule, .now_ns = now_ns, .families = families};
	struct sm_group group;

	if (answer->kind != SM_ANSWER_ADDRESSES)
		return SM_MISS;
	sm_group_make(answer, &terms, &group);
	if (group.n == 0)
		return SM_MISS;
	*ret_target = draw(answer, &group, seed);
	*ret = answer->addresses[best_address(answer, *ret_target, &terms, seed)];
	answer->targets[*ret_target].n_addresses = 0;
	return SM_OK;
}
