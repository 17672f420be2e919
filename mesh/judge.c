/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/judge.h"

#include "mesh/field.h"

static bool passes_filter(const struct sm_target *target, const struct sm_pairs *filter)
{
	for (uint32_t i = 0; i < filter->n; i++)
		if (!sm_metadata_has(target->metadata, target->metadata_size, &filter->pairs[i]))
			return false;
	return true;
}

/* So numbers compare as preferences do. */
static uint8_t judgement_of(const struct sm_target *target, const struct sm_rule *rule)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < rule->prefer.n; i++)
		bits = bits << 1 | sm_metadata_has(target->metadata, target->metadata_size, &rule->prefer.pairs[i]);
	return (uint8_t)(bits << 1 | (passes_filter(target, &rule->filter) ? SM_PASSES_FILTER : 0));
}

void sm_judge(struct sm_answer *answer, const struct sm_rule *rule)
{
	sm_field_unpack_metadata(answer);
	for (uint32_t i = 0; i < answer->n_targets; i++)
		answer->targets[i].judgement = judgement_of(&answer->targets[i], rule);
	answer->judged_by = rule->pairs_key;
}
