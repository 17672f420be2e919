/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/choose.h"

#include "base/random.h"
#include "tests/answer.h"
#include "tests/test.h"

ROOMY_ANSWER(answer);
static struct sm_rule rule;
static struct sm_choice choice;

static int fresh(void **state)
{
	(void)state;
	ROOMY_ANSWER_CLEAR(answer);
	memset(&rule, 0, sizeof(rule));
	answer.kind = SM_ANSWER_ADDRESSES;
	rule.answers = SM_ANSWERS_ALL;
	rule.max_answers = 8;
	return 0;
}

/* Adds a target with one address of each given family, which ends in the target's number. */
static void add_target(uint16_t priority, uint16_t weight, uint16_t port, uint8_t families)
{
	struct sm_target *target = &answer.targets[answer.n_targets++];

	*target = (struct sm_target){.name = "t", .priority = priority, .weight = weight, .port = port};
	target->first_address = answer.n_addresses;
	for (uint8_t family = SM_IPV4; family <= SM_IPV6; family++) {
		struct sm_address *address = &answer.addresses[answer.n_addresses];

		if (!(families & family))
			continue;
		address->family = family;
		address->bytes[family == SM_IPV4 ? 3 : 15] = (uint8_t)answer.n_targets;
		target->n_addresses++;
		answer.n_addresses++;
	}
}

static int number_of(const struct sm_address *address)
{
	return address->bytes[address->family == SM_IPV4 ? 3 : 15];
}

static void choose(uint8_t families, uint64_t seed)
{
	sm_choose(&answer, &rule, families, NULL, seed, &choice);
}

/* Compares 10,000 draws of the first target with the expected shares. */
static double chi_square(const double *shares, int n)
{
	unsigned counts[8] = {0};
	uint64_t seed = 20260101;
	double chi = 0;

	for (int i = 0; i < 10000; i++) {
		choose(SM_IPV4, sm_random_step(&seed));
		counts[number_of(&choice.addresses[0]) - 1]++;
	}
	for (int i = 0; i < n; i++)
		chi += (counts[i] - 10000 * shares[i]) * (counts[i] - 10000 * shares[i]) / (10000 * shares[i]);
	return chi;
}

#define P_001_1 10.83 /* p = 0.001 at 1 and 2 degrees of freedom */
#define P_001_2 13.82

static void weights_draw_in_proportion(void **state)
{
	(void)state;
	add_target(0, 60, 1, SM_IPV4);
	add_target(0, 30, 1, SM_IPV4);
	add_target(0, 10, 1, SM_IPV4);
	assert_true(chi_square((double[]){0.6, 0.3, 0.1}, 3) < P_001_2);
	rule.answers = SM_ANSWERS_ONE;
	assert_true(chi_square((double[]){0.6, 0.3, 0.1}, 3) < P_001_2);
}

static void equal_weights_share_equally(void **state)
{
	(void)state;
	add_target(0, 1, 1, SM_IPV4);
	add_target(0, 1, 1, SM_IPV4);
	assert_true(chi_square((double[]){0.5, 0.5}, 2) < P_001_1);
}

static void zero_weights_alone_share_equally(void **state)
{
	(void)state;
	add_target(0, 0, 1, SM_IPV4);
	add_target(0, 0, 1, SM_IPV4);
	assert_true(chi_square((double[]){0.5, 0.5}, 2) < P_001_1);
}

static void zero_beside_others_has_a_very_small_chance(void **state)
{
	(void)state;
	add_target(0, 0, 1, SM_IPV4);
	add_target(0, 5, 1, SM_IPV4);
	assert_true(chi_square((double[]){1 / 1281.0, 1280 / 1281.0}, 2) < P_001_1);
}

static void the_second_place_is_drawn_by_weight_among_the_rest(void **state)
{
	unsigned second[4] = {0};

	(void)state;
	add_target(0, 1, 1, SM_IPV4);
	add_target(0, 1, 1, SM_IPV4);
	add_target(0, 2, 1, SM_IPV4);
	for (uint64_t seed = 0; seed < 12000; seed++) {
		choose(SM_IPV4, seed * 7919);
		assert_int_equal(choice.n_addresses, 3);
		if (number_of(&choice.addresses[0]) == 1)
			second[number_of(&choice.addresses[1])]++;
	}
	assert_int_equal(second[1], 0);
	assert_true(second[3] > 1.7 * second[2] && second[3] < 2.3 * second[2]);
}

static void only_the_best_priority_is_taken(void **state)
{
	(void)state;
	add_target(20, 100, 1, SM_IPV4);
	add_target(10, 0, 1, SM_IPV4);
	choose(SM_IPV4, 1);
	assert_int_equal(choice.n_addresses, 1);
	assert_int_equal(number_of(&choice.addresses[0]), 2);
}

static void a_priority_without_a_suitable_address_is_passed_over(void **state)
{
	(void)state;
	add_target(10, 0, 1, SM_IPV6);
	add_target(20, 0, 1, SM_IPV4);
	choose(SM_IPV4, 1);
	assert_int_equal(choice.n_addresses, 1);
	assert_int_equal(number_of(&choice.addresses[0]), 2);
}

static void a_port_leaves_out_the_other_ports(void **state)
{
	(void)state;
	add_target(10, 0, 80, SM_IPV4);
	add_target(20, 0, 81, SM_IPV4);
	rule.port = 81;
	choose(SM_IPV4, 1);
	assert_int_equal(choice.n_addresses, 1);
	assert_int_equal(number_of(&choice.addresses[0]), 2);
}

static void a_preferred_family_leaves_out_the_other_where_it_exists(void **state)
{
	(void)state;
	rule.family = SM_FAMILY_PREFER_IPV4;
	add_target(0, 1, 1, SM_IPV4_AND_IPV6);
	add_target(0, 1, 1, SM_IPV6);
	for (uint64_t seed = 0; seed < 50; seed++) {
		choose(SM_IPV4_AND_IPV6, seed);
		assert_int_equal(choice.n_addresses, 1);
		assert_int_equal(choice.addresses[0].family, SM_IPV4);
	}
	choose(SM_IPV6, 1);
	assert_int_equal(choice.n_addresses, 2);
}

static void a_preferred_family_that_nobody_has_is_no_reason_to_fail(void **state)
{
	(void)state;
	rule.family = SM_FAMILY_PREFER_IPV6;
	add_target(0, 1, 1, SM_IPV4);
	choose(SM_IPV4_AND_IPV6, 1);
	assert_int_equal(choice.n_addresses, 1);
}

static void one_answer_is_all_of_one_target(void **state)
{
	(void)state;
	rule.answers = SM_ANSWERS_ONE;
	add_target(0, 1, 1, SM_IPV4_AND_IPV6);
	add_target(0, 1, 1, SM_IPV4_AND_IPV6);
	choose(SM_IPV4_AND_IPV6, 1);
	assert_int_equal(choice.n_addresses, 2);
	assert_int_equal(number_of(&choice.addresses[0]), number_of(&choice.addresses[1]));
}

static void the_number_of_answers_is_bounded(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++)
		add_target(0, 1, 1, SM_IPV4);
	choose(SM_IPV4, 1);
	assert_int_equal(choice.n_addresses, 8);
	rule.max_answers = 1000;
	choose(SM_IPV4, 1);
	assert_int_equal(choice.n_addresses, SM_ANSWERS_MAX);
}

static void an_address_comes_once(void **state)
{
	(void)state;
	add_target(0, 1, 80, SM_IPV4);
	add_target(0, 1, 81, 0);
	answer.targets[1].first_address = 0;
	answer.targets[1].n_addresses = 1;
	choose(SM_IPV4, 1);
	assert_int_equal(choice.n_addresses, 1);
}

static void no_address_of_the_family_is_no_data_unless_it_is_uncertain(void **state)
{
	(void)state;
	add_target(0, 1, 1, SM_IPV4);
	choose(SM_IPV6, 1);
	assert_int_equal(choice.kind, SM_ANSWER_NO_DATA);
	answer.uncertain_families = SM_IPV6;
	choose(SM_IPV6, 1);
	assert_int_equal(choice.kind, SM_ANSWER_FAILURE);
	choose(SM_IPV4, 1);
	assert_int_equal(choice.kind, SM_ANSWER_ADDRESSES);
	answer.uncertain_families = 0;
	answer.unasked_families = SM_IPV6;
	choose(SM_IPV6, 1);
	assert_int_equal(choice.kind, SM_ANSWER_FAILURE);
}

/* Sets ranks so that target 1 sorts first, then 2, then 3. */
static void rank_targets(void)
{
	for (uint16_t i = 0; i < answer.n_targets; i++)
		for (uint16_t k = 0; k < answer.targets[i].n_addresses; k++)
			answer.ranks[answer.targets[i].first_address + k] = i + 1U;
}

static void ordered_keeps_the_drawn_target_first_and_a_tail_that_cannot_pass_it(void **state)
{
	unsigned seen[4] = {0};

	(void)state;
	rule.answers = SM_ANSWERS_ORDERED;
	for (int i = 0; i < 3; i++)
		add_target(0, 1, 1, SM_IPV4);
	rank_targets();
	for (uint64_t seed = 0; seed < 300; seed++) {
		int first;

		choose(SM_IPV4, seed * 7919);
		first = number_of(&choice.addresses[0]);
		seen[first]++;
		assert_int_equal(choice.n_addresses, 4 - first);
		for (uint32_t i = 1; i < choice.n_addresses; i++)
			assert_true(number_of(&choice.addresses[i]) > first);
	}
	assert_true(seen[1] > 60 && seen[2] > 60 && seen[3] > 60);
}

static void ordered_draws_in_proportion(void **state)
{
	(void)state;
	rule.answers = SM_ANSWERS_ORDERED;
	add_target(0, 60, 1, SM_IPV4);
	add_target(0, 30, 1, SM_IPV4);
	add_target(0, 10, 1, SM_IPV4);
	rank_targets();
	assert_true(chi_square((double[]){0.6, 0.3, 0.1}, 3) < P_001_2);
}

static void ordered_keeps_all_where_nothing_is_ranked_apart(void **state)
{
	(void)state;
	rule.answers = SM_ANSWERS_ORDERED;
	for (int i = 0; i < 3; i++)
		add_target(0, 1, 1, SM_IPV4);
	choose(SM_IPV4, 1);
	assert_int_equal(choice.n_addresses, 3);
}

static void ordered_begins_with_the_best_address_of_the_drawn_target(void **state)
{
	(void)state;
	rule.answers = SM_ANSWERS_ORDERED;
	add_target(0, 1, 1, SM_IPV4_AND_IPV6);
	answer.ranks[0] = 2ULL << 20; /* IPv4 */
	answer.ranks[1] = 1ULL << 20; /* IPv6 */
	choose(SM_IPV4_AND_IPV6, 1);
	assert_int_equal(choice.n_addresses, 2);
	assert_int_equal(choice.addresses[0].family, SM_IPV6);
	choose(SM_IPV4, 1);
	assert_int_equal(choice.addresses[0].family, SM_IPV4);
}

static void a_pin_restricts_to_its_port_and_puts_its_target_first(void **state)
{
	struct sm_pin pin = {.target = {.length = 1, .text = "x"}, .port = 81};

	(void)state;
	add_target(0, 1, 80, SM_IPV4);
	add_target(0, 1, 81, SM_IPV4);
	add_target(0, 1, 81, SM_IPV4);
	answer.targets[2].name = "x";
	for (uint64_t seed = 0; seed < 50; seed++) {
		sm_choose(&answer, &rule, SM_IPV4, &pin, seed, &choice);
		assert_int_equal(choice.n_addresses, 2);
		assert_int_equal(number_of(&choice.addresses[0]), 3);
		assert_int_equal(number_of(&choice.addresses[1]), 2);
	}
	pin.port = 99;
	sm_choose(&answer, &rule, SM_IPV4, &pin, 1, &choice);
	assert_int_equal(choice.kind, SM_ANSWER_FAILURE);
}

static void a_target_is_drawn_with_its_port_by_weight(void **state)
{
	unsigned counts[2] = {0};
	struct sm_pin pin;

	(void)state;
	add_target(0, 3, 80, SM_IPV4);
	add_target(0, 1, 81, SM_IPV6);
	add_target(9, 1, 82, SM_IPV4);
	for (uint64_t seed = 0; seed < 4000; seed++) {
		assert_int_equal(sm_choose_target(&answer, &rule, SM_IPV4_AND_IPV6, seed * 7919, &pin), SM_OK);
		counts[pin.port - 80]++;
	}
	assert_true(counts[0] > 2850 && counts[0] < 3150);
	rule.port = 81;
	assert_int_equal(sm_choose_target(&answer, &rule, SM_IPV4_AND_IPV6, 1, &pin), SM_OK);
	assert_int_equal(pin.port, 81);
}

static void a_target_is_drawn_of_the_family_that_is_wanted(void **state)
{
	struct sm_pin pin;

	(void)state;
	add_target(0, 1, 80, SM_IPV6);
	add_target(9, 1, 81, SM_IPV4);
	for (uint64_t seed = 0; seed < 50; seed++) {
		assert_int_equal(sm_choose_target(&answer, &rule, SM_IPV4, seed, &pin), SM_OK);
		assert_int_equal(pin.port, 81);
	}
	add_target(0, 1, 82, SM_IPV4);
	rule.family = SM_FAMILY_PREFER_IPV4;
	for (uint64_t seed = 0; seed < 50; seed++) {
		assert_int_equal(sm_choose_target(&answer, &rule, SM_IPV4_AND_IPV6, seed, &pin), SM_OK);
		assert_int_equal(pin.port, 82);
	}
}

static void without_srv_there_is_no_port(void **state)
{
	struct sm_pin pin;

	(void)state;
	add_target(0, 0, 0, SM_IPV4);
	assert_int_equal(sm_choose_target(&answer, &rule, SM_IPV4_AND_IPV6, 1, &pin), SM_MISS);
	answer.kind = SM_ANSWER_NO_NAME;
	assert_int_equal(sm_choose_target(&answer, &rule, SM_IPV4_AND_IPV6, 1, &pin), SM_MISS);
}

static void what_is_not_there_stays_so(void **state)
{
	(void)state;
	answer.kind = SM_ANSWER_NO_NAME;
	choose(SM_IPV4, 1);
	assert_int_equal(choice.kind, SM_ANSWER_NO_NAME);
	assert_int_equal(choice.n_addresses, 0);
}

static void what_is_down_is_left_out_unless_all_are_down(void **state)
{
	(void)state;
	add_target(10, 1, 80, SM_IPV4);
	add_target(20, 1, 80, SM_IPV4);
	answer.targets[0].is_down = true;
	choose(SM_IPV4, 1);
	assert_int_equal(choice.n_addresses, 1);
	assert_int_equal(number_of(&choice.addresses[0]), 2);
	answer.targets[1].is_down = true;
	choose(SM_IPV4, 1);
	assert_int_equal(choice.n_addresses, 1);
	assert_int_equal(number_of(&choice.addresses[0]), 1);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)
static const struct CMUnitTest tests[] = {
	TEST(weights_draw_in_proportion),
	TEST(equal_weights_share_equally),
	TEST(zero_weights_alone_share_equally),
	TEST(zero_beside_others_has_a_very_small_chance),
	TEST(the_second_place_is_drawn_by_weight_among_the_rest),
	TEST(only_the_best_priority_is_taken),
	TEST(a_priority_without_a_suitable_address_is_passed_over),
	TEST(a_port_leaves_out_the_other_ports),
	TEST(a_preferred_family_leaves_out_the_other_where_it_exists),
	TEST(a_preferred_family_that_nobody_has_is_no_reason_to_fail),
	TEST(one_answer_is_all_of_one_target),
	TEST(the_number_of_answers_is_bounded),
	TEST(an_address_comes_once),
	TEST(no_address_of_the_family_is_no_data_unless_it_is_uncertain),
	TEST(ordered_keeps_the_drawn_target_first_and_a_tail_that_cannot_pass_it),
	TEST(ordered_draws_in_proportion),
	TEST(ordered_keeps_all_where_nothing_is_ranked_apart),
	TEST(ordered_begins_with_the_best_address_of_the_drawn_target),
	TEST(a_pin_restricts_to_its_port_and_puts_its_target_first),
	TEST(a_target_is_drawn_with_its_port_by_weight),
	TEST(a_target_is_drawn_of_the_family_that_is_wanted),
	TEST(without_srv_there_is_no_port),
	TEST(what_is_not_there_stays_so),
	TEST(what_is_down_is_left_out_unless_all_are_down),
};

TESTS_MAIN(tests)
