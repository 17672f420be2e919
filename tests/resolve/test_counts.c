/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resolve/counts.h"

#include "tests/test.h"

static struct sm_counts counts;

static struct sm_server server_of(uint16_t port)
{
	return (struct sm_server){.address = {SM_IPV4, {127, 0, 0, 1}}, .port = port};
}

static int fresh(void **state)
{
	(void)state;
	memset(&counts, 0, sizeof(counts));
	return 0;
}

static void each_server_has_its_own_counts(void **state)
{
	struct sm_server one = server_of(1), two = server_of(2), by_tcp = server_of(1);

	(void)state;
	by_tcp.is_stream = true;
	sm_counts_asked(&counts, &one);
	sm_counts_outcome(&counts, &one, SM_OUTCOME_GOOD, 700000);
	sm_counts_asked(&counts, &two);
	sm_counts_outcome(&counts, &two, SM_OUTCOME_SILENT, 0);
	assert_int_equal(sm_counts_find(&counts, &one)->outcomes[SM_OUTCOME_GOOD], 1);
	assert_int_equal(sm_counts_find(&counts, &one)->times.n, 1);
	assert_int_equal(sm_counts_find(&counts, &two)->outcomes[SM_OUTCOME_SILENT], 1);
	assert_int_equal(sm_counts_find(&counts, &two)->times.n, 0);
	assert_null(sm_counts_find(&counts, &by_tcp));
}

static void without_counts_nothing_is_counted(void **state)
{
	struct sm_server one = server_of(1);

	(void)state;
	sm_counts_asked(NULL, &one);
	sm_counts_outcome(NULL, &one, SM_OUTCOME_GOOD, 1);
}

static void servers_beyond_the_bound_are_not_counted(void **state)
{
	(void)state;
	for (uint16_t port = 1; port <= SM_COUNTED_SERVERS_MAX + 1; port++) {
		struct sm_server server = server_of(port);

		sm_counts_asked(&counts, &server);
	}
	assert_int_equal(counts.n, SM_COUNTED_SERVERS_MAX);
}

static void a_histogram_has_each_time_once(void **state)
{
	struct sm_histogram histogram = {.n = 0};
	uint64_t sum = 0;

	(void)state;
	sm_histogram_add(&histogram, -1);
	sm_histogram_add(&histogram, 500 * 1000);
	sm_histogram_add(&histogram, 501 * 1000);
	sm_histogram_add(&histogram, 5000000LL * 1000);
	sm_histogram_add(&histogram, 5000001LL * 1000);
	assert_int_equal(histogram.n, 5);
	assert_int_equal(histogram.sum_us, 500 + 501 + 5000000 + 5000001);
	assert_int_equal(histogram.buckets[0], 2);
	assert_int_equal(histogram.buckets[1], 1);
	assert_int_equal(histogram.buckets[SM_HISTOGRAM_BOUNDS - 1], 1);
	for (int i = 0; i < SM_HISTOGRAM_BOUNDS; i++)
		sum += histogram.buckets[i];
	assert_int_equal(sum, 4);
	for (int i = 1; i < SM_HISTOGRAM_BOUNDS; i++)
		assert_true(sm_histogram_bounds_us[i] > sm_histogram_bounds_us[i - 1]);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(each_server_has_its_own_counts, fresh),
	cmocka_unit_test(without_counts_nothing_is_counted),
	cmocka_unit_test_setup(servers_beyond_the_bound_are_not_counted, fresh),
	cmocka_unit_test(a_histogram_has_each_time_once),
};

TESTS_MAIN(tests)
