/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The group of targets to draw from: what choosing (mesh/choose.h) and explaining (mesh/standing.h) share. Pure. */
#pragma once

#include "mesh/answer.h"
#include "mesh/choose.h"
#include "mesh/rule.h"

/* The targets to draw from: indexes into answer->targets. */
struct sm_group {
	uint32_t n;
	uint32_t n_down; /* targets that would belong to it, but are down */
	bool is_preferring;
	uint16_t members[SM_TARGETS_MAX];
};

/* By what targets and addresses are left out. */
struct sm_terms {
	const struct sm_rule *rule;
	const struct sm_pin *pin;
	int64_t now_ns;
	uint8_t families;
	bool needs_port;
	bool is_filtered;
	bool with_down, with_unreachable; /* where no others are left */
};

/* By a mark that holds, the address of the target is down. */
bool sm_group_is_down(const struct sm_answer *answer, uint32_t target, uint32_t address, int64_t now_ns);

static inline bool sm_group_leaves_out(const struct sm_answer *answer, uint32_t target, uint32_t address,
                                       const struct sm_terms *terms)
{
	return answer->targets[target].is_marked && !terms->with_down && sm_group_is_down(answer, target, address, terms->now_ns);
}

/* Is the address of the target neither of another family nor down? */
static inline bool sm_group_uses(const struct sm_answer *answer, uint32_t target, uint32_t address, const struct sm_terms *terms)
{
	return (answer->addresses[address].family & terms->families) && !sm_group_leaves_out(answer, target, address, terms);
}

/* The wanted families of which the target has an address that counts. */
static inline uint8_t sm_group_families(const struct sm_answer *answer, uint32_t target, const struct sm_terms *terms)
{
	uint32_t first = answer->targets[target].first_address, end = first + answer->targets[target].n_addresses;
	uint8_t families = 0;

	for (uint32_t i = first; i < end; i++)
		if ((terms->with_unreachable || sm_rank_is_reachable(answer->ranks[i])) && !sm_group_leaves_out(answer, target,
		                                                                                                i, terms))
			families |= answer->addresses[i].family;
	return families & terms->families;
}

/* A name without SRV has no port of its own: the rule's port then does not apply. */
static inline bool sm_group_suits_port(const struct sm_target *target, const struct sm_terms *terms)
{
	if (terms->pin)
		return target->port == terms->pin->port;
	if (terms->needs_port && target->port == 0)
		return false;
	return terms->rule->port == 0 || target->port == 0 || target->port == terms->rule->port;
}

/* The group. What the filter leaves out is in only if it leaves nothing, and the rule allows it. Of families only the preferred
 * one is left where the group has it. `terms` says afterwards what had to be given up. */
void sm_group_make(const struct sm_answer *answer, struct sm_terms *terms, struct sm_group *ret);
