/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Choosing: leave out targets (filter, health, reach), group by priority, choose the family, draw by preference and weight,
 * copy. */
#include "mesh/choose.h"

#include "base/random.h"

#include <string.h>

#define PANIC_TARGETS 4 /* of fewer targets the share that is up says little */

/* The targets to draw from: indexes into answer->targets. */
struct group {
	uint32_t n;
	uint32_t n_down; /* targets that would belong to it, but are down */
	bool is_preferring;
	uint16_t members[SM_TARGETS_MAX];
};

/* By what targets and addresses are left out. */
struct terms {
	const struct sm_rule *rule;
	const struct sm_pin *pin;
	int64_t now_ns;
	uint8_t families;
	bool needs_port;
	bool is_filtered;
	bool with_down, with_unreachable; /* where no others are left */
};

/* ---- who is in */

static bool is_down(const struct sm_answer *answer, uint32_t target, uint32_t address, int64_t now_ns)
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

static inline bool is_left_out(const struct sm_answer *answer, uint32_t target, uint32_t address, const struct terms *terms)
{
	return answer->targets[target].is_marked && !terms->with_down && is_down(answer, target, address, terms->now_ns);
}

/* Is the address of the target neither of another family nor down? */
static inline bool is_usable(const struct sm_answer *answer, uint32_t target, uint32_t address, const struct terms *terms)
{
	return (answer->addresses[address].family & terms->families) && !is_left_out(answer, target, address, terms);
}

/* The wanted families of which the target has an address that counts. */
static inline uint8_t families_of(const struct sm_answer *answer, uint32_t target, const struct terms *terms)
{
	uint32_t first = answer->targets[target].first_address, end = first + answer->targets[target].n_addresses;
	uint8_t families = 0;

	for (uint32_t i = first; i < end; i++)
		if ((terms->with_unreachable || sm_rank_is_reachable(answer->ranks[i])) && !is_left_out(answer, target, i, terms))
			families |= answer->addresses[i].family;
	return families & terms->families;
}

/* A name without SRV has no port of its own: the rule's port then does not apply. */
static inline bool suits_port(const struct sm_target *target, const struct terms *terms)
{
	if (terms->pin)
		return target->port == terms->pin->port;
	if (terms->needs_port && target->port == 0)
		return false;
	return terms->rule->port == 0 || target->port == 0 || target->port == terms->rule->port;
}

static bool has_down_address(const struct sm_answer *answer, uint32_t target, const struct terms *terms)
{
	struct terms with_down = *terms;

	with_down.with_down = true;
	return families_of(answer, target, &with_down);
}

/* The targets that suit of the priority that begins at `first`; returns where the next one begins. */
static uint32_t take_priority(const struct sm_answer *answer, uint32_t first, const struct terms *terms, struct group *ret)
{
	uint16_t priority = answer->targets[first].priority;
	uint32_t i = first;

	ret->n = ret->n_down = 0;
	for (; i < answer->n_targets && answer->targets[i].priority == priority; i++) {
		const struct sm_target *target = &answer->targets[i];

		if (!suits_port(target, terms) || (terms->is_filtered && !(target->judgement & SM_PASSES_FILTER)))
			continue;
		if (families_of(answer, i, terms))
			ret->members[ret->n++] = (uint16_t)i;
		else if (target->is_marked && has_down_address(answer, i, terms))
			ret->n_down++;
	}
	return i;
}

static bool take_best_priority(const struct sm_answer *answer, const struct terms *terms, struct group *ret)
{
	ret->n = 0;
	for (uint32_t i = 0; i < answer->n_targets && ret->n == 0;)
		i = take_priority(answer, i, terms, ret);
	return ret->n > 0;
}

/* Is so little of the priority up that what is down may as well be a fault of ours? Then it is used whole. */
static bool is_panic(const struct group *group, const struct sm_rule *rule)
{
	uint32_t n = group->n + group->n_down;

	return n >= PANIC_TARGETS && group->n * 100 < rule->health_panic_percent * n;
}

/* Some addresses are down: the targets that are up of the best priority that has enough of them; if none has, all targets of
 * the best priority of which some are up. */
static bool take_healthy(const struct sm_answer *answer, struct terms *terms, struct group *ret)
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
static bool take_group(const struct sm_answer *answer, struct terms *terms, struct group *ret)
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

static void keep_family(const struct sm_answer *answer, const struct terms *terms, struct group *group)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < group->n; i++)
		if (families_of(answer, group->members[i], terms))
			group->members[kept++] = group->members[i];
	group->n = kept;
}

static bool group_has(const struct sm_answer *answer, const struct terms *terms, const struct group *group, uint8_t family)
{
	for (uint32_t i = 0; i < group->n; i++)
		if (families_of(answer, group->members[i], terms) & family)
			return true;
	return false;
}

/* The group to draw from. What the filter leaves out is in only if it leaves nothing, and the rule allows it. Of families only
 * the preferred one is left where the group has it. */
static void make_group(const struct sm_answer *answer, struct terms *terms, struct group *ret)
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

/* ---- drawing */

static void swap(uint16_t *a, uint16_t *b)
{
	uint16_t kept = *a;

	*a = *b;
	*b = kept;
}

/* Brings the members that are preferred most to the front; returns how many they are. */
static uint32_t bring_forward(const struct sm_answer *answer, struct group *group)
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
static uint16_t draw_first(const struct sm_answer *answer, struct group *group, const struct sm_pin *pin, uint64_t *seed)
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
static uint32_t best_address(const struct sm_answer *answer, uint16_t target, const struct terms *terms, uint64_t *seed)
{
	uint32_t first = answer->targets[target].first_address, end = first + answer->targets[target].n_addresses;
	uint32_t best = NOBODY, n_equal = 0;

	for (uint32_t i = first; i < end; i++) {
		if (!is_usable(answer, target, i, terms))
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

/* Of a target's addresses that this host reaches, or does not reach: as many as there is room for, drawn, in random order
 * (reservoir sampling). */
static void copy_drawn(const struct sm_answer *answer, uint16_t target, bool is_reachable, const struct terms *terms,
                       uint32_t first, uint32_t max, uint64_t *seed, struct sm_choice *choice)
{
	uint32_t room = max - choice->n_addresses, n_drawn = 0, n_seen = 0;
	uint16_t drawn[SM_ANSWERS_MAX];

	for (uint32_t i = 0; i < answer->targets[target].n_addresses && room > 0; i++) {
		uint32_t at = (uint32_t)answer->targets[target].first_address + i, place;

		if (sm_rank_is_reachable(answer->ranks[at]) != is_reachable || at == first ||
		    !stays_behind(answer, at, first) || !is_usable(answer, target, at, terms))
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

static void copy_target(const struct sm_answer *answer, uint16_t target, const struct terms *terms, uint32_t first,
                        uint32_t max, uint64_t *seed, struct sm_choice *choice)
{
	uint32_t only = answer->targets[target].first_address;

	if (answer->targets[target].n_addresses > 1) {
		copy_drawn(answer, target, true, terms, first, max, seed, choice);
		copy_drawn(answer, target, false, terms, first, max, seed, choice);
	} else if (is_usable(answer, target, only, terms) && stays_behind(answer, only, first)) {
		copy_address(answer, only, max, choice);
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
	uint16_t target = draw_first(answer, group, terms->pin, &seed);

	if (terms->rule->answers == SM_ANSWERS_ORDERED) {
		first = best_address(answer, target, terms, &seed);
		copy_address(answer, first, max, choice);
	}
	if (first == NOBODY || answer->targets[target].n_addresses > 1)
		copy_target(answer, target, terms, first, max, &seed, choice);
	if (terms->rule->answers == SM_ANSWERS_ONE || (first != NOBODY && is_unranked(answer, first)))
		return;
	while (group->n > 0 && choice->n_addresses < max)
		copy_target(answer, draw(answer, group, &seed), terms, first, max, &seed, choice);
}

/* May there be a target that passes the filter, of which the answer does not know? */
static bool may_pass(const struct sm_answer *answer, const struct terms *terms)
{
	return terms->is_filtered && (answer->is_metadata_unknown || answer->is_metadata_cut);
}

/* May there be an address that suits, of which the answer does not know? */
static bool is_unknown(const struct sm_answer *answer, const struct terms *terms)
{
	uint8_t families = answer->uncertain_families | answer->cut_families | answer->unasked_families |
	                   answer->unawaited_families;

	return families & terms->families || may_pass(answer, terms);
}

void sm_choose(const struct sm_answer *answer, const struct sm_rule *rule, uint8_t families, const struct sm_pin *pin,
               uint64_t seed, int64_t now_ns, struct sm_choice *ret)
{
	struct terms terms = {.rule = rule, .pin = pin, .now_ns = now_ns, .families = families};
	struct group group;

	ret->kind = answer->kind;
	ret->n_addresses = 0;
	if (answer->kind != SM_ANSWER_ADDRESSES)
		return;
	make_group(answer, &terms, &group);
	if (group.n > 0)
		copy_group(answer, &terms, &group, seed, ret);
	else
		ret->kind = pin || is_unknown(answer, &terms) ? SM_ANSWER_FAILURE : SM_ANSWER_NO_DATA;
}

enum sm_status sm_choose_target(const struct sm_answer *answer, const struct sm_rule *rule, uint8_t families,
                                uint64_t seed, int64_t now_ns, struct sm_pin *ret)
{
	struct terms terms = {.rule = rule, .now_ns = now_ns, .families = families, .needs_port = true};
	const struct sm_target *target;
	struct group group;

	if (answer->kind != SM_ANSWER_ADDRESSES)
		return SM_MISS;
	make_group(answer, &terms, &group);
	if (group.n == 0)
		return may_pass(answer, &terms) ? SM_SILENT : SM_MISS;
	target = &answer->targets[draw(answer, &group, &seed)];
	ret->port = target->port;
	return sm_name_parse(target->name, strlen(target->name), &ret->target);
}
