/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lifetimes. An answer that could not be completed lives no longer than a failure: the rest is worth asking again. */
#include "mesh/lifetime.h"

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t clamped(uint64_t ms, uint32_t low, uint32_t high)
{
	if (ms > high)
		return high;
	return ms < low ? smaller(low, high) : (uint32_t)ms;
}

uint32_t sm_lifetime_ms(const struct sm_answer *answer, const struct sm_rule *rule)
{
	uint64_t ttl_ms = (uint64_t)answer->ttl_s * 1000;
	uint32_t lifetime_ms = rule->failure_ttl_ms;

	switch (answer->kind) {
	case SM_ANSWER_ADDRESSES:
		lifetime_ms = clamped(ttl_ms, rule->min_ttl_ms, rule->max_ttl_ms);
		break;
	case SM_ANSWER_NO_NAME:
	case SM_ANSWER_NO_DATA:
		lifetime_ms = clamped(ttl_ms, rule->min_ttl_ms, rule->negative_ttl_ms);
		break;
	case SM_ANSWER_FAILURE:
		break;
	}
	return answer->uncertain_families ? smaller(lifetime_ms, rule->failure_ttl_ms) : lifetime_ms;
}
