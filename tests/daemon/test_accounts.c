/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/accounts.h"

#include "tests/directory.h"
#include "tests/test.h"

#include <stdio.h>
#include <unistd.h>

static char subuid[300], passwd[300];
static struct sm_accounts accounts;

static int begin(void **state)
{
	if (make_directory(state) != 0)
		return -1;
	snprintf(subuid, sizeof(subuid), "%s/subuid", directory);
	snprintf(passwd, sizeof(passwd), "%s/passwd", directory);
	write_file("passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:\nbob:x:1001:1001::/:\nbroken\n");
	write_file("subuid", "alice:100000:65536\nbob:165536:65536\nroot:300000:10\n1001:400000:5\nldap:500000:10\n");
	sm_accounts_start(&accounts, subuid, passwd);
	return 0;
}

static int end(void **state)
{
	sm_accounts_clear(&accounts);
	return remove_directory(state);
}

static void a_uid_of_a_range_counts_as_the_ranges_owner(void **state)
{
	static const struct { uid_t uid, account; } cases[] = {
		{0, 0}, {1000, 1000}, {99999, 99999}, {100000, 1000}, {165535, 1000}, {165536, 1001}, {231071, 1001}, {231072, 231072},
		{300000, 300000}, {300009, 300000}, {300010, 300010}, {400004, 1001}, {500009, 500000}, {UINT32_MAX, UINT32_MAX},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(sm_accounts_of(&accounts, cases[i].uid), cases[i].account);
}

static void lines_that_make_no_sense_are_passed_over(void **state)
{
	(void)state;
	write_file("subuid", "alice\nalice:\nalice:x:5\nalice:7:y\nalice:8:0\n:::\nalice:4294967290:65536\nalice:0:100\nbob:-5:9\n\n");
	sm_accounts_look(&accounts);
	assert_int_equal(accounts.n, 1);
	assert_int_equal(sm_accounts_of(&accounts, UINT32_MAX), 1000);
	assert_int_equal(sm_accounts_of(&accounts, 0), 0);
}

static void a_changed_file_is_read_again(void **state)
{
	(void)state;
	write_file("subuid", "bob:100000:65536\n");
	sm_accounts_look(&accounts);
	assert_int_equal(sm_accounts_of(&accounts, 100000), 1001);
	write_file("passwd", "bob:x:5:5::/:\n");
	sm_accounts_look(&accounts);
	assert_int_equal(sm_accounts_of(&accounts, 100000), 5);
	assert_int_equal(unlink(subuid), 0);
	sm_accounts_look(&accounts);
	assert_int_equal(sm_accounts_of(&accounts, 100000), 100000);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(a_uid_of_a_range_counts_as_the_ranges_owner, begin, end),
	cmocka_unit_test_setup_teardown(lines_that_make_no_sense_are_passed_over, begin, end),
	cmocka_unit_test_setup_teardown(a_changed_file_is_read_again, begin, end),
};

TESTS_MAIN(tests)
