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

static void a_growing_arena_keeps_what_it_gave_and_ends_at_its_bound(void **state)
{
	struct sm_arena arena = sm_arena_growing(100000);
	char *texts[200];
	size_t n = 0;

	(void)state;
	while (n < COUNT(texts) && (texts[n] = sm_arena_text(&arena, "0123456789", 10)))
		n++;
	assert_int_equal(n, COUNT(texts));
	for (size_t i = 0; i < n; i++)
		assert_string_equal(texts[i], "0123456789");
	assert_int_equal((uintptr_t)sm_arena_take(&arena, 5000, 16) % 16, 0);
	assert_true(sm_arena_held(&arena) <= 100000);
	assert_null(sm_arena_take(&arena, 100000, 1));
	assert_null(sm_arena_take(&arena, 1, 1));
	sm_arena_clear(&arena);
	assert_int_equal(sm_arena_held(&arena), 0);
	assert_non_null(sm_arena_take(&arena, 100000, 1));
	sm_arena_clear(&arena);
}

static void what_is_held_is_in_proportion_to_what_is_used(void **state)
{
	(void)state;
	for (size_t used = 16; used < 1000000; used = used * 3 / 2) {
		struct sm_arena arena = sm_arena_growing(SIZE_MAX);

		for (size_t i = 0; i < used / 16; i++)
			assert_non_null(sm_arena_take(&arena, 16, 16));
		assert_true(sm_arena_held(&arena) <= 1024 + used * 3 / 2);
		sm_arena_clear(&arena);
	}
}

static void an_array_moves_to_twice_the_room(void **state)
{
	struct sm_arena arena = sm_arena_growing(65536);
	uint32_t *numbers = NULL, room = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		numbers = sm_arena_room(&arena, numbers, i, &room, sizeof(*numbers));
		assert_non_null(numbers);
		numbers[i] = i;
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(numbers[i], i);
	assert_true(room < 2000);
	sm_arena_clear(&arena);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_growing_arena_keeps_what_it_gave_and_ends_at_its_bound),
	cmocka_unit_test(what_is_held_is_in_proportion_to_what_is_used),
	cmocka_unit_test(an_array_moves_to_twice_the_room),
	cmocka_unit_test(places_are_aligned_whatever_the_buffer),
	cmocka_unit_test(what_does_not_fit_fails_and_stays_failed),
	cmocka_unit_test(a_huge_size_does_not_wrap),
	cmocka_unit_test(text_is_copied_with_its_end),
};

TESTS_MAIN(tests)
