/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cache/slabs.h"

#include "tests/test.h"

#include <string.h>

#define N 1000

static size_t size_of(int i)
{
	return (size_t)(i * 37 % SM_SLAB_ITEM_MAX) + 1;
}

static void is_whole(const unsigned char *item, int i)
{
	for (size_t k = 0; k < size_of(i); k++)
		assert_int_equal(item[k], i % 251);
}

static void items_do_not_overlap_and_are_taken_again(void **state)
{
	static unsigned char *items[N];
	struct sm_slabs slabs = {.first = NULL};
	struct sm_slab *newest;

	(void)state;
	for (int i = 0; i < N; i++) {
		items[i] = sm_slabs_take(&slabs, size_of(i));
		assert_non_null(items[i]);
		assert_int_equal((uintptr_t)items[i] % SM_SLAB_UNIT, 0);
		memset(items[i], i % 251, size_of(i));
	}
	for (int i = 0; i < N; i += 2)
		sm_slabs_give_back(&slabs, items[i], size_of(i));
	newest = slabs.first;
	for (int i = 0; i < N; i += 2) {
		items[i] = sm_slabs_take(&slabs, size_of(i));
		memset(items[i], i % 251, size_of(i));
	}
	assert_ptr_equal(slabs.first, newest); /* no more memory than before */
	for (int i = 0; i < N; i++)
		is_whole(items[i], i);
	sm_slabs_clear(&slabs);
	assert_null(slabs.first);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(items_do_not_overlap_and_are_taken_again),
};

TESTS_MAIN(tests)
