/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/srvset.h"

#include "base/random.h"
#include "mesh/choose.h"
#include "tests/test.h"

#include <stdio.h>

#define TARGETS_MAX 3400

static struct sm_target targets[TARGETS_MAX];
static char names[TARGETS_MAX][16];
static uint32_t n;

static void clear(void)
{
	n = 0;
}

static void add(uint16_t priority, uint16_t weight, uint16_t port)
{
	snprintf(names[n], sizeof(names[n]), "t%u.mesh", n);
	targets[n] = (struct sm_target){.name = names[n], .priority = priority, .weight = weight, .port = port};
	n++;
}

static void the_best_come_first(void **state)
{
	(void)state;
	clear();
	add(20, 9, 1);
	add(10, 1, 1);
	add(10, 5, 1);
	assert_int_equal(sm_srvset_order(targets, n), 3);
	assert_string_equal(targets[0].name, "t2.mesh");
	assert_string_equal(targets[1].name, "t1.mesh");
	assert_string_equal(targets[2].name, "t0.mesh");
	assert_int_equal(sm_srvset_order(targets, 0), 0);
}

static void equal_records_are_one_and_others_are_not(void **state)
{
	(void)state;
	clear();
	for (int i = 0; i < 5; i++)
		add(1, 1, 80);
	for (uint32_t i = 0; i < n; i++)
		targets[i].name = "a.mesh";
	targets[1].port = 81;
	targets[2].weight = 2;
	targets[3].priority = 2;
	assert_int_equal(sm_srvset_order(targets, n), 4);
}

static void a_set_that_fits_stays_whole(void **state)
{
	(void)state;
	clear();
	for (int i = 0; i < 100; i++)
		add(1, (uint16_t)i, 80);
	n = sm_srvset_order(targets, n);
	assert_int_equal(sm_srvset_cut(targets, n, 100, 1), 100);
	assert_int_equal(targets[0].weight, 99);
	assert_int_equal(targets[99].weight, 0);
}

static void the_best_priorities_stay_whole(void **state)
{
	(void)state;
	clear();
	for (int i = 0; i < 90; i++)
		add((uint16_t)(30 - i % 3 * 10), 7, 80); /* thirty each of 30, 20, 10 */
	n = sm_srvset_order(targets, n);
	n = sm_srvset_cut(targets, n, 50, 1);
	assert_int_equal(n, 50);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(targets[i].priority, i < 30 ? 10 : 20);
	assert_int_equal(sm_srvset_cut(targets, 30, 30, 1), 30);
	clear();
	for (int i = 0; i < 60; i++)
		add(i < 30 ? 1 : 2, 7, 80);
	assert_int_equal(sm_srvset_cut(targets, sm_srvset_order(targets, n), 30, 1), 30); /* the second one has no room at all */
	for (uint32_t i = 0; i < 30; i++)
		assert_int_equal(targets[i].priority, 1);
}

/* The share of draws that light targets (of weight `light`) get, over many samples, beside heavy ones. */
static double share_of_light(unsigned n_light, uint16_t light, unsigned n_heavy, uint16_t heavy, uint32_t max)
{
	uint64_t seed = 20260103;
	double share = 0;

	for (int round = 0; round < 400; round++) {
		uint64_t of_light = 0, all = 0;

		clear();
		for (unsigned i = 0; i < n_light + n_heavy; i++)
			add(1, i < n_light ? light : heavy, (uint16_t)(i < n_light ? 1 : 2));
		n = sm_srvset_cut(targets, sm_srvset_order(targets, n), max, sm_random_step(&seed));
		assert_int_equal(n, max);
		for (uint32_t i = 0; i < n; i++) {
			all += sm_choose_weight(targets[i].weight);
			of_light += targets[i].port == 1 ? sm_choose_weight(targets[i].weight) : 0;
		}
		share += (double)of_light / (double)all;
	}
	return share / 400;
}

static void a_sample_keeps_the_shares(void **state)
{
	static const struct {
		unsigned n_light, n_heavy;
		uint16_t light, heavy;
	} sets[] = {
		{2000, 0, 1, 0}, {2000, 10, 1, 100}, {2000, 10, 100, 20000}, {1500, 1500, 1, 3}, {3000, 1, 20, 65535},
		{1000, 1000, 65535, 65534},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(sets); i++) {
		double light = (double)sm_choose_weight(sets[i].light) * sets[i].n_light;
		double right = light / (light + (double)sm_choose_weight(sets[i].heavy) * sets[i].n_heavy);
		double share = share_of_light(sets[i].n_light, sets[i].light, sets[i].n_heavy, sets[i].heavy, 1024);

		if (share < right - 0.01 || share > right + 0.01)
			fail_msg("set %zu: a share of %f, and not of %f", i, share, right);
	}
}

/* Every target has its chance, and equal ones the same. */
static void a_sample_is_drawn_anew_and_fairly(void **state)
{
	static unsigned counts[TARGETS_MAX];
	uint64_t seed = 20260104;
	double chi = 0;

	(void)state;
	memset(counts, 0, sizeof(counts));
	for (int round = 0; round < 1000; round++) {
		clear();
		for (int i = 0; i < 2048; i++)
			add(1, 5, 80);
		n = sm_srvset_cut(targets, sm_srvset_order(targets, n), 1024, sm_random_step(&seed));
		for (uint32_t i = 0; i < n; i++)
			counts[atoi(targets[i].name + 1)]++;
	}
	for (int i = 0; i < 2048; i++)
		chi += (counts[i] - 500.0) * (counts[i] - 500.0) / 250.0;
	assert_true(chi < 2300); /* of 2,048 that are in or out: as by chance */
	for (int i = 0; i < 2048; i++)
		assert_in_range(counts[i], 400, 600);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_best_come_first),
	cmocka_unit_test(equal_records_are_one_and_others_are_not),
	cmocka_unit_test(a_set_that_fits_stays_whole),
	cmocka_unit_test(the_best_priorities_stay_whole),
	cmocka_unit_test(a_sample_keeps_the_shares),
	cmocka_unit_test(a_sample_is_drawn_anew_and_fairly),
};

TESTS_MAIN(tests)
