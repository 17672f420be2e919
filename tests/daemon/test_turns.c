/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/turns.h"

#include "tests/test.h"

static struct sm_turns turns;

static void wait_for_turn(struct sm_turn *turn, uid_t account)
{
	assert_int_equal(sm_turns_wait(&turns, turn, account), SM_OK);
}

static struct sm_turn *take(void)
{
	struct sm_turn *turn = sm_turns_next(&turns);

	if (turn)
		sm_turns_leave(&turns, turn);
	return turn;
}

static void who_asks_seldom_waits_for_one_of_each_other(void **state)
{
	static struct sm_turn many[4][1000], quiet;
	int before = 0;

	(void)state;
	sm_turns_start(&turns);
	for (uid_t account = 0; account < 4; account++)
		for (int i = 0; i < 1000; i++)
			wait_for_turn(&many[account][i], 1000 + account);
	for (int i = 0; i < 17; i++)
		take();
	wait_for_turn(&quiet, 7);
	while (take() != &quiet)
		before++;
	assert_in_range(before, 0, 4);
	while (take())
		continue;
	assert_int_equal(turns.n, 0);
	assert_null(turns.by_account);
}

static void the_requests_of_one_keep_their_order(void **state)
{
	struct sm_turn three[3];

	(void)state;
	sm_turns_start(&turns);
	for (int i = 0; i < 3; i++)
		wait_for_turn(&three[i], 1);
	sm_turns_leave(&turns, &three[1]);
	sm_turns_leave(&turns, &three[1]);
	assert_ptr_equal(take(), &three[0]);
	assert_ptr_equal(take(), &three[2]);
	assert_null(take());
	assert_int_equal(turns.n_accounts, 0);
}

/* One whose request cannot begin keeps it first, and the others go on. */
static void who_cannot_begin_blocks_nobody(void **state)
{
	struct sm_turn blocked, free_ones[2];

	(void)state;
	sm_turns_start(&turns);
	wait_for_turn(&blocked, 1);
	wait_for_turn(&free_ones[0], 2);
	wait_for_turn(&free_ones[1], 2);
	assert_ptr_equal(sm_turns_next(&turns), &blocked);
	assert_ptr_equal(take(), &free_ones[0]);
	assert_ptr_equal(sm_turns_next(&turns), &blocked);
	assert_ptr_equal(take(), &free_ones[1]);
	assert_ptr_equal(take(), &blocked);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(who_asks_seldom_waits_for_one_of_each_other),
	cmocka_unit_test(the_requests_of_one_keep_their_order),
	cmocka_unit_test(who_cannot_begin_blocks_nobody),
};

TESTS_MAIN(tests)
