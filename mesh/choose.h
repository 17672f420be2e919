/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Choosing (RFC 2782): which addresses of an answer a program gets, in which order. Pure: chance is a seed. */
#pragma once

#include "mesh/answer.h"
#include "mesh/rule.h"

struct sm_choice {
	enum sm_answer_kind kind; /* ADDRESSES with at least one; NO_DATA or FAILURE when no address suits */
	uint32_t n_addresses;
	struct sm_address addresses[SM_ANSWERS_MAX]; /* each once */
};

/* Chooses for a program that asked for `families` (enum sm_families):
 *  - targets without an address of these families, or on another port than the rule's, are left out;
 *  - of the others, the group of the best priority; where the rule prefers a family and any target of the group has
 *    it, only that family;
 *  - the group in the order of repeated weighted draws, `answers = one` its first target only, at most `max_answers`.
 * Weights draw exactly in proportion: equal weights are equal, and a zero beside others is drawn as 1/256 of weight 1,
 * the "very small chance" of RFC 2782. */
void sm_choose(const struct sm_answer *answer, const struct sm_rule *rule, uint8_t families, uint64_t seed,
               struct sm_choice *ret);
