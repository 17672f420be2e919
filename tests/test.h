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

/* For a table of stories, each with a title, that `play` is given as its state; and tests of other kinds behind them. */
#define STORIES_MAIN(stories, play, tests)                                                                            \
	int main(void)                                                                                               \
	{                                                                                                            \
		struct CMUnitTest all[COUNT(stories) + COUNT(tests)];                                                \
                                                                                                                     \
		for (size_t i = 0; i < COUNT(stories); i++)                                                          \
			all[i] = (struct CMUnitTest){                                                                \
				.name = (stories)[i].title, .test_func = (play), .initial_state = (void *)&(stories)[i]}; \
		memcpy(all + COUNT(stories), tests, sizeof(tests));                                                  \
		return cmocka_run_group_tests(all, NULL, NULL);                                                      \
	}

static inline struct sm_name name_of(const char *text)
{
	struct sm_name name;

	assert_int_equal(sm_name_parse(text, strlen(text), &name), SM_OK);
	return name;
}
