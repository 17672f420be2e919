/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Judging metadata: which targets pass the filter of a rule, and how far each has what the rule prefers. It is done once,
 * where an answer is made, and kept in its record: a reader with the same pairs need not look at metadata. Pure. */
#pragma once

#include "mesh/answer.h"
#include "mesh/rule.h"

/* Judges all targets, */
void sm_judge(struct sm_answer *answer, const struct sm_rule *rule);
/* unless they are judged by the same pairs, or the rule has none. */
static inline void sm_judge_if_needed(struct sm_answer *answer, const struct sm_rule *rule)
{
	if (rule->pairs_key != 0 && answer->judged_by != rule->pairs_key)
		sm_judge(answer, rule);
}
