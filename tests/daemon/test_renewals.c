/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/renewals.h"

#include "tests/test.h"

#include <stdio.h>

#define MS 1000000LL
#define START (1000 * 1000 * MS)

static struct sm_renewals renewals;

static int begin(void **state)
{
	(void)state;
	memset(&renewals, 0, sizeof(renewals));
	return 0;
}

/* How often it begins in so many milliseconds, if somebody wants it each millisecond, and each fails or succeeds at once. */
static int begun(const char *text, int64_t life_ms, int ms, bool has_failed, bool is_bad)
{
	struct sm_name name = name_of(text);
	int n = 0;

	for (int i = 0; i < ms; i++) {
		int64_t now_ns = START + i * MS;

		if (!sm_renewals_begin(&renewals, &name, life_ms * MS, now_ns))
			continue;
		n++;
		if (has_failed)
			sm_renewals_fail(&renewals, &name, is_bad, now_ns);
		else
			sm_renewals_succeed(&renewals, &name);
	}
	return n;
}

static void once_in_a_tenth_of_its_life(void **state)
{
	(void)state;
	assert_int_equal(begun("api.mesh", 60000, 60000, false, false), 10);
	assert_int_equal(begun("short.mesh", 100, 10000, false, false), 10); /* but once a second */
}

static void after_silence_once_a_second(void **state)
{
	(void)state;
	assert_int_equal(begun("api.mesh", 3600000, 10000, true, false), 10);
}

static void after_bad_answers_with_doubling(void **state)
{
	(void)state;
	assert_int_equal(begun("api.mesh", 3600000, 22001, true, true), 7); /* at 0, 1, 3, 7, 12, 17, 22 s */
}

static void an_answer_ends_the_doubling(void **state)
{
	struct sm_name name = name_of("api.mesh");

	(void)state;
	begun("api.mesh", 1000, 8000, true, true);
	sm_renewals_succeed(&renewals, &name);
	assert_true(sm_renewals_begin(&renewals, &name, 1000 * MS, START + 100000 * MS));
	sm_renewals_fail(&renewals, &name, true, START + 100000 * MS);
	assert_true(sm_renewals_begin(&renewals, &name, 1000 * MS, START + 101000 * MS));
}

static void two_that_share_a_slot_take_turns(void **state)
{
	struct sm_name first = name_of("n0.mesh"), name = first;
	int64_t now_ns = START;

	(void)state;
	assert_true(sm_renewals_begin(&renewals, &first, 3600000 * MS, now_ns));
	for (int i = 1; sm_renewals_begin(&renewals, &name, 0, now_ns) || name.length == first.length; i++) {
		char text[32];

		snprintf(text, sizeof(text), "m%d.mesh", i);
		name = name_of(text);
		assert_in_range(i, 0, 200000);
	}
	assert_false(sm_renewals_begin(&renewals, &name, 0, now_ns + 999 * MS));
	assert_true(sm_renewals_begin(&renewals, &name, 0, now_ns + 1000 * MS)); /* and not after six minutes */
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(once_in_a_tenth_of_its_life, begin),
	cmocka_unit_test_setup(after_silence_once_a_second, begin),
	cmocka_unit_test_setup(after_bad_answers_with_doubling, begin),
	cmocka_unit_test_setup(an_answer_ends_the_doubling, begin),
	cmocka_unit_test_setup(two_that_share_a_slot_take_turns, begin),
};

TESTS_MAIN(tests)
