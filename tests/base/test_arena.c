/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/arena.h"

#include "tests/test.h"

static void places_are_aligned_whatever_the_buffer(void **state)
{
	_Alignas(16) char bytes[64];

	(void)state;
	for (size_t shift = 0; shift < 8; shift++) {
		struct sm_arena arena = sm_arena_of(bytes + shift, 40);
		char *first = sm_arena_take(&arena, 1, 1);
		char *second = sm_arena_take(&arena, 8, 8);

		assert_non_null(first);
		assert_int_equal((uintptr_t)second % 8, 0);
		assert_true(second > first && second + 8 <= bytes + shift + 40);
	}
}

static void what_does_not_fit_fails_and_stays_failed(void **state)
{
	char bytes[8];
	struct sm_arena arena = sm_arena_of(bytes, sizeof(bytes));

	(void)state;
	assert_null(sm_arena_take(&arena, 9, 1));
	assert_null(sm_arena_take(&arena, 1, 1));
	assert_true(arena.failed);
}

static void a_huge_size_does_not_wrap(void **state)
{
	char bytes[8];
	struct sm_arena arena = sm_arena_of(bytes, sizeof(bytes));

	(void)state;
	sm_arena_take(&arena, 3, 1);
	assert_null(sm_arena_take(&arena, SIZE_MAX - 2, 8));
}

static void text_is_copied_with_its_end(void **state)
{
	char bytes[4];
	struct sm_arena arena = sm_arena_of(bytes, sizeof(bytes));

	(void)state;
	assert_string_equal(sm_arena_text(&arena, "abcdef", 3), "abc");
	assert_null(sm_arena_text(&arena, "", 0));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(places_are_aligned_whatever_the_buffer),
	cmocka_unit_test(what_does_not_fit_fails_and_stays_failed),
	cmocka_unit_test(a_huge_size_does_not_wrap),
	cmocka_unit_test(text_is_copied_with_its_end),
};

TESTS_MAIN(tests)
