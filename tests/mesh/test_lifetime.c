/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/lifetime.h"

#include "tests/test.h"

static const struct sm_rule rule = {
	.min_ttl_ms = 1000,
	.max_ttl_ms = 3600000,
	.negative_ttl_ms = 10000,
	.failure_ttl_ms = 5000,
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

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(addresses_live_by_their_ttl_within_bounds),
	cmocka_unit_test(negative_answers_live_by_the_soa_up_to_their_bound),
	cmocka_unit_test(failures_live_for_their_own_time),
	cmocka_unit_test(an_incomplete_answer_lives_no_longer_than_a_failure),
	cmocka_unit_test(a_negative_bound_of_zero_keeps_nothing),
};

TESTS_MAIN(tests)
