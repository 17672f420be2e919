/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/spin.h"

#include "tests/test.h"

#include <pthread.h>

static _Atomic uint32_t lock;
static uint64_t guarded;

static void who_does_not_get_it_goes_without(void **state)
{
	(void)state;
	assert_true(sm_spin_try(&lock));
	assert_false(sm_spin_try(&lock)); /* held, be it by this very thread: nobody waits for ever */
	sm_spin_leave(&lock);
	assert_true(sm_spin_try(&lock));
	sm_spin_leave(&lock);
}

static void *add(void *done)
{
	while (*(uint64_t *)done < 10000)
		if (sm_spin_try(&lock)) {
			guarded++;
			(*(uint64_t *)done)++;
			sm_spin_leave(&lock);
		}
	return NULL;
}

static void one_thread_at_a_time_holds_it(void **state)
{
	pthread_t threads[4];
	uint64_t done[4] = {0};

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add, &done[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(guarded, 40000);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(who_does_not_get_it_goes_without),
	cmocka_unit_test(one_thread_at_a_time_holds_it),
};

TESTS_MAIN(tests)
