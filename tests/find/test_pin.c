/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "find/pin.h"

#include "tests/test.h"

#include <pthread.h>

static struct sm_name api, other;

static int set(void **state)
{
	struct sm_pin pin = {.target = name_of("a.mesh"), .port = 8080};

	(void)state;
	api = name_of("api.mesh");
	other = name_of("other.mesh");
	return sm_pin_set(&api, &pin, 1000) == SM_OK ? 0 : -1;
}

static void a_pin_is_for_its_name(void **state)
{
	(void)state;
	assert_non_null(sm_pin_get(&api, SM_IPV4, 1000));
	assert_int_equal(sm_pin_get(&api, SM_IPV4, 1000)->port, 8080);
	assert_null(sm_pin_get(&other, SM_IPV4, 1000));
}

static void a_pin_is_spent_by_the_families_that_had_theirs(void **state)
{
	(void)state;
	sm_pin_spend(&other, SM_IPV4);
	assert_non_null(sm_pin_get(&api, SM_IPV4, 1000));
	sm_pin_spend(&api, SM_IPV6);
	assert_non_null(sm_pin_get(&api, SM_IPV4, 1000));
	assert_null(sm_pin_get(&api, SM_IPV6, 1000));
	assert_null(sm_pin_get(&api, SM_IPV4_AND_IPV6, 1000));
	sm_pin_spend(&api, SM_IPV4);
	assert_null(sm_pin_get(&api, SM_IPV4, 1000));
}

static void a_missed_family_is_remembered_until_the_next_pin(void **state)
{
	(void)state;
	assert_int_equal(sm_pin_missed_families(&api, 1000), 0);
	sm_pin_miss(&api, SM_IPV4);
	assert_int_equal(sm_pin_missed_families(&api, 1000), SM_IPV4);
	assert_int_equal(sm_pin_missed_families(&other, 1000), 0);
	assert_null(sm_pin_get(&api, SM_IPV4, 1000));
	assert_int_equal(sm_pin_missed_families(&api, 1001 + SM_PIN_NS), 0);
}

static void a_pin_does_not_last(void **state)
{
	(void)state;
	assert_non_null(sm_pin_get(&api, SM_IPV4, 1000 + SM_PIN_NS));
	assert_null(sm_pin_get(&api, SM_IPV4, 1001 + SM_PIN_NS));
	assert_null(sm_pin_get(&api, SM_IPV4, 999)); /* in another time namespace */
}

static void the_next_pin_replaces_it(void **state)
{
	struct sm_pin pin = {.target = name_of("b.mesh"), .port = 9};

	(void)state;
	sm_pin_spend(&api, SM_IPV4_AND_IPV6);
	assert_int_equal(sm_pin_set(&api, &pin, 2000), SM_OK);
	assert_int_equal(sm_pin_get(&api, SM_IPV4, 2000)->port, 9);
}

static void *has_pin(void *unused)
{
	(void)unused;
	return (void *)sm_pin_get(&api, SM_IPV4, 1000);
}

static void a_pin_is_the_threads_own(void **state)
{
	pthread_t id;
	void *found;

	(void)state;
	pthread_create(&id, NULL, has_pin, NULL);
	pthread_join(id, &found);
	assert_null(found);
}

#define TEST(name) cmocka_unit_test_setup(name, set)
static const struct CMUnitTest tests[] = {
	TEST(a_pin_is_for_its_name),
	TEST(a_pin_is_spent_by_the_families_that_had_theirs),
	TEST(a_missed_family_is_remembered_until_the_next_pin),
	TEST(a_pin_does_not_last),
	TEST(the_next_pin_replaces_it),
	TEST(a_pin_is_the_threads_own),
};

TESTS_MAIN(tests)
