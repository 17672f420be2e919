/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lifetimes. An incomplete answer is kept no longer than a failure, so that the missing part is soon asked again. */
#include "mesh/lifetime.h"

#define NS_PER_MS 1000000LL
#define SPREAD_NS (5000 * NS_PER_MS) /* of renewals after a jump of the clock */
#define BAD_MAX_NS (5000 * NS_PER_MS) /* between questions to servers that answer badly (RFC 9520, 3.2) */

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

static int64_t brought_in(int64_t made_ns, int64_t moment_ns)
{
	if (sm_lifetime_distance(made_ns, moment_ns) < 2ULL * SM_LIFE_MAX_NS)
		return moment_ns;
	return moment_ns < made_ns ? made_ns - SM_LIFE_MAX_NS : made_ns + SM_LIFE_MAX_NS;
}

void sm_lifetime_bring_in(struct sm_times *times)
{
	if (sm_lifetime_is_made_up(times->made_ns))
		times->made_ns = SM_MADE_MAX_NS; /* of the future for ever */
	times->expires_ns = brought_in(times->made_ns, times->expires_ns);
	times->recheck_ns = brought_in(times->made_ns, times->recheck_ns);
	times->stale_ns = brought_in(times->made_ns, times->stale_ns);
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
	if (answer->uncertain_families || answer->is_metadata_unknown || sm_answer_is_makeshift(answer))
		return smaller(lifetime_ms, rule->failure_ttl_ms);
	return lifetime_ms;
}

struct sm_times sm_lifetime_times(const struct sm_answer *answer, const struct sm_rule *rule, int64_t now_ns)
{
	int64_t expires_ns = now_ns + sm_lifetime_ms(answer, rule) * NS_PER_MS;
	bool may_be_stale = answer->kind == SM_ANSWER_ADDRESSES && !sm_answer_is_makeshift(answer);

	return (struct sm_times){
		.made_ns = now_ns,
		.expires_ns = expires_ns,
		.recheck_ns = answer->deferred_families ? now_ns + rule->failure_ttl_ms * NS_PER_MS : now_ns,
		.stale_ns = may_be_stale ? expires_ns + rule->stale_ms * NS_PER_MS : expires_ns,
	};
}

void sm_lifetime_end(struct sm_times *times, int64_t now_ns)
{
	if (times->expires_ns > now_ns)
		times->expires_ns = now_ns;
	times->recheck_ns = times->expires_ns;
}

struct sm_times sm_lifetime_unrenewed(const struct sm_times *times, const struct sm_rule *rule, int64_t now_ns)
{
	struct sm_times unrenewed = *times;

	unrenewed.recheck_ns = now_ns + rule->failure_ttl_ms * NS_PER_MS;
	return unrenewed;
}

uint32_t sm_lifetime_patience_ms(const struct sm_times *times, const struct sm_rule *rule)
{
	if (times->n_unrenewed >= SM_UNRENEWED_MAX)
		return rule->deadline_ms;
	return smaller(rule->stale_after_ms << times->n_unrenewed, rule->deadline_ms);
}

struct sm_times sm_lifetime_failed_again(const struct sm_times *times, const struct sm_times *before)
{
	int64_t life_ns = times->expires_ns - times->made_ns, before_ns = before->expires_ns - before->made_ns, more_ns;
	struct sm_times longer = *times;

	/* a whole answer, or one that ended long ago, has nothing to do with this one */
	if (before_ns <= 0 || before_ns > BAD_MAX_NS || times->made_ns - before->expires_ns > 2 * BAD_MAX_NS)
		return longer;
	more_ns = 2 * before_ns < BAD_MAX_NS ? 2 * before_ns : BAD_MAX_NS;
	if (more_ns > life_ns) {
		longer.expires_ns += more_ns - life_ns;
		longer.stale_ns += more_ns - life_ns;
	}
	return longer;
}

/* Names that were loaded together would all be renewed together, time and again. So each draws its moment in the last tenth
 * of its life, from its own times: far enough from the end that a hit still comes before it. */
int64_t sm_lifetime_due_ns(const struct sm_times *times)
{
	int64_t tenth_ns = (times->expires_ns - times->made_ns) / 10;
	/* 0 to 1023 */
	uint64_t draw = ((uint64_t)times->made_ns ^ (uint64_t)times->expires_ns << 20) * 0x9e3779b97f4a7c15ULL >> 54;

	return times->expires_ns - tenth_ns + tenth_ns / 4 * 3 / 1024 * (int64_t)draw;
}

static bool is_due(const struct sm_times *times, int64_t now_ns)
{
	return times->expires_ns - now_ns <= (times->expires_ns - times->made_ns) / 10 && now_ns >= sm_lifetime_due_ns(times);
}

enum sm_freshness sm_lifetime_freshness(const struct sm_times *times, int64_t now_ns)
{
	if (times->made_ns > now_ns)
		return SM_DEAD;
	if (now_ns < times->expires_ns)
		return is_due(times, now_ns) ? SM_DUE : SM_FRESH;
	if (now_ns >= times->stale_ns)
		return SM_DEAD;
	return now_ns < times->recheck_ns ? SM_STALE : SM_OLD;
}

int64_t sm_lifetime_turn_ns(uint32_t name_hash, int64_t jumped_ns, int64_t now_ns)
{
	if (jumped_ns == 0 || now_ns >= jumped_ns + SPREAD_NS)
		return 0;
	/* 0 to 1023 */
	return jumped_ns + (int64_t)((name_hash ^ (uint64_t)jumped_ns) * 0x9e3779b97f4a7c15ULL >> 54) * SPREAD_NS / 1024;
}

enum sm_use sm_lifetime_use(const struct sm_times *times, enum sm_answer_kind kind, const struct sm_outlook *outlook,
                            int64_t now_ns)
{
	enum sm_freshness freshness = sm_lifetime_freshness(times, now_ns);

	switch (freshness) {
	case SM_FRESH:
	case SM_DUE:
		if (kind == SM_ANSWER_FAILURE)
			return outlook->back_ns > times->made_ns ? SM_ASK : SM_USE;
		return freshness == SM_DUE ? SM_USE_AND_ASK : SM_USE;
	case SM_STALE:
		return SM_USE;
	case SM_OLD:
		if (outlook->turn_ns)
			return now_ns >= outlook->turn_ns ? SM_USE_AND_ASK : SM_USE;
		return outlook->are_down ? SM_USE_AND_ASK : SM_ASK;
	case SM_DEAD:
		break;
	}
	return outlook->are_down && outlook->is_lasting ? SM_ASK_OR_FAIL : SM_ASK;
}
