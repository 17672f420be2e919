/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lifetimes. An incomplete answer is kept no longer than a failure, so that the missing part is soon asked again. */
#include "mesh/lifetime.h"

#define NS_PER_MS 1000000LL

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

struct sm_times sm_lifetime_times(const struct sm_answer *answer, const struct sm_rule *rule, int64_t now_ns)
{
	int64_t expires_ns = now_ns + sm_lifetime_ms(answer, rule) * NS_PER_MS;
	bool may_be_stale = answer->kind == SM_ANSWER_ADDRESSES;

	return (struct sm_times){
		.made_ns = now_ns,
		.expires_ns = expires_ns,
		.recheck_ns = now_ns,
		.stale_ns = may_be_stale ? expires_ns + rule->stale_ms * NS_PER_MS : expires_ns,
	};
}

struct sm_times sm_lifetime_unrenewed(const struct sm_times *times, const struct sm_rule *rule, int64_t now_ns)
{
	struct sm_times unrenewed = *times;

	unrenewed.recheck_ns = now_ns + rule->failure_ttl_ms * NS_PER_MS;
	return unrenewed;
}

enum sm_freshness sm_lifetime_freshness(const struct sm_times *times, int64_t now_ns)
{
	if (times->made_ns > now_ns)
		return SM_DEAD;
	if (now_ns < times->expires_ns)
		return times->expires_ns - now_ns <= (times->expires_ns - times->made_ns) / 10 ? SM_DUE : SM_FRESH;
	if (now_ns >= times->stale_ns)
		return SM_DEAD;
	return now_ns < times->recheck_ns ? SM_STALE : SM_OLD;
}
