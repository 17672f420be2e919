/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/turns.h"

#include "base/clock.h"
#include "tests/test.h"

static struct sm_turns turns;

static void wait_for_turn(struct sm_turn *turn, uid_t account)
{
	assert_int_equal(sm_turns_wait(&turns, turn, account, false), SM_OK);
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

static void who_has_nothing_under_way_comes_before(void **state)
{
	static struct sm_turn many[4][10], quiet[2];

	(void)state;
	sm_turns_start(&turns);
	for (uid_t account = 0; account < 4; account++)
		for (int i = 0; i < 10; i++)
			wait_for_turn(&many[account][i], 1000 + account);
	assert_int_equal(sm_turns_wait(&turns, &quiet[0], 7, true), SM_OK);
	assert_int_equal(sm_turns_wait(&turns, &quiet[1], 7, true), SM_OK);
	assert_ptr_equal(take(), &quiet[0]);
	for (int i = 0; i < 4; i++) /* once, and then it is one of them */
		assert_ptr_equal(take(), &many[i][0]);
	assert_ptr_equal(take(), &quiet[1]);
	while (take())
		continue;
	assert_int_equal(turns.n_accounts, 0);
}

static bool count_down(void *context, struct sm_turn *turn)
{
	int *left = context;

	if (*left == 0)
		return false;
	--*left;
	sm_turns_leave(&turns, turn);
	return true;
}

static void turns_are_taken_until_none_can_be(void **state)
{
	struct sm_turn some[3][2];
	int left = 4;

	(void)state;
	sm_turns_start(&turns);
	assert_false(sm_turns_take(&turns, 1000 * SM_NS_PER_S, count_down, &left));
	for (int i = 0; i < 6; i++)
		wait_for_turn(&some[i % 3][i / 3], (uid_t)(i % 3));
	assert_true(sm_turns_take(&turns, 0, count_down, &left)); /* one at least */
	assert_int_equal(left, 3);
	assert_false(sm_turns_take(&turns, 1000 * SM_NS_PER_S, count_down, &left));
	assert_int_equal(turns.n, 2); /* which cannot go on */
	left = 2;
	assert_false(sm_turns_take(&turns, 1000 * SM_NS_PER_S, count_down, &left));
	assert_int_equal(turns.n, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(who_has_nothing_under_way_comes_before),
	cmocka_unit_test(turns_are_taken_until_none_can_be),
	cmocka_unit_test(who_asks_seldom_waits_for_one_of_each_other),
	cmocka_unit_test(the_requests_of_one_keep_their_order),
	cmocka_unit_test(who_cannot_begin_blocks_nobody),
};

TESTS_MAIN(tests)
