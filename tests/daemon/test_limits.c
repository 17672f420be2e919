/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/limits.h"

#include "tests/test.h"

static uint32_t take_all(struct sm_limits *limits, enum sm_limited what, uid_t account)
{
	uint32_t n = 0;

	while (sm_limits_take(limits, what, account))
		n++;
	return n;
}

static void give_all(struct sm_limits *limits, enum sm_limited what, uid_t account, uint32_t n)
{
	while (n-- > 0)
		sm_limits_give(limits, what, account);
}

static void one_has_at_most_half_of_what_the_others_leave(void **state)
{
	struct sm_limits limits = {.max = {4096, 100}, .quota_percent = 25};
	uint32_t of_each[12], n = 0;

	(void)state;
	for (uid_t account = 1; account < 12; account++)
		n += of_each[account] = take_all(&limits, SM_LIMITED_CLIENTS, account);
	assert_int_equal(of_each[1], 2048);
	assert_int_equal(of_each[2], 1024);
	assert_int_equal(of_each[3], 512);
	assert_int_equal(sm_limits_used(&limits, SM_LIMITED_JOBS, 1), 0);
	assert_int_equal(take_all(&limits, SM_LIMITED_JOBS, 1), 50); /* each limit by itself */
	assert_int_equal(sm_limits_used(&limits, SM_LIMITED_JOBS, 1), 50);
	assert_int_equal(n, 3840);
	assert_int_equal(take_all(&limits, SM_LIMITED_CLIENTS, 0), 128); /* half of root's reserve */
	give_all(&limits, SM_LIMITED_CLIENTS, 0, 128);
	give_all(&limits, SM_LIMITED_JOBS, 1, 50);
	for (uid_t account = 1; account < 12; account++)
		give_all(&limits, SM_LIMITED_CLIENTS, account, of_each[account]);
	assert_null(limits.by_account);
}

static void a_larger_quota_is_more_than_half(void **state)
{
	struct sm_limits limits = {.max = {100, 100}, .quota_percent = 80};

	(void)state;
	assert_int_equal(take_all(&limits, SM_LIMITED_JOBS, 1), 80);
	assert_int_equal(take_all(&limits, SM_LIMITED_JOBS, 2), 14); /* the rest is root's */
	give_all(&limits, SM_LIMITED_JOBS, 1, 80);
	give_all(&limits, SM_LIMITED_JOBS, 2, 14);
	assert_null(limits.by_account);
}

static void everybody_has_at_least_one(void **state)
{
	struct sm_limits limits = {.max = {1, 1}, .quota_percent = 1};

	(void)state;
	assert_int_equal(take_all(&limits, SM_LIMITED_JOBS, 1), 1);
	give_all(&limits, SM_LIMITED_JOBS, 1, 1);
	assert_null(limits.by_account);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(one_has_at_most_half_of_what_the_others_leave),
	cmocka_unit_test(a_larger_quota_is_more_than_half),
	cmocka_unit_test(everybody_has_at_least_one),
};

TESTS_MAIN(tests)
