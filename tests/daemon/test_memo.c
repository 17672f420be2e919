/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/memo.h"

#include "tests/test.h"

#include <stdio.h>

#define HOUR (3600 * 1000000000LL)

static struct sm_memo memo;

static void it_holds_until_its_time(void **state)
{
	struct sm_name name = name_of("host.mesh"), other = name_of("other.mesh");

	(void)state;
	assert_false(sm_memo_holds(&memo, &name, HOUR));
	sm_memo_set(&memo, &name, 25 * HOUR);
	assert_true(sm_memo_holds(&memo, &name, HOUR));
	assert_true(sm_memo_holds(&memo, &name, 24 * HOUR));
	assert_false(sm_memo_holds(&memo, &name, 25 * HOUR));
	assert_false(sm_memo_holds(&memo, &other, HOUR));
}

static void it_can_be_taken_back(void **state)
{
	struct sm_name name = name_of("host.mesh"), other = name_of("other.mesh");

	(void)state;
	sm_memo_set(&memo, &name, 25 * HOUR);
	sm_memo_set(&memo, &other, 0);
	assert_true(sm_memo_holds(&memo, &name, HOUR));
	sm_memo_set(&memo, &name, 0);
	assert_false(sm_memo_holds(&memo, &name, HOUR));
}

static void many_names_push_out_only_those_of_their_slot(void **state)
{
	char text[32];
	int known = 0;

	(void)state;
	for (int i = 0; i < 8000; i++) {
		struct sm_name name = name_of((snprintf(text, sizeof(text), "h%d.mesh", i), text));

		sm_memo_set(&memo, &name, 25 * HOUR);
	}
	for (int i = 0; i < 8000; i++) {
		struct sm_name name = name_of((snprintf(text, sizeof(text), "h%d.mesh", i), text));

		known += sm_memo_holds(&memo, &name, HOUR);
	}
	assert_in_range(known, 5000, 8000);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(it_holds_until_its_time),
	cmocka_unit_test(it_can_be_taken_back),
	cmocka_unit_test(many_names_push_out_only_those_of_their_slot),
};

TESTS_MAIN(tests)
