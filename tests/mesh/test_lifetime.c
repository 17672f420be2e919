/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/lifetime.h"

#include "tests/test.h"

static const struct sm_rule rule = {
	.min_ttl_ms = 1000,
	.max_ttl_ms = 3600000,
	.negative_ttl_ms = 10000,
	.failure_ttl_ms = 5000,
	.stale_ms = 60000,
};

static uint32_t lifetime(enum sm_answer_kind kind, uint32_t ttl_s, uint8_t uncertain)
{
	static struct sm_answer answer;

	answer.kind = kind;
	answer.ttl_s = ttl_s;
	answer.uncertain_families = uncertain;
	return sm_lifetime_ms(&answer, &rule);
}

static void addresses_live_by_their_ttl_within_bounds(void **state)
{
	(void)state;
	assert_int_equal(lifetime(SM_ANSWER_ADDRESSES, 30, 0), 30000);
	assert_int_equal(lifetime(SM_ANSWER_ADDRESSES, 0, 0), 1000);
	assert_int_equal(lifetime(SM_ANSWER_ADDRESSES, UINT32_MAX, 0), 3600000);
}

static void negative_answers_live_by_the_soa_up_to_their_bound(void **state)
{
	(void)state;
	assert_int_equal(lifetime(SM_ANSWER_NO_NAME, 7, 0), 7000);
	assert_int_equal(lifetime(SM_ANSWER_NO_DATA, 900, 0), 10000);
	assert_int_equal(lifetime(SM_ANSWER_NO_DATA, 0, 0), 1000);
}

static void failures_live_for_their_own_time(void **state)
{
	(void)state;
	assert_int_equal(lifetime(SM_ANSWER_FAILURE, 900, 0), 5000);
}

static void an_incomplete_answer_lives_no_longer_than_a_failure(void **state)
{
	(void)state;
	assert_int_equal(lifetime(SM_ANSWER_ADDRESSES, 900, SM_IPV6), 5000);
	assert_int_equal(lifetime(SM_ANSWER_ADDRESSES, 2, SM_IPV6), 2000);
}

static void a_negative_bound_of_zero_keeps_nothing(void **state)
{
	struct sm_rule none = rule;
	static struct sm_answer answer = {.kind = SM_ANSWER_NO_NAME, .ttl_s = 60};

	(void)state;
	none.negative_ttl_ms = 0;
	assert_int_equal(sm_lifetime_ms(&answer, &none), 0);
}

#define S 1000000000LL
#define BEGAN (1000 * S)

static struct sm_times times(enum sm_answer_kind kind, uint32_t ttl_s)
{
	static struct sm_answer answer;

	answer.kind = kind;
	answer.ttl_s = ttl_s;
	return sm_lifetime_times(&answer, &rule, BEGAN);
}

static void an_answer_is_fresh_then_due_then_old_then_dead(void **state)
{
	struct sm_times thirty = times(SM_ANSWER_ADDRESSES, 30);

	(void)state;
	assert_int_equal(sm_lifetime_freshness(&thirty, BEGAN), SM_FRESH);
	assert_int_equal(sm_lifetime_freshness(&thirty, BEGAN + 27 * S - 1), SM_FRESH);
	assert_int_equal(sm_lifetime_freshness(&thirty, BEGAN + 27 * S), SM_DUE);
	assert_int_equal(sm_lifetime_freshness(&thirty, BEGAN + 30 * S - 1), SM_DUE);
	assert_int_equal(sm_lifetime_freshness(&thirty, BEGAN + 30 * S), SM_OLD);
	assert_int_equal(sm_lifetime_freshness(&thirty, BEGAN + 90 * S - 1), SM_OLD);
	assert_int_equal(sm_lifetime_freshness(&thirty, BEGAN + 90 * S), SM_DEAD);
}

static void what_could_not_be_renewed_is_stale_for_a_while_but_not_for_longer_than_it_may(void **state)
{
	struct sm_times thirty = times(SM_ANSWER_ADDRESSES, 30);

	(void)state;
	thirty = sm_lifetime_unrenewed(&thirty, &rule, BEGAN + 40 * S);
	assert_int_equal(sm_lifetime_freshness(&thirty, BEGAN + 45 * S - 1), SM_STALE);
	assert_int_equal(sm_lifetime_freshness(&thirty, BEGAN + 45 * S), SM_OLD);
	thirty = sm_lifetime_unrenewed(&thirty, &rule, BEGAN + 89 * S);
	assert_int_equal(sm_lifetime_freshness(&thirty, BEGAN + 90 * S), SM_DEAD);
}

static void a_negative_answer_is_never_stale(void **state)
{
	struct sm_times seven = times(SM_ANSWER_NO_NAME, 7), failure = times(SM_ANSWER_FAILURE, 0);

	(void)state;
	assert_int_equal(sm_lifetime_freshness(&seven, BEGAN + 7 * S), SM_DEAD);
	assert_int_equal(sm_lifetime_freshness(&failure, BEGAN + 5 * S), SM_DEAD);
}

static void an_answer_from_the_future_is_of_another_boot(void **state)
{
	struct sm_times thirty = times(SM_ANSWER_ADDRESSES, 30);

	(void)state;
	assert_int_equal(sm_lifetime_freshness(&thirty, BEGAN - 1), SM_DEAD);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(addresses_live_by_their_ttl_within_bounds),
	cmocka_unit_test(negative_answers_live_by_the_soa_up_to_their_bound),
	cmocka_unit_test(failures_live_for_their_own_time),
	cmocka_unit_test(an_incomplete_answer_lives_no_longer_than_a_failure),
	cmocka_unit_test(a_negative_bound_of_zero_keeps_nothing),
	cmocka_unit_test(an_answer_is_fresh_then_due_then_old_then_dead),
	cmocka_unit_test(what_could_not_be_renewed_is_stale_for_a_while_but_not_for_longer_than_it_may),
	cmocka_unit_test(a_negative_answer_is_never_stale),
	cmocka_unit_test(an_answer_from_the_future_is_of_another_boot),
};

TESTS_MAIN(tests)
