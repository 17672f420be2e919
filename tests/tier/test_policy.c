/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When the tier is asked, and what becomes of its answers: the breaker, the course of a job, flushes. */
#include "tier/breaker.h"
#include "tier/course.h"
#include "tier/flushes.h"

#include "tests/test.h"

#include <stdio.h>

#define MS 1000000LL
#define S (1000 * MS)

/* ---- the breaker */

static void a_breaker_is_closed_while_answers_come_in_time(void **state)
{
	struct sm_breaker breaker;

	(void)state;
	sm_breaker_begin(&breaker, 1);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(sm_breaker_way(&breaker, i * S), SM_BREAKER_WAIT);
		assert_false(sm_breaker_heard(&breaker, 1 * MS, 10 * MS, i * S));
	}
}

static void three_failures_in_a_row_give_the_connection_up(void **state)
{
	struct sm_breaker breaker;

	(void)state;
	sm_breaker_begin(&breaker, 1);
	assert_false(sm_breaker_failed(&breaker));
	assert_false(sm_breaker_failed(&breaker));
	assert_false(sm_breaker_heard(&breaker, 1 * MS, 10 * MS, 0));
	assert_false(sm_breaker_failed(&breaker));
	assert_false(sm_breaker_failed(&breaker));
	assert_true(sm_breaker_failed(&breaker));
}

static struct sm_breaker slow_one(int64_t now_ns)
{
	struct sm_breaker breaker;

	sm_breaker_begin(&breaker, 1);
	for (int i = 0; i < 7; i++) /* some quick ones do not help */
		assert_false(sm_breaker_heard(&breaker, 1 * MS, 10 * MS, now_ns));
	for (int i = 0; i < 7; i++)
		assert_false(sm_breaker_heard(&breaker, 11 * MS, 10 * MS, now_ns));
	assert_true(sm_breaker_heard(&breaker, 11 * MS, 10 * MS, now_ns));
	return breaker;
}

static void a_slow_tier_is_tried_again_at_growing_intervals(void **state)
{
	struct sm_breaker breaker = slow_one(0);
	int64_t now_ns = 0, expected_ns = S;

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(sm_breaker_way(&breaker, now_ns + expected_ns * 3 / 4 - 1), SM_BREAKER_PASS);
		now_ns += expected_ns * 5 / 4 + 1;
		assert_int_equal(sm_breaker_way(&breaker, now_ns), SM_BREAKER_PROBE);
		assert_int_equal(sm_breaker_way(&breaker, now_ns), SM_BREAKER_PASS); /* one at a time */
		assert_false(sm_breaker_heard(&breaker, 20 * MS, 10 * MS, now_ns));
		expected_ns = expected_ns * 2 < 60 * S ? expected_ns * 2 : 60 * S;
	}
	assert_int_equal(sm_breaker_way(&breaker, now_ns + 80 * S), SM_BREAKER_PROBE);
	assert_true(sm_breaker_heard(&breaker, 1 * MS, 10 * MS, now_ns));
	assert_int_equal(sm_breaker_way(&breaker, now_ns), SM_BREAKER_WAIT);
}

static void a_probe_that_is_lost_makes_room_for_another(void **state)
{
	struct sm_breaker breaker = slow_one(0);

	(void)state;
	assert_int_equal(sm_breaker_way(&breaker, 2 * S), SM_BREAKER_PROBE);
	assert_false(sm_breaker_failed(&breaker));
	assert_int_equal(sm_breaker_way(&breaker, 2 * S), SM_BREAKER_PROBE);
}

/* ---- the course of a job */

static void a_miss_takes_what_is_fresh_and_asks_dns_for_the_rest(void **state)
{
	static const enum sm_course_found others[] = {SM_COURSE_NOTHING, SM_COURSE_OLD, SM_COURSE_SAME};

	(void)state;
	for (size_t i = 0; i < COUNT(others); i++) {
		struct sm_course course = sm_course_begin(false, true, 10 * MS, 0);

		assert_int_equal(course.state, SM_COURSE_READ);
		sm_course_heard(&course, others[i]);
		assert_int_equal(course.state, SM_COURSE_ASK);
	}
	for (int is_renewal = 0; is_renewal < 2; is_renewal++) {
		struct sm_course course = sm_course_begin(is_renewal, true, 10 * MS, 0);

		sm_course_heard(&course, SM_COURSE_FRESH);
		assert_int_equal(course.state, SM_COURSE_DONE);
	}
}

static void dns_is_asked_after_the_head_start(void **state)
{
	struct sm_course course = sm_course_begin(false, true, 10 * MS, 0);

	(void)state;
	sm_course_wake(&course, 10 * MS - 1);
	assert_int_equal(course.state, SM_COURSE_READ);
	sm_course_wake(&course, 10 * MS);
	assert_int_equal(course.state, SM_COURSE_ASK);
	sm_course_heard(&course, SM_COURSE_FRESH); /* too late to spare the question */
	assert_int_equal(course.state, SM_COURSE_ASK);
	course = sm_course_without();
	assert_int_equal(course.state, SM_COURSE_ASK);
	course = sm_course_begin(false, true, 10 * MS, 0);
	sm_course_fail(&course);
	assert_int_equal(course.state, SM_COURSE_ASK);
}

static void of_all_that_renew_a_name_one_asks_dns(void **state)
{
	struct sm_course first = sm_course_begin(true, true, 100 * MS, 0), second = first;

	(void)state;
	sm_course_heard(&first, SM_COURSE_SAME);
	sm_course_heard(&second, SM_COURSE_SAME);
	assert_int_equal(first.state, SM_COURSE_CLAIM);
	sm_course_claimed(&first, true, 2 * MS, 0);
	assert_int_equal(first.state, SM_COURSE_ASK);
	sm_course_claimed(&second, false, 2 * MS, 0);
	assert_int_equal(second.state, SM_COURSE_PAUSE);
	sm_course_wake(&second, 61 * MS);
	assert_int_equal(second.state, SM_COURSE_PAUSE);
	sm_course_wake(&second, 62 * MS);
	assert_int_equal(second.state, SM_COURSE_READ);
	sm_course_heard(&second, SM_COURSE_FRESH);
	assert_int_equal(second.state, SM_COURSE_DONE);
}

static void a_renewal_is_left_to_others_when_a_claim_has_outlived_its_host(void **state)
{
	for (int is_at_random = 0; is_at_random < 100; is_at_random++) {
		struct sm_course course = sm_course_begin(true, true, 100 * MS, 0);
		int64_t now_ns = 0;
		int n = 0;

		(void)state;
		for (; course.state != SM_COURSE_LEFT; n++) {
			sm_course_heard(&course, SM_COURSE_SAME);
			assert_int_equal(course.state, SM_COURSE_CLAIM);
			sm_course_claimed(&course, false, now_ns, (uint64_t)is_at_random * 0x9e3779b97f4a7c15ULL);
			if (course.state == SM_COURSE_PAUSE)
				now_ns = course.wakes_ns;
			sm_course_wake(&course, now_ns);
		}
		assert_int_equal(n, SM_COURSE_PAUSES + 1);
		assert_in_range(now_ns, 780 * MS, 1300 * MS);
	}
}

static void a_host_that_does_not_write_claims_nothing(void **state)
{
	struct sm_course course = sm_course_begin(true, false, 100 * MS, 0);

	(void)state;
	sm_course_heard(&course, SM_COURSE_SAME);
	assert_int_equal(course.state, SM_COURSE_ASK);
}

static void a_client_that_joins_a_renewal_does_not_wait_for_other_hosts(void **state)
{
	struct sm_course course = sm_course_begin(true, true, 100 * MS, 0);

	(void)state;
	sm_course_hurry(&course, 10 * MS, 50 * MS);
	sm_course_wake(&course, 60 * MS - 1);
	assert_int_equal(course.state, SM_COURSE_READ);
	sm_course_wake(&course, 60 * MS);
	assert_int_equal(course.state, SM_COURSE_ASK);
	course = sm_course_begin(true, true, 100 * MS, 0);
	sm_course_heard(&course, SM_COURSE_SAME);
	sm_course_claimed(&course, false, 0, 0);
	sm_course_hurry(&course, 10 * MS, 1 * MS);
	assert_int_equal(course.state, SM_COURSE_ASK);
}

/* ---- flushes */

#define HOUR_MS 3600000LL
#define DAY_MS (24 * HOUR_MS)
#define WALL_MS 1800000000000LL

static enum sm_flush_taken take(struct sm_flushes *flushes, const struct sm_flush *flush, int64_t wall_ms)
{
	return sm_flushes_take(flushes, flush, wall_ms, HOUR_MS, DAY_MS);
}

static uint64_t covering(const struct sm_flushes *flushes, const char *text)
{
	const struct sm_name name = name_of(text);

	return sm_flushes_covering(flushes, &name);
}

static void a_flush_is_taken_once_and_covers_its_names(void **state)
{
	static struct sm_flushes flushes;
	struct sm_flush one = sm_flushes_make(&flushes, "api.mesh", WALL_MS, 7), all;

	(void)state;
	assert_int_equal(take(&flushes, &one, WALL_MS), SM_FLUSH_TAKEN);
	assert_int_equal(take(&flushes, &one, WALL_MS), SM_FLUSH_KNOWN);
	assert_int_equal(covering(&flushes, "api.mesh"), one.id);
	assert_int_equal(covering(&flushes, "db.mesh"), 0);
	all = sm_flushes_make(&flushes, "*", WALL_MS, 3);
	assert_true(all.id > one.id);
	assert_int_equal(take(&flushes, &all, WALL_MS), SM_FLUSH_TAKEN);
	assert_int_equal(covering(&flushes, "api.mesh"), all.id);
	assert_int_equal(covering(&flushes, "db.mesh"), all.id);
}

static bool allows(const struct sm_flushes *flushes, const char *text, uint64_t id, int64_t made_ms)
{
	const struct sm_name name = name_of(text);

	return sm_flushes_allow(flushes, &name, id, made_ms);
}

static void a_value_counts_by_its_id_or_if_it_is_surely_later(void **state)
{
	static struct sm_flushes flushes;
	struct sm_flush flush = sm_flushes_make(&flushes, "api.mesh", WALL_MS, 7);
	const struct sm_name name = name_of("api.mesh");

	(void)state;
	assert_true(allows(&flushes, "api.mesh", 0, WALL_MS - 1));
	assert_int_equal(take(&flushes, &flush, WALL_MS), SM_FLUSH_TAKEN);
	assert_false(allows(&flushes, "api.mesh", 0, WALL_MS - 1));
	assert_false(allows(&flushes, "api.mesh", flush.id - 1, WALL_MS + 1000)); /* by its host's clock alone */
	assert_false(allows(&flushes, "api.mesh", 0, WALL_MS + SM_FLUSH_SURE_MS - 1));
	assert_true(allows(&flushes, "api.mesh", 0, WALL_MS + SM_FLUSH_SURE_MS)); /* of a host that never heard of it */
	assert_true(allows(&flushes, "api.mesh", flush.id, WALL_MS - 1000));
	assert_true(allows(&flushes, "db.mesh", 0, WALL_MS - 1));
	assert_int_equal(sm_flushes_recent(&flushes, &name, WALL_MS + SM_FLUSH_SURE_MS - 1), flush.id);
	assert_int_equal(sm_flushes_recent(&flushes, &name, WALL_MS + SM_FLUSH_SURE_MS), 0);
	assert_int_equal(sm_flushes_covering(&flushes, &name), flush.id);
}

static void a_later_flush_has_a_larger_id_whatever_the_clocks_say(void **state)
{
	static struct sm_flushes ahead, behind;
	struct sm_flush first = sm_flushes_make(&ahead, "*", WALL_MS + 200000, 0), second;

	(void)state;
	assert_int_equal(take(&behind, &first, WALL_MS), SM_FLUSH_TAKEN);
	second = sm_flushes_make(&behind, "*", WALL_MS, 0);
	assert_true(second.id > first.id);
	assert_int_equal(second.made_ms, WALL_MS);
}

static void an_old_flush_is_refused_and_one_from_the_future_is_not(void **state)
{
	static struct sm_flushes flushes;
	struct sm_flush flush = sm_flushes_make(&flushes, "*", WALL_MS, 0);

	(void)state;
	assert_int_equal(take(&flushes, &flush, WALL_MS + HOUR_MS + 1), SM_FLUSH_TOO_OLD);
	assert_int_equal(flushes.n, 0);
	assert_int_equal(covering(&flushes, "api.mesh"), 0);
	assert_int_equal(take(&flushes, &flush, WALL_MS + HOUR_MS), SM_FLUSH_TAKEN);
	flush = sm_flushes_make(&flushes, "db.mesh", WALL_MS, 0);
	assert_int_equal(take(&flushes, &flush, WALL_MS - SM_FLUSH_AHEAD_MS - 1), SM_FLUSH_AHEAD);
	assert_int_equal(covering(&flushes, "db.mesh"), flush.id); /* a clock is wrong, but names are asked for again */
}

static void a_flush_is_forgotten_when_no_value_is_from_before_it(void **state)
{
	static struct sm_flushes flushes;
	struct sm_flush one = sm_flushes_make(&flushes, "a.mesh", WALL_MS, 0), two;

	(void)state;
	assert_int_equal(take(&flushes, &one, WALL_MS), SM_FLUSH_TAKEN);
	two = sm_flushes_make(&flushes, "b.mesh", WALL_MS + DAY_MS, 0);
	assert_int_equal(take(&flushes, &two, WALL_MS + DAY_MS), SM_FLUSH_TAKEN);
	assert_int_equal(flushes.n, 1);
	assert_int_equal(covering(&flushes, "a.mesh"), 0);
	assert_int_equal(covering(&flushes, "b.mesh"), two.id);
}

static void more_than_are_kept_become_one_of_all_names(void **state)
{
	static struct sm_flushes flushes;
	uint64_t ids[SM_FLUSHES_MAX + 50];
	char pattern[32];

	(void)state;
	for (uint32_t i = 0; i < COUNT(ids); i++) {
		struct sm_flush flush;

		snprintf(pattern, sizeof(pattern), "s%u.mesh", i);
		flush = sm_flushes_make(&flushes, pattern, WALL_MS + i, 0);
		ids[i] = flush.id;
		assert_int_equal(take(&flushes, &flush, WALL_MS + i), SM_FLUSH_TAKEN);
	}
	assert_true(flushes.n <= SM_FLUSHES_MAX);
	for (uint32_t i = 0; i < COUNT(ids); i++) {
		struct sm_flush again = {.id = ids[i], .made_ms = WALL_MS + i, .pattern = "x.mesh"};

		assert_int_equal(take(&flushes, &again, WALL_MS), SM_FLUSH_KNOWN);
	}
	for (uint32_t i = 0; i < COUNT(ids); i++) {
		snprintf(pattern, sizeof(pattern), "s%u.mesh", i);
		assert_true(covering(&flushes, pattern) >= ids[i]);
	}
}

static void a_message_is_read_as_it_was_written(void **state)
{
	static struct sm_flushes flushes;
	struct sm_flush flush = sm_flushes_make(&flushes, "*.mesh", WALL_MS, 5), read;
	uint8_t bytes[SM_FLUSH_MESSAGE_MAX];
	size_t size = sm_flush_encode(&flush, bytes);

	(void)state;
	assert_int_equal(sm_flush_decode(bytes, size, &read), SM_OK);
	assert_int_equal(read.id, flush.id);
	assert_int_equal(read.made_ms, WALL_MS);
	assert_string_equal(read.pattern, "*.mesh");
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(sm_flush_decode(bytes, cut, &read), SM_CORRUPT);
	bytes[size - 1] = '/';
	assert_int_equal(sm_flush_decode(bytes, size, &read), SM_CORRUPT);
	memset(bytes, 0, 8);
	assert_int_equal(sm_flush_decode(bytes, size, &read), SM_CORRUPT);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_breaker_is_closed_while_answers_come_in_time),
	cmocka_unit_test(three_failures_in_a_row_give_the_connection_up),
	cmocka_unit_test(a_slow_tier_is_tried_again_at_growing_intervals),
	cmocka_unit_test(a_probe_that_is_lost_makes_room_for_another),
	cmocka_unit_test(a_miss_takes_what_is_fresh_and_asks_dns_for_the_rest),
	cmocka_unit_test(dns_is_asked_after_the_head_start),
	cmocka_unit_test(of_all_that_renew_a_name_one_asks_dns),
	cmocka_unit_test(a_renewal_is_left_to_others_when_a_claim_has_outlived_its_host),
	cmocka_unit_test(a_host_that_does_not_write_claims_nothing),
	cmocka_unit_test(a_client_that_joins_a_renewal_does_not_wait_for_other_hosts),
	cmocka_unit_test(a_flush_is_taken_once_and_covers_its_names),
	cmocka_unit_test(a_value_counts_by_its_id_or_if_it_is_surely_later),
	cmocka_unit_test(a_later_flush_has_a_larger_id_whatever_the_clocks_say),
	cmocka_unit_test(an_old_flush_is_refused_and_one_from_the_future_is_not),
	cmocka_unit_test(a_flush_is_forgotten_when_no_value_is_from_before_it),
	cmocka_unit_test(more_than_are_kept_become_one_of_all_names),
	cmocka_unit_test(a_message_is_read_as_it_was_written),
};

TESTS_MAIN(tests)
