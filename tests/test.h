/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The headers that cmocka needs before its own, and those that every test needs. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mesh/name.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TESTS_MAIN(tests)                                          \
	int main(void)                                             \
	{                                                          \
		return cmocka_run_group_tests(tests, NULL, NULL);  \
	}

static inline struct sm_name name_of(const char *text)
{
	struct sm_name name;

	assert_int_equal(sm_name_parse(text, strlen(text), &name), SM_OK);
	return name;
}
