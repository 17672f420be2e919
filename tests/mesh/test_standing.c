/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said of a target agrees with what is drawn: each case is also drawn a thousand times. */
#include "mesh/standing.h"

#include "base/random.h"
#include "mesh/choose.h"
#include "mesh/rank.h"
#include "tests/answer.h"
#include "tests/test.h"

#pragma GCC diagnostic ignored "-Wmissing-field-initializers" /* what a case does not say is 0 */

#define NOW 1000
#define DRAWS 1000

ROOMY_ANSWER(answer);
static struct sm_rule rule;
static struct sm_standing standings[16];
static struct sm_concessions concessions;

static int fresh(void **state)
{
	(void)state;
	ROOMY_ANSWER_CLEAR(answer);
	memset(&rule, 0, sizeof(rule));
	answer.kind = SM_ANSWER_ADDRESSES;
	rule.answers = SM_ANSWERS_ONE;
	rule.health = SM_HEALTH_LAZY;
	rule.health_panic_percent = 50;
	rule.max_answers = 8;
	return 0;
}

static struct sm_target *add(uint16_t priority, uint16_t weight, uint16_t port, uint8_t family)
{
	struct sm_target *target = &answer.targets[answer.n_targets++];

	*target = (struct sm_target){.name = "t", .priority = priority, .weight = weight, .port = port,
	                             .first_address = answer.n_addresses, .judgement = SM_PASSES_FILTER};
	if (family) {
		answer.addresses[answer.n_addresses].family = family;
		answer.addresses[answer.n_addresses++].bytes[0] = (uint8_t)answer.n_targets;
		target->n_addresses = 1;
	}
	return target;
}

static void is_down(uint16_t target)
{
	answer.marks[answer.n_marks++] = (struct sm_mark){target, answer.targets[target].first_address, NOW + 1};
	answer.targets[target].is_marked = true;
}

/* Explains, and draws: whoever is said to be drawn is, by his share, and nobody else. */
static void look(uint8_t families)
{
	uint32_t drawn[16] = {0};

	sm_standings(&answer, &rule, families, NOW, standings, &concessions);
	for (uint64_t seed = 1; seed <= DRAWS; seed++) {
		struct sm_choice choice;

		sm_choose(&answer, &rule, families, NULL, seed * 0x9e3779b97f4a7c15ULL, NOW, &choice);
		if (choice.kind == SM_ANSWER_ADDRESSES)
			drawn[choice.targets[0]]++;
	}
	for (uint32_t i = 0; i < answer.n_targets; i++) {
		double share = standings[i].share_ppm / 1e6, seen = (double)drawn[i] / DRAWS;

		assert_true(standings[i].kind == SM_STANDING_IN ? seen > share - 0.06 && seen < share + 0.06 : drawn[i] == 0);
	}
}

static void weights_are_shares_and_other_priorities_wait(void **state)
{
	(void)state;
	add(10, 60, 80, SM_IPV4);
	add(10, 20, 80, SM_IPV4);
	add(10, 20, 80, SM_IPV4);
	add(20, 1, 80, SM_IPV4);
	is_down(2);
	look(SM_IPV4_AND_IPV6);
	assert_int_equal(standings[0].share_ppm, 750000);
	assert_int_equal(standings[1].share_ppm, 250000);
	assert_int_equal(standings[2].kind, SM_STANDING_DOWN);
	assert_true(standings[2].is_down);
	assert_int_equal(standings[3].kind, SM_STANDING_SPARE);
	assert_int_equal(concessions.priority, 10);
	assert_false(concessions.without_health);
}

static void where_all_are_down_all_are_in(void **state)
{
	(void)state;
	add(10, 1, 80, SM_IPV4);
	add(10, 1, 80, SM_IPV4);
	is_down(0);
	is_down(1);
	look(SM_IPV4_AND_IPV6);
	assert_int_equal(standings[0].kind, SM_STANDING_IN);
	assert_true(standings[0].is_down && concessions.without_health);
}

static void a_priority_in_panic_is_passed_over(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		add(10, 1, 80, SM_IPV4);
	add(20, 1, 80, SM_IPV4);
	for (uint16_t i = 1; i < 4; i++)
		is_down(i);
	look(SM_IPV4_AND_IPV6);
	assert_int_equal(standings[0].kind, SM_STANDING_PANIC);
	assert_int_equal(standings[1].kind, SM_STANDING_DOWN);
	assert_int_equal(standings[4].kind, SM_STANDING_IN);
	assert_int_equal(concessions.priority, 20);
}

static void each_reason_to_leave_one_out_is_named(void **state)
{
	static const struct sm_pair pair;

	(void)state;
	rule.port = 80;
	rule.filter = (struct sm_pairs){"version=2", 1, &pair};
	add(10, 1, 80, SM_IPV4);
	add(10, 1, 81, SM_IPV4);
	add(10, 1, 80, 0);
	add(10, 1, 80, SM_IPV6);
	add(10, 1, 80, SM_IPV4)->judgement = 0;
	add(10, 1, 80, SM_IPV4);
	answer.ranks[answer.targets[5].first_address] = SM_RANK_UNREACHABLE;
	look(SM_IPV4);
	assert_int_equal(standings[0].kind, SM_STANDING_IN);
	assert_int_equal(standings[1].kind, SM_STANDING_PORT);
	assert_int_equal(standings[2].kind, SM_STANDING_NO_ADDRESS);
	assert_int_equal(standings[3].kind, SM_STANDING_FAMILY);
	assert_int_equal(standings[4].kind, SM_STANDING_FILTERED);
	assert_int_equal(standings[5].kind, SM_STANDING_UNREACHABLE);
	assert_false(concessions.without_filter || concessions.without_reach);
}

static void what_had_to_be_given_up_is_named(void **state)
{
	static const struct sm_pair pair;

	(void)state;
	rule.filter = (struct sm_pairs){"version=2", 1, &pair};
	add(10, 1, 80, SM_IPV4)->judgement = 0;
	answer.ranks[0] = SM_RANK_UNREACHABLE;
	look(SM_IPV4);
	assert_int_equal(standings[0].kind, SM_STANDING_IN);
	assert_true(concessions.without_filter && concessions.without_reach);
	rule.filter_fallback = SM_FILTER_FALLBACK_NONE;
	look(SM_IPV4);
	assert_int_equal(standings[0].kind, SM_STANDING_FILTERED);
	assert_true(concessions.is_empty);
}

static void what_is_preferred_comes_first(void **state)
{
	static const struct sm_pair pair;

	(void)state;
	rule.prefer = (struct sm_pairs){"zone=a", 1, &pair};
	add(10, 1, 80, SM_IPV4)->judgement = SM_PASSES_FILTER | 0x80;
	add(10, 9, 80, SM_IPV4);
	look(SM_IPV4);
	assert_int_equal(standings[0].share_ppm, 1000000);
	assert_int_equal(standings[1].kind, SM_STANDING_UNPREFERRED);
}

static void a_preferred_family_leaves_the_other_out(void **state)
{
	(void)state;
	rule.family = SM_FAMILY_PREFER_IPV6;
	add(10, 1, 80, SM_IPV4);
	add(10, 1, 80, SM_IPV6);
	look(SM_IPV4_AND_IPV6);
	assert_int_equal(standings[0].kind, SM_STANDING_FAMILY);
	assert_int_equal(standings[1].kind, SM_STANDING_IN);
}

/* Targets are taken one by one: those of the best priority first, each once, then the others. */
static void every_target_can_be_taken_once(void **state)
{
	uint64_t seed = 7;
	uint16_t target;
	struct sm_address address;
	bool seen[4] = {false};

	(void)state;
	add(10, 60, 80, SM_IPV4);
	add(10, 20, 80, SM_IPV4);
	add(20, 1, 80, SM_IPV4);
	add(30, 1, 80, SM_IPV6);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sm_choose_take(&answer, &rule, SM_IPV4, &seed, NOW, &target, &address), SM_OK);
		assert_false(seen[target]);
		seen[target] = true;
		assert_true(i < 2 ? target < 2 : target == 2);
		assert_int_equal(address.bytes[0], target + 1);
	}
	assert_int_equal(sm_choose_take(&answer, &rule, SM_IPV4, &seed, NOW, &target, &address), SM_MISS);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)
static const struct CMUnitTest tests[] = {
	TEST(weights_are_shares_and_other_priorities_wait),
	TEST(where_all_are_down_all_are_in),
	TEST(a_priority_in_panic_is_passed_over),
	TEST(each_reason_to_leave_one_out_is_named),
	TEST(what_had_to_be_given_up_is_named),
	TEST(what_is_preferred_comes_first),
	TEST(a_preferred_family_leaves_the_other_out),
	TEST(every_target_can_be_taken_once),
};

TESTS_MAIN(tests)
