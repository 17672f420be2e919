/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/random.h"

#include "tests/test.h"

#include <pthread.h>

static void two_fills_differ(void **state)
{
	uint8_t a[32] = {0}, b[32] = {0};

	(void)state;
	sm_random_fill(a, sizeof(a));
	sm_random_fill(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

static void a_reserve_gives_each_byte_once(void **state)
{
	struct sm_random_reserve reserve = {.n_left = 0};
	uint8_t draws[2048][8];
	size_t n = COUNT(draws);

	(void)state;
	for (size_t i = 0; i < n; i++)
		sm_random_take(&reserve, draws[i], sizeof(draws[i]));
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			assert_memory_not_equal(draws[i], draws[k], sizeof(draws[i]));
	for (size_t i = reserve.n_left; i < sizeof(reserve.bytes); i++)
		assert_int_equal(reserve.bytes[i], 0);
	sm_random_take(&reserve, draws[0], 3); /* of any size, also more than a reserve holds */
	sm_random_take(&reserve, draws, sizeof(draws));
	sm_random_take(NULL, draws[0], sizeof(draws[0]));
}

static void a_zeroed_state_seeds_itself_anew(void **state)
{
	_Atomic uint64_t one = 0, other = 0;

	(void)state;
	assert_true(sm_random_draw(&one) != sm_random_draw(&other));
	assert_true(one != 0 && other != 0);
}

static void draws_fill_their_range_evenly(void **state)
{
	_Atomic uint64_t dice = 0;
	unsigned counts[8] = {0};
	double chi = 0;

	(void)state;
	for (int i = 0; i < 80000; i++)
		counts[sm_random_draw(&dice) % 8]++;
	for (int i = 0; i < 8; i++)
		chi += (counts[i] - 10000.0) * (counts[i] - 10000.0) / 10000.0;
	assert_true(chi < 29.9); /* p > 0.0001 at 7 degrees of freedom */
}

static _Atomic uint64_t shared;

static void *draw_many(void *place)
{
	uint64_t *draws = place;

	for (int i = 0; i < 10000; i++)
		draws[i] = sm_random_draw(&shared);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void threads_never_share_a_draw(void **state)
{
	static uint64_t draws[20000];
	pthread_t other;

	(void)state;
	pthread_create(&other, NULL, draw_many, draws + 10000);
	draw_many(draws);
	pthread_join(other, NULL);
	qsort(draws, 20000, sizeof(uint64_t), by_value);
	for (int i = 1; i < 20000; i++)
		assert_true(draws[i - 1] != draws[i]);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(two_fills_differ),
	cmocka_unit_test(a_reserve_gives_each_byte_once),
	cmocka_unit_test(a_zeroed_state_seeds_itself_anew),
	cmocka_unit_test(draws_fill_their_range_evenly),
	cmocka_unit_test(threads_never_share_a_draw),
};

TESTS_MAIN(tests)
