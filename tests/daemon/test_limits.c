/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/limits.h"

#include "tests/test.h"

static void one_user_has_his_share_and_all_have_the_rest(void **state)
{
	struct sm_limits limits = {.max = {8, 100}, .quota_percent = 25};

	(void)state;
	assert_true(sm_limits_take(&limits, SM_LIMITED_CLIENTS, 1));
	assert_true(sm_limits_take(&limits, SM_LIMITED_CLIENTS, 1));
	assert_false(sm_limits_take(&limits, SM_LIMITED_CLIENTS, 1));
	assert_true(sm_limits_take(&limits, SM_LIMITED_JOBS, 1));
	for (uid_t uid = 2; uid < 8; uid++)
		assert_true(sm_limits_take(&limits, SM_LIMITED_CLIENTS, uid));
	assert_false(sm_limits_take(&limits, SM_LIMITED_CLIENTS, 9));
	sm_limits_give(&limits, SM_LIMITED_CLIENTS, 7);
	assert_true(sm_limits_take(&limits, SM_LIMITED_CLIENTS, 9));
	sm_limits_give(&limits, SM_LIMITED_CLIENTS, 1);
	sm_limits_give(&limits, SM_LIMITED_CLIENTS, 1);
	sm_limits_give(&limits, SM_LIMITED_JOBS, 1);
	for (uid_t uid = 2; uid < 7; uid++)
		sm_limits_give(&limits, SM_LIMITED_CLIENTS, uid);
	sm_limits_give(&limits, SM_LIMITED_CLIENTS, 9);
	assert_null(limits.by_uid);
}

static void everybody_has_at_least_one(void **state)
{
	struct sm_limits limits = {.max = {10, 10}, .quota_percent = 1};

	(void)state;
	assert_true(sm_limits_take(&limits, SM_LIMITED_JOBS, 1));
	assert_false(sm_limits_take(&limits, SM_LIMITED_JOBS, 1));
	sm_limits_give(&limits, SM_LIMITED_JOBS, 1);
	assert_null(limits.by_uid);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(one_user_has_his_share_and_all_have_the_rest),
	cmocka_unit_test(everybody_has_at_least_one),
};

TESTS_MAIN(tests)
