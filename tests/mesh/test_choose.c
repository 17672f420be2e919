/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/choose.h"

#include "base/random.h"
#include "mesh/judge.h"
#include "tests/answer.h"
#include "tests/test.h"

#include <stdio.h>

/* what a case does not say is 0 */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define NOW 1000

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
	rule.health = SM_HEALTH_LAZY;
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

static void mark(size_t target, uint32_t address, int64_t until_ns)
{
	answer.marks[answer.n_marks++] = (struct sm_mark){(uint16_t)target, (uint16_t)address, until_ns};
	answer.targets[target].is_marked = true;
}

static int number_of(const struct sm_address *address)
{
	return address->bytes[address->family == SM_IPV4 ? 3 : 15];
}

static void choose(uint8_t families, uint64_t seed)
{
	sm_choose(&answer, &rule, families, NULL, seed, NOW, &choice);
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

/* ---- shares: of the first place, by weight */

static void rank_targets(void);

static const struct share {
	const char *title;
	int n;
	uint16_t weights[3];
	double shares[3], bound;
	enum sm_answers answers;
} all_shares[] = {
	{"weights draw in proportion", 3, {60, 30, 10}, {0.6, 0.3, 0.1}, P_001_2, SM_ANSWERS_ALL},
	{"weights draw in proportion, one at a time", 3, {60, 30, 10}, {0.6, 0.3, 0.1}, P_001_2, SM_ANSWERS_ONE},
	{"ordered draws in proportion", 3, {60, 30, 10}, {0.6, 0.3, 0.1}, P_001_2, SM_ANSWERS_ORDERED},
	{"equal weights share equally", 2, {1, 1}, {0.5, 0.5}, P_001_1, SM_ANSWERS_ALL},
	{"zero weights alone share equally", 2, {0, 0}, {0.5, 0.5}, P_001_1, SM_ANSWERS_ALL},
	{"zero beside others has a very small chance", 2, {0, 5}, {1 / 1281.0, 1280 / 1281.0}, P_001_1, SM_ANSWERS_ALL},
};

static void draw_shares(void **state)
{
	const struct share *share = *state;

	fresh(NULL);
	rule.answers = share->answers;
	for (int i = 0; i < share->n; i++)
		add_target(0, share->weights[i], 1, SM_IPV4);
	rank_targets();
	assert_true(chi_square(share->shares, share->n) < share->bound);
}

/* ---- who is in: targets, and the numbers of those whose addresses are given */

#define V4 SM_IPV4
#define V6 SM_IPV6
#define BOTH SM_IPV4_AND_IPV6

static const struct case_of {
	const char *title;
	struct {
		uint16_t priority, port;
		uint8_t families;
		bool is_down, is_far; /* far: this host has no route to it */
	} targets[3];
	uint8_t families;     /* asked for */
	const char *expected; /* "NUMBER/FAMILY", sorted; or a kind */
	enum sm_family_policy policy;
	uint16_t port;
	uint8_t uncertain, unasked, cut;
	enum sm_answers answers; /* 0: ordered */
	bool is_unranked;
} cases[] = {
	{"only the best priority is taken", {{10, 1, V4}, {20, 1, V4}}, V4, "1/4"},
	{"a priority without a suitable address is passed over", {{10, 1, V6}, {20, 1, V4}}, V4, "2/4"},
	{"a port leaves out the other ports", {{10, 80, V4}, {20, 81, V4}}, V4, "2/4", .port = 81},
	{"a preferred family leaves out the other where it exists", {{0, 1, BOTH}, {0, 1, V6}}, BOTH, "1/4", SM_FAMILY_PREFER_IPV4},
	{"a program that asks for the other family gets it", {{0, 1, BOTH}, {0, 1, V6}}, V6, "1/6 2/6", SM_FAMILY_PREFER_IPV4},
	{"a preferred family that no target has is no reason to fail", {{0, 1, V4}}, BOTH, "1/4", SM_FAMILY_PREFER_IPV6},
	{"a target that is down is left out", {{10, 80, V4, true}, {20, 80, V4}}, V4, "2/4"},
	{"all down counts as all up", {{10, 80, V4, true}, {20, 80, V4, true}}, V4, "1/4"},
	{"no address of the family is no data", {{0, 1, V4}}, V6, "no data"},
	{"... unless it is uncertain", {{0, 1, V4}}, V6, "failure", .uncertain = V6},
	{"... or was not asked for", {{0, 1, V4}}, V6, "failure", .unasked = V6},
	{"an uncertain family does not take away the other", {{0, 1, V4}}, V4, "1/4", .uncertain = V6},
	{"ordered keeps all where nothing is ranked apart", {{0, 1, V4}, {0, 1, V4}, {0, 1, V4}}, V4, "1/4 2/4 3/4"},
	{"without ranks ordered gives one target", {{0, 1, V4}, {1, 1, V4}}, V4, "1/4", .is_unranked = true},
	{"what our bounds cut off is not missing", {{0, 1, V4}}, V6, "failure", .cut = V6},
	{"a target that cannot be reached is left out", {{0, 1, V6, .is_far = true}, {0, 1, V4}}, BOTH, "2/4"},
	{"even of the best priority", {{0, 1, V4, .is_far = true}, {9, 1, V6}}, BOTH, "2/6", .answers = SM_ANSWERS_ALL},
	{"if none can be reached, all count", {{0, 1, V6, .is_far = true}, {1, 1, V6, .is_far = true}}, BOTH, "1/6"},
	{"a program that asks for a family without a route gets it", {{0, 1, V6, .is_far = true}, {0, 1, V4}}, V6, "1/6"},
	{"down comes before out of reach", {{0, 1, V4, true}, {0, 1, V4, .is_far = true}}, V4, "1/4"},
	{"of those that are down the reachable count", {{0, 1, V4, true, true}, {0, 1, V4, true}}, V4, "2/4"},
	{"a preferred family without a route is not preferred", {{0, 1, V6, .is_far = true}, {0, 1, V4}}, BOTH, "2/4",
	 SM_FAMILY_PREFER_IPV6},
	{"all gives the whole group", {{0, 1, V4}, {0, 1, BOTH}, {1, 1, V4}}, BOTH, "1/4 2/4 2/6", .answers = SM_ANSWERS_ALL},
};

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void say_choice(char *text, size_t size)
{
	static const char *const kinds[] = {"", "no name", "no data", "failure"};
	char words[SM_ANSWERS_MAX][16];

	snprintf(text, size, "%s", kinds[choice.kind]);
	for (uint32_t i = 0; i < choice.n_addresses; i++)
		snprintf(words[i], sizeof(words[i]), "%d/%c", number_of(&choice.addresses[i]), choice.addresses[i].family == SM_IPV4 ? '4' : '6');
	qsort(words, choice.n_addresses, sizeof(words[0]), by_text);
	for (uint32_t i = 0; i < choice.n_addresses; i++)
		snprintf(text + strlen(text), size - strlen(text), "%s%s", i ? " " : "", words[i]);
}

static void choose_case(void **state)
{
	const struct case_of *this = *state;
	char text[200];

	fresh(NULL);
	rule.family = this->policy;
	rule.port = this->port;
	rule.answers = this->answers;
	answer.uncertain_families = this->uncertain;
	answer.unasked_families = this->unasked;
	answer.cut_families = this->cut;
	for (size_t i = 0; i < COUNT(this->targets) && this->targets[i].families; i++) {
		add_target(this->targets[i].priority, 1, this->targets[i].port, this->targets[i].families);
		for (uint32_t k = answer.targets[i].first_address; k < answer.n_addresses; k++)
			if (this->targets[i].is_down)
				mark(i, k, NOW + 1);
		for (uint32_t k = answer.targets[i].first_address; k < answer.n_addresses; k++)
			answer.ranks[k] = this->is_unranked ? SM_RANK_UNKNOWN : 1 | (this->targets[i].is_far ? SM_RANK_UNREACHABLE : 0);
	}
	for (uint64_t seed = 0; seed < 50; seed++) {
		choose(this->families, seed);
		say_choice(text, sizeof(text));
		assert_string_equal(text, this->expected);
	}
}

/* ---- by health and by metadata: the numbers of the targets that come first in some draw
 *
 * A target is "PRIORITY up|down|far METADATA...". Its mark holds until NOW + 1, of "was" until NOW. */

static const struct selection {
	const char *title;
	const char *targets[6];
	const char *filter, *prefer; /* NULL: none */
	const char *expected;        /* or a kind */
	bool is_strict;              /* filter_fallback = none */
	bool is_unknown;             /* metadata of some target could not be found */
	uint32_t panic_percent;      /* 0: 50 */
} selections[] = {
	{"a mark that is over counts no more", {"1 was", "1 up"}, .expected = "1 2"},
	{"three of five down is panic", {"1 down", "1 down", "1 down", "1 up", "1 up"}, .expected = "1 2 3 4 5"},
	{"two of five are not", {"1 down", "1 down", "1 up", "1 up", "1 up"}, .expected = "3 4 5"},
	{"half is not below half", {"1 down", "1 down", "1 up", "1 up"}, .expected = "3 4"},
	{"of three targets one may be left", {"1 down", "1 down", "1 up"}, .expected = "3"},
	{"panic is a matter of the rule", {"1 down", "1 down", "1 down", "1 up"}, .expected = "4", .panic_percent = 25},
	{"a priority that is whole is better than one in panic", {"1 down", "1 down", "1 down", "1 up", "2 up"}, .expected = "5"},
	{"one in panic is better than one that is down", {"1 down", "1 down", "1 down", "1 up", "2 down"}, .expected = "1 2 3 4"},
	{"of two in panic the best priority counts", {"1 down", "2 down", "2 down", "2 down", "2 up"}, .expected = "2 3 4 5"},
	{"all down of the best priority, the next serves", {"1 down", "1 down", "2 up", "2 down"}, .expected = "3"},
	{"all down in all priorities is fail open for the best", {"1 down", "1 down", "2 down"}, .expected = "1 2"},
	{"what is up but out of reach does not count where another is up", {"1 far", "1 up", "1 down"}, .expected = "2"},
	{"a filter takes what has all its pairs", {"1 up v=2 z=a", "1 up v=2 z=b", "1 up v=1 z=a", "1 up"}, "v=2 z=a", .expected = "1"},
	{"keys compare without case, values do not", {"1 up V=2a", "1 up v=2A"}, "v=2a", .expected = "1"},
	{"of equal keys the first counts", {"1 up v=1 v=2", "1 up v=2 v=1"}, "v=2", .expected = "2"},
	{"a key alone is true", {"1 up canary", "1 up canary=false", "1 up canary=true", "1 up"}, "canary=true", .expected = "1 3"},
	{"a key is not the beginning of another", {"1 up vv=2", "1 up v=22", "1 up v="}, "v=2", .is_strict = true, .expected = "no data"},
	{"a filter that leaves nothing counts no more", {"1 up v=1", "1 up"}, "v=2", .expected = "1 2"},
	{"unless the rule says so", {"1 up v=1", "1 up"}, "v=2", .is_strict = true, .expected = "no data"},
	{"but what could not be found may match", {"1 up v=1", "1 up"}, "v=2", .is_strict = true, .is_unknown = true, .expected = "failure"},
	{"the filter comes before health", {"1 down v=2", "1 up v=1"}, "v=2", .expected = "1"},
	{"and before priority", {"1 up v=1", "2 up v=2"}, "v=2", .expected = "2"},
	{"what is preferred comes first", {"1 up z=a", "1 up z=b", "1 up"}, .prefer = "z=b", .expected = "2"},
	{"if it is up", {"1 up z=a", "1 down z=b", "1 up"}, .prefer = "z=b", .expected = "1 3"},
	{"the first preference decides", {"1 up z=a", "1 up r=1 s=1", "1 up z=a r=1"}, .prefer = "z=a r=1 s=1", .expected = "3"},
	{"priority comes before preference", {"1 up", "2 up z=a"}, .prefer = "z=a", .expected = "1"},
	{"where nothing is preferred all count", {"1 up z=b", "1 up"}, .prefer = "z=a", .expected = "1 2"},
	{"a value that this host does not know matches nothing", {"1 up z=@x", "1 up z="}, .prefer = "z=@x", .expected = "1 2"},
	{"filter and preference together", {"1 up v=2 z=a", "1 up v=2 z=b", "1 up v=1 z=b"}, "v=2", "z=b", .expected = "2"},
};

static void judge(void)
{
	rule.pairs_key = rule.filter.n > 0 || rule.prefer.n > 0;
	sm_judge(&answer, &rule);
}

static void set_pairs(struct sm_pairs *pairs, const char *text, struct sm_pair *room)
{
	*pairs = (struct sm_pairs){.text = text, .pairs = room};
	while (text && *text) {
		size_t length = strcspn(text, " ");
		struct sm_pair *pair = &room[pairs->n++];

		memcpy(pair->text, text, length);
		pair->text[length] = '\0';
		pair->length = (uint8_t)length;
		pair->key_length = (uint8_t)strcspn(pair->text, "=");
		pair->is_known = !strchr(pair->text, '@');
		text += length + (text[length] == ' ');
	}
}

static void add_selected(const char *text, uint8_t *bytes)
{
	unsigned priority;
	char state[8];
	int used;
	uint32_t at = answer.n_addresses;

	assert_int_equal(sscanf(text, "%u %7s%n", &priority, state, &used), 2);
	add_target((uint16_t)priority, 1, 80, SM_IPV4);
	answer.ranks[at] = strcmp(state, "far") == 0 ? SM_RANK_UNREACHABLE : 1;
	if (strcmp(state, "down") == 0 || strcmp(state, "was") == 0)
		mark(answer.n_targets - 1U, at, strcmp(state, "down") == 0 ? NOW + 1 : NOW);
	if (text[used])
		set_metadata(&answer.targets[answer.n_targets - 1], text + used + 1, bytes);
}

static void select_targets(void **state)
{
	static const char *const kinds[] = {"", "no name", "no data", "failure"};
	const struct selection *this = *state;
	struct sm_pair pairs[2][SM_PAIRS_MAX];
	uint8_t bytes[COUNT(this->targets)][80];
	bool has_come[COUNT(this->targets)] = {false};
	char text[40] = "";

	fresh(NULL);
	rule.answers = SM_ANSWERS_ORDERED;
	rule.health_panic_percent = this->panic_percent ? this->panic_percent : 50;
	rule.filter_fallback = this->is_strict ? SM_FILTER_FALLBACK_NONE : SM_FILTER_FALLBACK_ALL;
	answer.is_metadata_unknown = this->is_unknown;
	set_pairs(&rule.filter, this->filter, pairs[0]);
	set_pairs(&rule.prefer, this->prefer, pairs[1]);
	for (size_t i = 0; i < COUNT(this->targets) && this->targets[i]; i++)
		add_selected(this->targets[i], bytes[i]);
	judge();
	for (uint64_t seed = 0; seed < 200; seed++) {
		choose(SM_IPV4, seed * 7919);
		if (choice.n_addresses > 0)
			has_come[number_of(&choice.addresses[0]) - 1] = true;
	}
	snprintf(text, sizeof(text), "%s", kinds[choice.kind]);
	for (size_t i = 0; i < COUNT(has_come); i++)
		if (has_come[i])
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%zu", text[0] ? " " : "", i + 1);
	assert_string_equal(text, this->expected);
}

/* ---- places, bounds, pins */

static void an_address_that_is_down_does_not_come_with_its_target(void **state)
{
	(void)state;
	add_target(0, 1, 80, SM_IPV4_AND_IPV6);
	add_target(0, 1, 80, SM_IPV4_AND_IPV6);
	mark(0, 0, NOW + 1);
	for (uint64_t seed = 0; seed < 50; seed++) {
		choose(SM_IPV4_AND_IPV6, seed);
		assert_int_equal(choice.n_addresses, 3);
		choose(SM_IPV4, seed);
		assert_int_equal(choice.n_addresses, 1);
		assert_int_equal(number_of(&choice.addresses[0]), 2);
	}
}

static void without_health_marks_do_not_count(void **state)
{
	(void)state;
	rule.health = SM_HEALTH_OFF;
	add_target(0, 1, 80, SM_IPV4);
	add_target(1, 1, 80, SM_IPV4);
	mark(0, 0, NOW + 1);
	choose(SM_IPV4, 1);
	assert_int_equal(number_of(&choice.addresses[0]), 1);
}

/* Draws of 90 to 10 go to the ten where the ninety are down. */
static void the_share_of_what_is_down_goes_to_the_others(void **state)
{
	static const double shares[] = {0, 0.25, 0.75};
	unsigned counts[3] = {0};
	uint64_t seed = 20260115;

	(void)state;
	add_target(0, 90, 80, SM_IPV4);
	add_target(0, 5, 80, SM_IPV4);
	add_target(0, 15, 80, SM_IPV4);
	mark(0, 0, NOW + 1);
	for (int i = 0; i < 10000; i++) {
		choose(SM_IPV4, sm_random_step(&seed));
		counts[number_of(&choice.addresses[0]) - 1]++;
	}
	assert_int_equal(counts[0], 0);
	assert_true((counts[1] - 10000 * shares[1]) * (counts[1] - 10000 * shares[1]) / (10000 * shares[1] * shares[2]) < P_001_1);
}

static void what_is_preferred_less_comes_behind(void **state)
{
	static struct sm_pair pairs[SM_PAIRS_MAX];
	uint8_t bytes[4][16];

	(void)state;
	rule.answers = SM_ANSWERS_ORDERED;
	set_pairs(&rule.prefer, "z=a", pairs);
	for (int i = 0; i < 4; i++) {
		add_target(0, 1, 80, SM_IPV4);
		answer.ranks[i] = 1;
		set_metadata(&answer.targets[i], i % 2 ? "z=a" : "z=b", bytes[i]);
	}
	judge();
	for (uint64_t seed = 0; seed < 50; seed++) {
		choose(SM_IPV4, seed);
		assert_int_equal(choice.n_addresses, 4);
		for (int i = 0; i < 4; i++)
			assert_int_equal(number_of(&choice.addresses[i]) % 2, i < 2 ? 0 : 1);
	}
}

static void a_port_is_that_of_a_target_that_is_up_and_suits(void **state)
{
	static struct sm_pair pairs[SM_PAIRS_MAX];
	uint8_t bytes[3][16];
	struct sm_pin pin;

	(void)state;
	set_pairs(&rule.filter, "v=2", pairs);
	for (uint16_t i = 0; i < 3; i++) {
		add_target(0, 1, 80 + i, SM_IPV4);
		set_metadata(&answer.targets[i], i == 1 ? "v=1" : "v=2", bytes[i]);
	}
	judge();
	mark(2, 2, NOW + 1);
	for (uint64_t seed = 0; seed < 50; seed++) {
		assert_int_equal(sm_choose_target(&answer, &rule, SM_IPV4, seed, NOW, &pin), SM_OK);
		assert_int_equal(pin.port, 80);
	}
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

/* One target with `n` IPv4 addresses of equal rank, whose numbers begin with 1. */
static void add_round_robin(uint16_t n)
{
	add_target(0, 1, 1, 0);
	for (uint16_t i = 0; i < n; i++) {
		answer.addresses[i] = (struct sm_address){.family = SM_IPV4, .bytes = {[3] = (uint8_t)(i + 1)}};
		answer.ranks[i] = 1ULL << 20;
	}
	answer.targets[0].n_addresses = answer.n_addresses = n;
}

/* Of twelve, of which eight are given, each comes as often in each place. */
static void addresses_of_one_target_take_turns(void **state)
{
	static const enum sm_answers all[] = {SM_ANSWERS_ORDERED, SM_ANSWERS_ONE, SM_ANSWERS_ALL};
	uint64_t seed = 20260102;

	(void)state;
	add_round_robin(12);
	for (size_t mode = 0; mode < COUNT(all); mode++) {
		unsigned counts[8][13] = {{0}};

		rule.answers = all[mode];
		for (int i = 0; i < 12000; i++) {
			choose(SM_IPV4, sm_random_step(&seed));
			assert_int_equal(choice.n_addresses, 8);
			for (int place = 0; place < 8; place++)
				counts[place][number_of(&choice.addresses[place])]++;
		}
		for (int place = 0; place < 8; place++) {
			double chi = 0;

			for (int i = 1; i <= 12; i++)
				chi += (counts[place][i] - 1000.0) * (counts[place][i] - 1000.0) / 1000.0;
			assert_true(chi < 35.56); /* p = 0.0002 at 11 degrees of freedom, for 24 tests */
		}
	}
}

static void ordered_draws_the_first_among_the_best_addresses_alone(void **state)
{
	unsigned counts[5] = {0};

	(void)state;
	rule.answers = SM_ANSWERS_ORDERED;
	add_round_robin(4);
	answer.ranks[1] = answer.ranks[3] = 1ULL << 19;
	for (uint64_t seed = 0; seed < 1000; seed++) {
		choose(SM_IPV4, seed * 7919);
		assert_int_equal(choice.n_addresses, 4);
		counts[number_of(&choice.addresses[0])]++;
	}
	assert_int_equal(counts[1] + counts[3], 0);
	assert_in_range(counts[2], 440, 560);
}

static void addresses_out_of_reach_come_last(void **state)
{
	(void)state;
	rule.answers = SM_ANSWERS_ONE;
	rule.max_answers = 3;
	add_round_robin(8);
	for (int i = 0; i < 6; i++)
		answer.ranks[i] |= SM_RANK_UNREACHABLE;
	judge();
	for (uint64_t seed = 0; seed < 200; seed++) {
		choose(SM_IPV4, seed * 7919);
		assert_int_equal(choice.n_addresses, 3);
		assert_true(number_of(&choice.addresses[0]) > 6 && number_of(&choice.addresses[1]) > 6);
		assert_true(number_of(&choice.addresses[2]) <= 6);
	}
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
		sm_choose(&answer, &rule, SM_IPV4, &pin, seed, NOW, &choice);
		assert_int_equal(choice.n_addresses, 2);
		assert_int_equal(number_of(&choice.addresses[0]), 3);
		assert_int_equal(number_of(&choice.addresses[1]), 2);
	}
	pin.port = 99;
	sm_choose(&answer, &rule, SM_IPV4, &pin, 1, NOW, &choice);
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
		assert_int_equal(sm_choose_target(&answer, &rule, SM_IPV4_AND_IPV6, seed * 7919, NOW, &pin), SM_OK);
		counts[pin.port - 80]++;
	}
	assert_true(counts[0] > 2850 && counts[0] < 3150);
	rule.port = 81;
	assert_int_equal(sm_choose_target(&answer, &rule, SM_IPV4_AND_IPV6, 1, NOW, &pin), SM_OK);
	assert_int_equal(pin.port, 81);
}

static void a_target_is_drawn_of_the_family_that_is_wanted(void **state)
{
	struct sm_pin pin;

	(void)state;
	add_target(0, 1, 80, SM_IPV6);
	add_target(9, 1, 81, SM_IPV4);
	for (uint64_t seed = 0; seed < 50; seed++) {
		assert_int_equal(sm_choose_target(&answer, &rule, SM_IPV4, seed, NOW, &pin), SM_OK);
		assert_int_equal(pin.port, 81);
	}
	answer.n_targets = answer.n_addresses = 0;
	add_target(0, 1, 80, SM_IPV6);
	add_target(0, 1, 82, SM_IPV4);
	add_target(9, 1, 81, SM_IPV4);
	rule.family = SM_FAMILY_PREFER_IPV4;
	for (uint64_t seed = 0; seed < 50; seed++) {
		assert_int_equal(sm_choose_target(&answer, &rule, SM_IPV4_AND_IPV6, seed, NOW, &pin), SM_OK);
		assert_int_equal(pin.port, 82);
	}
}

static void a_target_without_a_port_is_not_drawn_for_a_service(void **state)
{
	struct sm_pin pin;

	(void)state;
	add_target(0, 100, 0, SM_IPV4);
	add_target(0, 1, 80, SM_IPV4);
	add_target(9, 1, 81, SM_IPV4);
	for (uint64_t seed = 0; seed < 200; seed++) {
		assert_int_equal(sm_choose_target(&answer, &rule, SM_IPV4_AND_IPV6, seed * 7919, NOW, &pin), SM_OK);
		assert_int_equal(pin.port, 80);
	}
	answer.targets[1].port = 0;
	assert_int_equal(sm_choose_target(&answer, &rule, SM_IPV4_AND_IPV6, 1, NOW, &pin), SM_OK);
	assert_int_equal(pin.port, 81);
}

static void without_srv_there_is_no_port(void **state)
{
	struct sm_pin pin;

	(void)state;
	add_target(0, 0, 0, SM_IPV4);
	assert_int_equal(sm_choose_target(&answer, &rule, SM_IPV4_AND_IPV6, 1, NOW, &pin), SM_MISS);
	answer.kind = SM_ANSWER_NO_NAME;
	assert_int_equal(sm_choose_target(&answer, &rule, SM_IPV4_AND_IPV6, 1, NOW, &pin), SM_MISS);
}

static void what_is_not_there_stays_so(void **state)
{
	(void)state;
	answer.kind = SM_ANSWER_NO_NAME;
	choose(SM_IPV4, 1);
	assert_int_equal(choice.kind, SM_ANSWER_NO_NAME);
	assert_int_equal(choice.n_addresses, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)
static const struct CMUnitTest tests[] = {
	TEST(the_second_place_is_drawn_by_weight_among_the_rest),
	TEST(an_address_that_is_down_does_not_come_with_its_target),
	TEST(without_health_marks_do_not_count),
	TEST(the_share_of_what_is_down_goes_to_the_others),
	TEST(what_is_preferred_less_comes_behind),
	TEST(a_port_is_that_of_a_target_that_is_up_and_suits),
	TEST(one_answer_is_all_of_one_target),
	TEST(the_number_of_answers_is_bounded),
	TEST(an_address_comes_once),
	TEST(addresses_of_one_target_take_turns),
	TEST(ordered_draws_the_first_among_the_best_addresses_alone),
	TEST(addresses_out_of_reach_come_last),
	TEST(ordered_keeps_the_drawn_target_first_and_a_tail_that_cannot_pass_it),
	TEST(ordered_begins_with_the_best_address_of_the_drawn_target),
	TEST(a_pin_restricts_to_its_port_and_puts_its_target_first),
	TEST(a_target_is_drawn_with_its_port_by_weight),
	TEST(a_target_is_drawn_of_the_family_that_is_wanted),
	TEST(a_target_without_a_port_is_not_drawn_for_a_service),
	TEST(without_srv_there_is_no_port),
	TEST(what_is_not_there_stays_so),
};

int main(void)
{
	struct CMUnitTest all[COUNT(all_shares) + COUNT(cases) + COUNT(selections) + COUNT(tests)], *next = all;

	for (size_t i = 0; i < COUNT(all_shares); i++)
		*next++ = (struct CMUnitTest){.name = all_shares[i].title, .test_func = draw_shares, .initial_state = (void *)&all_shares[i]};
	for (size_t i = 0; i < COUNT(cases); i++)
		*next++ = (struct CMUnitTest){.name = cases[i].title, .test_func = choose_case, .initial_state = (void *)&cases[i]};
	for (size_t i = 0; i < COUNT(selections); i++)
		*next++ = (struct CMUnitTest){.name = selections[i].title, .test_func = select_targets, .initial_state = (void *)&selections[i]};
	memcpy(next, tests, sizeof(tests));
	return cmocka_run_group_tests(all, NULL, NULL);
}
