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
	assert_int_equal(sm_lifetime_freshness(&thirty, BEGAN + 29250 * S / 1000), SM_DUE);
	assert_int_equal(sm_lifetime_freshness(&thirty, BEGAN + 30 * S - 1), SM_DUE);
	assert_int_equal(sm_lifetime_freshness(&thirty, BEGAN + 30 * S), SM_OLD);
	assert_int_equal(sm_lifetime_freshness(&thirty, BEGAN + 90 * S - 1), SM_OLD);
	assert_int_equal(sm_lifetime_freshness(&thirty, BEGAN + 90 * S), SM_DEAD);
}

/* 5,000 names that were loaded within a second, each hit every 10 ms: in which tenth of a second are they renewed? */
static void names_that_were_loaded_together_are_not_renewed_together(void **state)
{
	unsigned renewed[51] = {0}, most = 0;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		struct sm_times times = {.made_ns = BEGAN + i * 200001LL, .expires_ns = BEGAN + i * 200001LL + 30 * S};
		int64_t at_ns = BEGAN + 26 * S;

		while (sm_lifetime_freshness(&times, at_ns) == SM_FRESH)
			at_ns += S / 100;
		assert_in_range(at_ns - times.made_ns, 27 * S, 29260 * S / 1000);
		renewed[(at_ns - BEGAN - 26 * S) * 10 / S]++;
	}
	for (size_t i = 0; i < COUNT(renewed); i++)
		most = renewed[i] > most ? renewed[i] : most;
	assert_in_range(most, 1, 300); /* 500 came in each tenth of a second when they were loaded */
}

static void what_to_do_is_one_table(void **state)
{
	static const struct sm_times fresh = {BEGAN, BEGAN + 30 * S, BEGAN, BEGAN + 90 * S, 0}, nothing = {0, 0, 0, 0, 0};
	static const struct {
		const struct sm_times *times;
		int64_t after_s; /* what was kept at BEGAN */
		enum sm_answer_kind kind;
		struct sm_outlook outlook;
		enum sm_use use;
	} rows[] = {
		{&fresh, 1, SM_ANSWER_ADDRESSES, {true, true, 0, 0}, SM_USE},
		{&fresh, 29, SM_ANSWER_ADDRESSES, {true, true, 0, 0}, SM_USE_AND_ASK},
		{&fresh, 40, SM_ANSWER_ADDRESSES, {true, false, 0, 0}, SM_USE_AND_ASK},
		{&fresh, 40, SM_ANSWER_ADDRESSES, {false, false, 0, 0}, SM_ASK},
		{&fresh, 40, SM_ANSWER_ADDRESSES, {false, false, 0, BEGAN + 41 * S}, SM_USE},
		{&fresh, 40, SM_ANSWER_ADDRESSES, {false, false, 0, BEGAN + 40 * S}, SM_USE_AND_ASK},
		{&fresh, 100, SM_ANSWER_ADDRESSES, {false, false, 0, BEGAN + 100 * S}, SM_ASK},
		{&fresh, 1, SM_ANSWER_NO_NAME, {true, true, BEGAN + 1, 0}, SM_USE},
		{&fresh, 1, SM_ANSWER_FAILURE, {true, true, BEGAN, 0}, SM_USE},
		{&fresh, 1, SM_ANSWER_FAILURE, {false, false, BEGAN + 1, 0}, SM_ASK},
		{&fresh, 29, SM_ANSWER_FAILURE, {false, false, BEGAN + 1, 0}, SM_ASK},
		{&fresh, 100, SM_ANSWER_ADDRESSES, {true, true, 0, 0}, SM_ASK_OR_FAIL},
		{&nothing, 0, SM_ANSWER_ADDRESSES, {true, true, 0, 0}, SM_ASK_OR_FAIL},
		{&nothing, 0, SM_ANSWER_ADDRESSES, {true, false, 0, 0}, SM_ASK}, /* a short silence may be two names' own */
		{&nothing, 0, SM_ANSWER_ADDRESSES, {false, false, 0, 0}, SM_ASK},
	};
	struct sm_times unrenewed = sm_lifetime_unrenewed(&fresh, &rule, BEGAN + 40 * S);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(sm_lifetime_use(rows[i].times, rows[i].kind, &rows[i].outlook, BEGAN + rows[i].after_s * S + S / 2), rows[i].use);
	assert_int_equal(sm_lifetime_use(&unrenewed, SM_ANSWER_ADDRESSES, &rows[3].outlook, BEGAN + 41 * S), SM_USE);
}

static void after_a_jump_renewals_have_their_turns_within_five_seconds(void **state)
{
	int turns[5] = {0};

	(void)state;
	assert_int_equal(sm_lifetime_turn_ns(1, 0, BEGAN), 0);
	for (uint32_t hash = 1; hash <= 1000; hash++) {
		int64_t turn_ns = sm_lifetime_turn_ns(hash * 2654435761U, BEGAN, BEGAN + 1);

		assert_in_range(turn_ns, BEGAN, BEGAN + 5 * S - 1);
		assert_int_equal(turn_ns, sm_lifetime_turn_ns(hash * 2654435761U, BEGAN, BEGAN + 5 * S - 1));
		turns[(turn_ns - BEGAN) / S]++;
	}
	for (size_t i = 0; i < COUNT(turns); i++)
		assert_in_range(turns[i], 150, 250);
	assert_int_equal(sm_lifetime_turn_ns(1, BEGAN, BEGAN + 5 * S), 0);
}

static void a_process_waits_longer_for_each_renewal_that_was_cut_short(void **state)
{
	static const struct sm_rule usual = {.stale_after_ms = 500, .deadline_ms = 3000}, hasty = {.stale_after_ms = 2, .deadline_ms = 3000};
	struct sm_times times = {.made_ns = 0};

	(void)state;
	assert_int_equal(sm_lifetime_patience_ms(&times, &usual), 500);
	times.n_unrenewed = 1;
	assert_int_equal(sm_lifetime_patience_ms(&times, &usual), 1000);
	times.n_unrenewed = 2;
	assert_int_equal(sm_lifetime_patience_ms(&times, &usual), 2000);
	times.n_unrenewed = SM_UNRENEWED_MAX;
	assert_int_equal(sm_lifetime_patience_ms(&times, &usual), 3000);
	assert_int_equal(sm_lifetime_patience_ms(&times, &hasty), 3000);
}

static void bad_answers_in_a_row_are_asked_for_ever_more_seldom_up_to_five_seconds(void **state)
{
	static const int64_t lives[] = {1, 2, 4, 5, 5};
	struct sm_times before = {.made_ns = BEGAN, .expires_ns = BEGAN + S, .stale_ns = BEGAN + S}, times;

	(void)state;
	for (size_t i = 1; i < COUNT(lives); i++) {
		times = (struct sm_times){.made_ns = before.expires_ns, .expires_ns = before.expires_ns + S, .stale_ns = before.expires_ns + S};
		times = sm_lifetime_failed_again(&times, &before);
		assert_int_equal((times.expires_ns - times.made_ns) / S, lives[i]);
		assert_int_equal(times.stale_ns, times.expires_ns);
		before = times;
	}
	times = (struct sm_times){.made_ns = before.expires_ns + 11 * S, .expires_ns = before.expires_ns + 12 * S};
	times = sm_lifetime_failed_again(&times, &before);
	assert_int_equal((times.expires_ns - times.made_ns) / S, 1); /* long ago */
	before = (struct sm_times){.made_ns = BEGAN, .expires_ns = BEGAN + 60 * S};
	times = (struct sm_times){.made_ns = before.expires_ns, .expires_ns = before.expires_ns + 60 * S};
	times = sm_lifetime_failed_again(&times, &before);
	assert_int_equal((times.expires_ns - times.made_ns) / S, 60); /* never shorter than configured */
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
	cmocka_unit_test(names_that_were_loaded_together_are_not_renewed_together),
	cmocka_unit_test(what_to_do_is_one_table),
	cmocka_unit_test(after_a_jump_renewals_have_their_turns_within_five_seconds),
	cmocka_unit_test(a_process_waits_longer_for_each_renewal_that_was_cut_short),
	cmocka_unit_test(bad_answers_in_a_row_are_asked_for_ever_more_seldom_up_to_five_seconds),
	cmocka_unit_test(what_could_not_be_renewed_is_stale_for_a_while_but_not_for_longer_than_it_may),
	cmocka_unit_test(a_negative_answer_is_never_stale),
	cmocka_unit_test(an_answer_from_the_future_is_of_another_boot),
};

TESTS_MAIN(tests)
