/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nss_srvmesh/verdict.h"

#include "tests/test.h"

#include <errno.h>
#include <netdb.h>

static void assert_told(enum sm_verdict verdict, enum nss_status status, int error, int h_error)
{
	int own = -7, h = -7;

	errno = EDOM;
	assert_int_equal(sm_verdict_tell(verdict, &own, &h), status);
	assert_int_equal(errno, EDOM);
	assert_int_equal(own, error);
	assert_int_equal(h, h_error);
	/* glibc passes &errno itself */
	sm_verdict_tell(verdict, &errno, &h);
	assert_int_equal(errno, error == -7 ? EDOM : error);
}

static void the_table_is_the_one_of_the_manual(void **state)
{
	(void)state;
	assert_told(SM_VERDICT_NOT_OURS, NSS_STATUS_UNAVAIL, ENOENT, NO_RECOVERY);
	assert_told(SM_VERDICT_NO_NAME, NSS_STATUS_NOTFOUND, ENOENT, HOST_NOT_FOUND);
	assert_told(SM_VERDICT_NO_DATA, NSS_STATUS_NOTFOUND, ENOENT, NO_DATA);
	assert_told(SM_VERDICT_TRY_AGAIN, NSS_STATUS_TRYAGAIN, EAGAIN, TRY_AGAIN);
	assert_told(SM_VERDICT_TOO_SMALL, NSS_STATUS_TRYAGAIN, ERANGE, NETDB_INTERNAL);
	assert_told(SM_VERDICT_FOUND, NSS_STATUS_SUCCESS, -7, NETDB_SUCCESS);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_table_is_the_one_of_the_manual),
};

TESTS_MAIN(tests)
