/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tier/value.h"

#include "conf/keys.h"
#include "tests/answer.h"
#include "tests/test.h"

#define S 1000000000LL
#define NOW_NS (5000 * S)
#define WALL_MS 1800000000000LL

ROOMY_ANSWER(answer);
ROOMY_ANSWER(opened);
ROOMY_ARENA(arena);

static struct sm_rule rule_of_mesh(void)
{
	struct sm_host_conf host;
	struct sm_rule rule;

	sm_keys_defaults(&rule, &host);
	rule.name = rule.domain = name_of("mesh");
	rule.n_servers = 1;
	rule.servers[0] = (struct sm_server){.address = {SM_IPV4, {127, 0, 0, 1}}, .port = 53};
	return rule;
}

static void fill(void)
{
	static uint8_t metadata[64];

	ROOMY_ANSWER_CLEAR(answer);
	answer.kind = SM_ANSWER_ADDRESSES;
	answer.ttl_s = 60;
	answer.n_targets = answer.n_addresses = 2;
	for (uint32_t i = 0; i < 2; i++) {
		answer.targets[i] = (struct sm_target){.name = i ? "b.mesh" : "a.mesh", .weight = 5, .port = 8080,
		                                       .first_address = (uint16_t)i, .n_addresses = 1,
		                                       .judgement = SM_PASSES_FILTER, .is_marked = i == 1};
		answer.addresses[i] = (struct sm_address){SM_IPV4, {127, 0, 0, (uint8_t)(1 + i)}};
		answer.ranks[i] = 77 + i;
	}
	set_metadata(&answer.targets[0], "version=2", metadata);
	answer.judged_by = 12345;
	answer.n_marks = 1;
	answer.marks[0] = (struct sm_mark){.target = 1, .address = 1, .until_ns = 99};
}

static size_t encode(const struct sm_value *value, uint8_t *bytes, size_t size)
{
	const struct sm_name name = name_of("api.mesh");
	size_t used = 0;

	assert_int_equal(sm_value_encode(value, &name, &answer, bytes, size, &used), SM_OK);
	return used;
}

static void an_answer_travels_without_what_is_a_hosts_own(void **state)
{
	const struct sm_value value = {.made_ms = WALL_MS, .lifetime_ms = 60000, .stale_ms = 1000, .flush = 42};
	const struct sm_name name = name_of("api.mesh"), other = name_of("db.mesh");
	static uint8_t bytes[SM_VALUE_MAX];
	struct sm_value read;
	size_t size;

	(void)state;
	fill();
	size = encode(&value, bytes, sizeof(bytes));
	assert_int_equal(sm_value_decode(bytes, size, &read), SM_OK);
	assert_int_equal(read.made_ms, WALL_MS);
	assert_int_equal(read.lifetime_ms, 60000);
	assert_int_equal(read.stale_ms, 1000);
	assert_int_equal(read.flush, 42);
	assert_int_equal(sm_value_answer(&read, &other, &arena, &opened), SM_MISS);
	sm_arena_clear(&arena);
	assert_int_equal(sm_value_answer(&read, &name, &arena, &opened), SM_OK);
	assert_int_equal(opened.n_targets, 2);
	assert_string_equal(opened.targets[1].name, "b.mesh");
	assert_int_equal(opened.targets[1].port, 8080);
	assert_int_equal(opened.targets[0].judgement, 0);
	assert_false(opened.targets[1].is_marked);
	assert_int_equal(opened.n_marks, 0);
	assert_int_equal(opened.judged_by, 0);
	assert_int_equal(opened.ranks[0], 0);
	assert_true(opened.packed_size > 0); /* its metadata */
	assert_int_equal(answer.judged_by, 12345); /* the sealer's own is as it was */
	assert_int_equal(answer.targets[1].is_marked, 1);
	sm_arena_clear(&arena);
}

static void only_whole_answers_and_denials_are_shared(void **state)
{
	(void)state;
	fill();
	assert_true(sm_value_is_shareable(&answer));
	answer.uncertain_families = SM_IPV6;
	assert_false(sm_value_is_shareable(&answer));
	answer.uncertain_families = 0;
	answer.unawaited_families = SM_IPV6;
	assert_false(sm_value_is_shareable(&answer));
	answer.unawaited_families = 0;
	answer.is_metadata_unknown = true;
	assert_false(sm_value_is_shareable(&answer));
	answer.is_metadata_unknown = false;
	answer.kind = SM_ANSWER_FAILURE;
	assert_false(sm_value_is_shareable(&answer));
	answer.kind = SM_ANSWER_NO_NAME;
	assert_true(sm_value_is_shareable(&answer));
}

static void each_beginning_is_corrupt_or_no_answer(void **state)
{
	const struct sm_value value = {.made_ms = WALL_MS};
	const struct sm_name name = name_of("api.mesh");
	static uint8_t bytes[SM_VALUE_MAX];
	struct sm_value read;
	size_t whole;

	(void)state;
	fill();
	whole = encode(&value, bytes, sizeof(bytes));
	for (size_t size = 0; size < whole; size++) {
		enum sm_status status = sm_value_decode(bytes, size, &read);

		if (status == SM_OK)
			status = sm_value_answer(&read, &name, &arena, &opened);
		assert_int_equal(status, SM_CORRUPT);
		sm_arena_clear(&arena);
		if (size > 0) {
			size_t used;

			assert_int_equal(sm_value_encode(&value, &name, &answer, (uint8_t[1024]){0}, size, &used), SM_FULL);
		}
	}
}

/* What is written in the value, what the store and the host's clock say, and what becomes of it. */
static const struct {
	const char *title;
	uint32_t ttl_s, lifetime_s, stale_s;
	int64_t made_s, left_s; /* made: before now, by our clock */
	enum sm_value_age expected;
	int64_t age_s;
} ages[] = {
	{"new", 60, 60, 86400, 0, 86460, SM_VALUE_FRESH, 0},
	{"by our clock", 60, 60, 86400, 20, 86460, SM_VALUE_FRESH, 20},
	{"by the store", 60, 60, 86400, 0, 86430, SM_VALUE_FRESH, 30},
	{"whichever makes it older", 60, 60, 86400, 40, 86450, SM_VALUE_FRESH, 40},
	{"the store does not say", 60, 60, 86400, 20, -1, SM_VALUE_FRESH, 20},
	{"the store says nonsense", 60, 60, 86400, 20, 999999, SM_VALUE_FRESH, 20},
	{"past its TTL", 60, 60, 86400, 61, 86399, SM_VALUE_OLD, 61},
	{"past its TTL, by the store", 60, 60, 86400, 0, 86399, SM_VALUE_OLD, 61},
	{"beyond the sealer's bound", 60, 60, 100, 161, -1, SM_VALUE_ENDED, 0},
	{"beyond ours", 60, 60, 200000, 86500, -1, SM_VALUE_ENDED, 0},
	{"a day later, with a store that forgets nothing", 60, 60, 86400, 86461, 80000, SM_VALUE_ENDED, 0},
	{"a little from the future: by the store alone", 60, 60, 86400, -290, 86430, SM_VALUE_FRESH, 30},
	{"from the future", 60, 60, 86400, -301, 86460, SM_VALUE_AHEAD, 0},
	{"our max_ttl ends it", 9999, 3600, 86400, 3601, -1, SM_VALUE_OLD, 3601},
	{"our min_ttl keeps it", 0, 1, 86400, 0, -1, SM_VALUE_FRESH, 0},
};

static void the_age_is_the_larger_one_of_two_clocks(void **state)
{
	struct sm_rule rule = rule_of_mesh();

	(void)state;
	for (size_t i = 0; i < COUNT(ages); i++) {
		const struct sm_value value = {.made_ms = WALL_MS - ages[i].made_s * 1000, .lifetime_ms = ages[i].lifetime_s * 1000,
		                               .stale_ms = ages[i].stale_s * 1000};
		struct sm_times times = {.made_ns = 0};

		fill();
		answer.ttl_s = ages[i].ttl_s;
		assert_int_equal(sm_value_age(&value, &answer, &rule, ages[i].left_s < 0 ? -1 : ages[i].left_s * 1000, WALL_MS,
		                              NOW_NS, &times), ages[i].expected);
		if (ages[i].expected <= SM_VALUE_OLD)
			assert_int_equal(times.made_ns, NOW_NS - ages[i].age_s * S);
	}
}

static void a_denial_is_never_old(void **state)
{
	struct sm_rule rule = rule_of_mesh();
	struct sm_value value = {.made_ms = WALL_MS - 9000, .lifetime_ms = 10000};
	struct sm_times times;

	(void)state;
	ROOMY_ANSWER_CLEAR(answer);
	answer.kind = SM_ANSWER_NO_NAME;
	answer.ttl_s = 60;
	assert_int_equal(sm_value_age(&value, &answer, &rule, 1000, WALL_MS, NOW_NS, &times), SM_VALUE_FRESH);
	value.made_ms -= 1000;
	assert_int_equal(sm_value_age(&value, &answer, &rule, 1000, WALL_MS, NOW_NS, &times), SM_VALUE_ENDED);
}

/* ---- the subject */

static uint8_t usual[SM_SUBJECT_MAX];
static size_t usual_size;

static bool is_usual(const struct sm_rule *rule, const char *name, uint8_t families, const char *view)
{
	const struct sm_name named = name_of(name);
	uint8_t bytes[SM_SUBJECT_MAX];
	size_t size = sm_value_subject(&named, rule, families, view, bytes);

	return size == usual_size && memcmp(bytes, usual, size) == 0;
}

static void the_subject_is_what_an_answer_depends_on_and_nothing_else(void **state)
{
	const struct sm_rule plain = rule_of_mesh();
	const struct sm_name name = name_of("api.mesh");
	struct sm_rule rule;

	(void)state;
	usual_size = sm_value_subject(&name, &plain, SM_IPV4, "v", usual);
#define SAME(change) do { rule = plain; change; assert_true(is_usual(&rule, "api.mesh", SM_IPV4, "v")); } while (0)
#define OTHER(change) do { rule = plain; change; assert_false(is_usual(&rule, "api.mesh", SM_IPV4, "v")); } while (0)
	SAME((void)0);
	SAME(rule.max_ttl_ms = 5);
	SAME(rule.stale_ms = 0);
	SAME(rule.health = SM_HEALTH_TCP);
	SAME(rule.answers = SM_ANSWERS_ONE);
	SAME(rule.deadline_ms = 9);
	SAME(rule.metadata = SM_METADATA_OF_OWNER); /* nobody asks for them */
	SAME(rule.servers[0].port = 54); /* the view says whose word it is */
	OTHER(rule.name = name_of("api.mesh"));
	OTHER(rule.domain = name_of("other"));
	OTHER(rule.is_exact = true);
	OTHER(rule.templates = "{name}");
	OTHER((rule.templates = "{service} {name}", rule.n_templates = 2));
	OTHER(strcpy(rule.proto, "udp"));
	OTHER(rule.fallback = SM_FALLBACK_NONE);
	OTHER(rule.elsewhere = SM_ELSEWHERE_NEVER);
	OTHER(rule.port = 80);
	OTHER(rule.pairs_key = 1);
	OTHER((rule.pairs_key = 1, rule.metadata = SM_METADATA_OF_OWNER));
	assert_false(is_usual(&plain, "db.mesh", SM_IPV4, "v"));
	assert_false(is_usual(&plain, "api.mesh", SM_IPV6, "v"));
	assert_false(is_usual(&plain, "api.mesh", SM_IPV4, "w"));
}

static void values_of_filters_share_and_a_filter_with_none_does_not(void **state)
{
	struct sm_rule one = rule_of_mesh(), two = rule_of_mesh();
	const struct sm_name name = name_of("api.mesh");

	(void)state;
	one.pairs_key = 1;
	two.pairs_key = 2;
	usual_size = sm_value_subject(&name, &one, SM_IPV4, "v", usual);
	assert_true(is_usual(&two, "api.mesh", SM_IPV4, "v"));
}

static void the_view_is_a_word_or_all_servers_in_any_order(void **state)
{
	struct sm_rule rule = rule_of_mesh();
	struct sm_rules rules = {.elsewhere = rule_of_mesh(), .n_rules = 1, .rules = &rule};
	char first[SM_VIEW_MAX + 1], second[SM_VIEW_MAX + 1];

	(void)state;
	rule.n_servers = 2;
	rule.servers[1] = (struct sm_server){.address = {SM_IPV4, {127, 0, 0, 2}}, .port = 53};
	sm_value_view(&rules, "", first);
	rule.servers[1] = rule.servers[0];
	rule.servers[0] = (struct sm_server){.address = {SM_IPV4, {127, 0, 0, 2}}, .port = 53};
	sm_value_view(&rules, "", second);
	assert_string_equal(first, second);
	rule.servers[0].port = 54;
	sm_value_view(&rules, "", second);
	assert_string_not_equal(first, second);
	rule.servers[0].port = 53;
	rules.elsewhere.servers[0].port = 54; /* targets elsewhere are asked for there */
	sm_value_view(&rules, "", second);
	assert_string_not_equal(first, second);
	rules.elsewhere.servers[0].port = 53;
	sm_value_view(&rules, "rack", first);
	rule.n_servers = 0;
	sm_value_view(&rules, "rack", second);
	assert_string_equal(first, "rack");
	assert_string_equal(second, "rack");
}

static void a_section_that_asks_the_same_servers_is_no_other_view(void **state)
{
	struct sm_rule both[2] = {rule_of_mesh(), rule_of_mesh()}; /* the longer name stands first */
	struct sm_rules one = {.elsewhere = rule_of_mesh(), .n_rules = 1, .rules = &both[1]};
	struct sm_rules two = {.elsewhere = rule_of_mesh(), .n_rules = 2, .rules = both};
	char first[SM_VIEW_MAX + 1], second[SM_VIEW_MAX + 1];

	(void)state;
	both[0].name = name_of("extra.mesh");
	both[0].is_exact = true;
	both[0].servers[0].port = both[1].servers[0].port = 8600;
	sm_value_view(&one, "", first);
	sm_value_view(&two, "", second);
	assert_string_equal(first, second);
	both[0].servers[0].port = 8601; /* targets of this name are asked for elsewhere */
	sm_value_view(&two, "", second);
	assert_string_not_equal(first, second);
	both[0].is_disabled = true;
	sm_value_view(&two, "", second);
	assert_string_equal(first, second);
}

static void what_may_not_be_shared_is_not_believed_either(void **state)
{
	const struct sm_value value = {.made_ms = WALL_MS};
	const struct sm_name name = name_of("api.mesh");
	static uint8_t bytes[SM_VALUE_MAX];
	struct sm_value read;
	size_t size;

	(void)state;
	fill();
	answer.uncertain_families = SM_IPV6;
	size = encode(&value, bytes, sizeof(bytes));
	assert_int_equal(sm_value_decode(bytes, size, &read), SM_OK);
	assert_int_equal(sm_value_answer(&read, &name, &arena, &opened), SM_CORRUPT);
	sm_arena_clear(&arena);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(an_answer_travels_without_what_is_a_hosts_own),
	cmocka_unit_test(only_whole_answers_and_denials_are_shared),
	cmocka_unit_test(each_beginning_is_corrupt_or_no_answer),
	cmocka_unit_test(the_age_is_the_larger_one_of_two_clocks),
	cmocka_unit_test(a_denial_is_never_old),
	cmocka_unit_test(the_subject_is_what_an_answer_depends_on_and_nothing_else),
	cmocka_unit_test(values_of_filters_share_and_a_filter_with_none_does_not),
	cmocka_unit_test(the_view_is_a_word_or_all_servers_in_any_order),
	cmocka_unit_test(a_section_that_asks_the_same_servers_is_no_other_view),
	cmocka_unit_test(what_may_not_be_shared_is_not_believed_either),
};

TESTS_MAIN(tests)
