/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/sort.h"

#include "tests/test.h"

struct item {
	uint32_t key;
	char text[36];
};

static int compare(const void *a, const void *b)
{
	uint32_t x = ((const struct item *)a)->key, y = ((const struct item *)b)->key;

	return x < y ? -1 : x > y;
}

static void check(struct item *items, size_t n, uint64_t sum)
{
	sm_sort(items, n, sizeof(*items), compare);
	for (size_t i = 0; i < n; i++) {
		sum -= items[i].key;
		assert_true(i == 0 || items[i - 1].key <= items[i].key);
		assert_int_equal(items[i].text[35], (char)items[i].key);
	}
	assert_int_equal(sum, 0); /* none is lost */
}

static void items_of_any_order_are_sorted_whole(void **state)
{
	static struct item items[400];

	(void)state;
	for (size_t n = 0; n <= COUNT(items); n++)
		for (uint32_t kind = 0; kind < 4; kind++) {
			uint32_t draw = (uint32_t)n + 1;
			uint64_t sum = 0;

			for (size_t i = 0; i < n; i++) {
				const uint32_t keys[] = {draw, (uint32_t)i, (uint32_t)(n - i), draw >> 30};

				draw = draw * 1664525 + 1013904223;
				items[i].key = keys[kind];
				items[i].text[35] = (char)items[i].key;
				sum += items[i].key;
			}
			check(items, n, sum);
		}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(items_of_any_order_are_sorted_whole),
};

TESTS_MAIN(tests)
