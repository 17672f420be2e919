/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Choosing (RFC 2782): which addresses of an answer a program gets, and in which order. Pure: the
 * caller passes the random seed. */
#pragma once

#include "mesh/answer.h"
#include "mesh/rule.h"

struct sm_choice {
	enum sm_answer_kind kind; /* ADDRESSES with at least one; NO_DATA or FAILURE when no address suits */
	uint32_t n_addresses;
	struct sm_address addresses[SM_ANSWERS_MAX]; /* each once, */
	uint16_t targets[SM_ANSWERS_MAX];            /* and whose it is: an index into the answer's targets */
};

/* A target whose port was given out before: the addresses must belong to this target. */
struct sm_pin {
	struct sm_name target;
	uint16_t port;
};

/* What a weight of a record counts in draws: 256 for each, and 1 for none. */
static inline uint64_t sm_choose_weight(uint16_t weight)
{
	return weight ? weight * 256ULL : 1;
}

/* Chooses for a program that asked for `families` (enum sm_families), of an answer that is judged by the rule (mesh/judge.h):
 *  - leaves out targets without an address of these families, those on another port than the rule's or the pin's, and those
 *    that lack a pair of the rule's filter; where nothing is left, the filter does not count if `filter_fallback` is all;
 *  - leaves out what this host does not reach (its rank, mesh/rank.h, says so), then what is down (marks that hold at
 *    `now_ns`, where the rule wants health), each unless nothing else is left;
 *  - keeps the group of the best priority. A priority of four or more targets of which fewer than `health_panic` are up is
 *    passed over; if no better one exists, all its targets count as up;
 *  - where the rule prefers a family and any target of the group has it, keeps only that family;
 *  - orders the group by repeated weighted draws, the pinned target first, those that the rule prefers before others, and
 *    takes at most `max_answers` addresses:
 *    `answers = all` takes all of them; `one` those of the first target; `ordered` the best address of the first target
 *    as glibc ranks it, then, in the order drawn, only addresses that glibc will not sort before that one. Without ranks
 *    `ordered` takes the addresses of the first target.
 *  - The addresses of one target come in random order, those that this host reaches first; so each of several that rank
 *    equal is as often the first.
 * Draws are exactly in proportion to the weights; a weight of zero beside others counts as 1/256 of weight 1, the "very
 * small chance" of RFC 2782. `pin` may be NULL; when no address of the pinned target is left, the answer is FAILURE. */
void sm_choose(const struct sm_answer *answer, const struct sm_rule *rule, uint8_t families, const struct sm_pin *pin,
               uint64_t seed, int64_t now_ns, struct sm_choice *ret);

/* Draws one target more, and one of its addresses, and takes its addresses out of the answer, so that the next call draws another
 * one: first all of the group, then what is left of the service, in the order of priorities. SM_MISS: none is left. */
enum sm_status sm_choose_take(struct sm_answer *answer, const struct sm_rule *rule, uint8_t families, uint64_t *seed,
                              int64_t now_ns, uint16_t *ret_target, struct sm_address *ret) SM_MUST_CHECK;

/* Has the answer one address of one target, whatever is known against it? There is nothing to prefer to it, and nothing to draw:
 * for a program that wants its family sm_choose takes it. */
bool sm_choose_is_certain(const struct sm_answer *answer, const struct sm_rule *rule);

/* Draws among the targets that have a port, by the same rules, for the services database. SM_MISS: no target has a port and
 * these families. SM_SILENT: none of them passes the filter, but metadata of some are not known. */
enum sm_status sm_choose_target(const struct sm_answer *answer, const struct sm_rule *rule, uint8_t families,
                                uint64_t seed, int64_t now_ns, struct sm_pin *ret) SM_MUST_CHECK;
