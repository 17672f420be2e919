/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/expand.h"

#include "tests/answer.h"
#include "tests/test.h"

#include <stdio.h>

ROOMY_ARENA(arena);
ROOMY_ARENA(room);
static struct sm_expand expand;
static struct sm_rule rule;
static struct sm_dns_record records[SM_RECORDS_MAX];
static struct sm_reply reply;
static struct sm_answer answer;

static int fresh(void **state)
{
	(void)state;
	memset(&rule, 0, sizeof(rule));
	rule.name = rule.domain = name_of("mesh");
	rule.n_templates = 1;
	strcpy(rule.templates[0], "_{service}._tcp.{domain}");
	reply = (struct sm_reply){.records = records};
	return 0;
}

static void begin(const char *name)
{
	struct sm_name asked = name_of(name);

	sm_arena_clear(&arena);
	sm_expand_init(&expand, &rule, &asked, &arena);
}

/* The next question, as "name TYPE"; its number in *number. */
static const char *next(uint32_t *number)
{
	static char text[300];
	struct sm_question question;

	if (sm_expand_next(&expand, &question, number) != SM_OK)
		return "none";
	snprintf(text, sizeof(text), "%s %s", question.name,
	         question.type == SM_RR_SRV ? "SRV" : question.type == SM_RR_A ? "A" : "AAAA");
	return text;
}

static uint32_t expect_question(const char *text)
{
	uint32_t number = UINT32_MAX;

	assert_string_equal(next(&number), text);
	return number;
}

static struct sm_dns_record *add_record(const char *owner, uint16_t type, uint32_t ttl_s)
{
	struct sm_dns_record *record = &reply.records[reply.n_records++];

	*record = (struct sm_dns_record){.owner = owner, .type = type, .ttl_s = ttl_s};
	return record;
}

static void add_srv(const char *owner, const char *target, uint16_t priority, uint16_t weight, uint32_t ttl_s)
{
	struct sm_dns_record *record = add_record(owner, SM_RR_SRV, ttl_s);

	record->target = target;
	record->priority = priority;
	record->weight = weight;
	record->port = 8080;
}

static void add_address(const char *owner, uint16_t type, uint8_t last, bool is_glue, uint32_t ttl_s)
{
	struct sm_dns_record *record = add_record(owner, type, ttl_s);

	record->address[type == SM_RR_A ? 3 : 15] = last;
	record->is_additional = is_glue;
}

static void tell(uint32_t number)
{
	sm_expand_reply(&expand, number, &reply);
	reply = (struct sm_reply){.records = records};
}

static void tell_negative(uint32_t number, uint8_t rcode, uint32_t ttl_s)
{
	reply.rcode = rcode;
	reply.has_soa = true;
	reply.negative_ttl_s = ttl_s;
	tell(number);
}

static void finish(enum sm_answer_kind kind)
{
	assert_true(sm_expand_is_finished(&expand));
	sm_arena_clear(&room);
	sm_expand_answer(&expand, &room, &answer);
	assert_int_equal(answer.kind, kind);
}

static void targets_with_glue_need_one_question(void **state)
{
	uint32_t number;

	(void)state;
	rule.family = SM_FAMILY_IPV4;
	begin("api.mesh");
	number = expect_question("_api._tcp.mesh SRV");
	add_srv("_api._tcp.mesh", "b.mesh", 20, 5, 60);
	add_srv("_api._tcp.mesh", "a.mesh", 10, 7, 60);
	add_address("a.mesh", SM_RR_A, 1, true, 50);
	add_address("b.mesh", SM_RR_A, 2, true, 40);
	tell(number);
	finish(SM_ANSWER_ADDRESSES);
	assert_int_equal(answer.n_targets, 2);
	assert_string_equal(answer.targets[0].name, "a.mesh");
	assert_int_equal(answer.targets[0].weight, 7);
	assert_int_equal(answer.targets[0].port, 8080);
	assert_int_equal(answer.addresses[answer.targets[1].first_address].bytes[3], 2);
	assert_int_equal(answer.ttl_s, 40);
	assert_string_equal(next(&number), "none");
}

static void missing_addresses_are_asked_all_at_once(void **state)
{
	uint32_t a4, a6, b4, b6;

	(void)state;
	begin("api.mesh");
	add_srv("_api._tcp.mesh", "a.mesh", 0, 0, 60);
	add_srv("_api._tcp.mesh", "b.mesh", 0, 0, 60);
	add_address("a.mesh", SM_RR_A, 1, true, 60);
	tell(expect_question("_api._tcp.mesh SRV"));
	a6 = expect_question("a.mesh AAAA");
	b4 = expect_question("b.mesh A");
	b6 = expect_question("b.mesh AAAA");
	tell_negative(a6, 0, 5);
	add_address("b.mesh", SM_RR_AAAA, 2, false, 30);
	tell(b6);
	assert_false(sm_expand_is_finished(&expand));
	tell_negative(b4, 0, 5);
	finish(SM_ANSWER_ADDRESSES);
	assert_int_equal(answer.n_addresses, 2);
	assert_int_equal(answer.ttl_s, 30);
	a4 = 0;
	assert_string_equal(next(&a4), "none");
}

static void targets_that_share_a_host_ask_for_it_once(void **state)
{
	uint32_t number;

	(void)state;
	rule.family = SM_FAMILY_IPV4;
	begin("api.mesh");
	add_srv("_api._tcp.mesh", "a.mesh", 0, 1, 60);
	add_srv("_api._tcp.mesh", "a.mesh", 0, 2, 60);
	tell(expect_question("_api._tcp.mesh SRV"));
	number = expect_question("a.mesh A");
	assert_string_equal(next(&(uint32_t){0}), "none");
	add_address("a.mesh", SM_RR_A, 1, false, 60);
	tell(number);
	finish(SM_ANSWER_ADDRESSES);
	assert_int_equal(answer.n_targets, 2);
	assert_int_equal(answer.n_addresses, 1);
	assert_int_equal(answer.targets[0].first_address, answer.targets[1].first_address);
}

static void templates_are_tried_in_order_until_one_exists(void **state)
{
	(void)state;
	rule.family = SM_FAMILY_IPV4;
	rule.n_templates = 2;
	strcpy(rule.templates[1], "{name}");
	begin("api.mesh");
	tell_negative(expect_question("_api._tcp.mesh SRV"), SM_RCODE_NXDOMAIN, 5);
	add_srv("api.mesh", "a.mesh", 0, 0, 60);
	add_address("a.mesh", SM_RR_A, 1, true, 60);
	tell(expect_question("api.mesh SRV"));
	finish(SM_ANSWER_ADDRESSES);
	assert_int_equal(answer.ttl_s, 60);
}

static void without_srv_the_name_itself_is_asked(void **state)
{
	uint32_t a, aaaa;

	(void)state;
	begin("api.mesh");
	tell_negative(expect_question("_api._tcp.mesh SRV"), SM_RCODE_NXDOMAIN, 5);
	a = expect_question("api.mesh A");
	aaaa = expect_question("api.mesh AAAA");
	add_address("api.mesh", SM_RR_A, 9, false, 60);
	tell(a);
	tell_negative(aaaa, 0, 5);
	finish(SM_ANSWER_ADDRESSES);
	assert_int_equal(answer.targets[0].port, 0);
	assert_string_equal(answer.targets[0].name, "api.mesh");
}

static void nxdomain_everywhere_is_no_name(void **state)
{
	(void)state;
	rule.family = SM_FAMILY_IPV4;
	begin("api.mesh");
	tell_negative(expect_question("_api._tcp.mesh SRV"), SM_RCODE_NXDOMAIN, 50);
	tell_negative(expect_question("api.mesh A"), SM_RCODE_NXDOMAIN, 40);
	finish(SM_ANSWER_NO_NAME);
	assert_int_equal(answer.ttl_s, 40);
}

static void a_name_without_addresses_is_no_data(void **state)
{
	(void)state;
	rule.family = SM_FAMILY_IPV4;
	begin("api.mesh");
	tell_negative(expect_question("_api._tcp.mesh SRV"), SM_RCODE_NXDOMAIN, 50);
	tell_negative(expect_question("api.mesh A"), 0, 40);
	finish(SM_ANSWER_NO_DATA);
}

static void without_fallback_no_srv_is_no_name(void **state)
{
	(void)state;
	rule.fallback = SM_FALLBACK_NONE;
	begin("api.mesh");
	tell_negative(expect_question("_api._tcp.mesh SRV"), 0, 50);
	finish(SM_ANSWER_NO_NAME);
}

static void a_root_target_denies_without_fallback(void **state)
{
	(void)state;
	begin("api.mesh");
	add_srv("_api._tcp.mesh", "", 0, 0, 77);
	tell(expect_question("_api._tcp.mesh SRV"));
	finish(SM_ANSWER_NO_NAME);
	assert_int_equal(answer.ttl_s, 77);
}

static void an_srv_owner_is_not_asked_for_addresses(void **state)
{
	(void)state;
	begin("_http._tcp.api.mesh");
	tell_negative(expect_question("_http._tcp.api.mesh SRV"), SM_RCODE_NXDOMAIN, 50);
	finish(SM_ANSWER_NO_NAME);
}

static void no_word_on_the_srv_owner_is_a_failure(void **state)
{
	(void)state;
	begin("api.mesh");
	sm_expand_failed(&expand, expect_question("_api._tcp.mesh SRV"));
	finish(SM_ANSWER_FAILURE);
}

static void what_is_still_open_counts_as_failed(void **state)
{
	(void)state;
	begin("api.mesh");
	expect_question("_api._tcp.mesh SRV");
	assert_false(sm_expand_is_finished(&expand));
	sm_arena_clear(&room);
	sm_expand_answer(&expand, &room, &answer);
	assert_int_equal(answer.kind, SM_ANSWER_FAILURE);
}

static void a_failed_target_leaves_its_family_uncertain(void **state)
{
	uint32_t a4, a6;

	(void)state;
	begin("api.mesh");
	add_srv("_api._tcp.mesh", "a.mesh", 0, 0, 60);
	tell(expect_question("_api._tcp.mesh SRV"));
	a4 = expect_question("a.mesh A");
	a6 = expect_question("a.mesh AAAA");
	sm_expand_failed(&expand, a6);
	add_address("a.mesh", SM_RR_A, 1, false, 60);
	tell(a4);
	finish(SM_ANSWER_ADDRESSES);
	assert_int_equal(answer.uncertain_families, SM_IPV6);
}

static void all_targets_failed_is_a_failure(void **state)
{
	(void)state;
	rule.family = SM_FAMILY_IPV4;
	begin("api.mesh");
	add_srv("_api._tcp.mesh", "a.mesh", 0, 0, 60);
	add_srv("_api._tcp.mesh", "b.mesh", 0, 0, 60);
	tell(expect_question("_api._tcp.mesh SRV"));
	sm_expand_failed(&expand, expect_question("a.mesh A"));
	tell_negative(expect_question("b.mesh A"), SM_RCODE_NXDOMAIN, 5);
	finish(SM_ANSWER_FAILURE);
}

static void cnames_are_followed_inside_a_message(void **state)
{
	uint32_t number;

	(void)state;
	rule.family = SM_FAMILY_IPV4;
	begin("api.mesh");
	add_srv("_api._tcp.mesh", "a.mesh", 0, 0, 60);
	tell(expect_question("_api._tcp.mesh SRV"));
	number = expect_question("a.mesh A");
	add_record("a.mesh", SM_RR_CNAME, 20)->target = "b.mesh";
	add_record("b.mesh", SM_RR_CNAME, 90)->target = "c.mesh";
	add_address("c.mesh", SM_RR_A, 3, false, 60);
	tell(number);
	finish(SM_ANSWER_ADDRESSES);
	assert_int_equal(answer.ttl_s, 20);
	assert_string_equal(answer.targets[0].name, "a.mesh");
}

static void a_cname_that_leads_out_of_the_message_is_asked_again(void **state)
{
	(void)state;
	rule.family = SM_FAMILY_IPV4;
	begin("api.mesh");
	add_srv("_api._tcp.mesh", "a.mesh", 0, 0, 60);
	tell(expect_question("_api._tcp.mesh SRV"));
	add_record("a.mesh", SM_RR_CNAME, 20)->target = "host.example";
	tell(expect_question("a.mesh A"));
	add_address("host.example", SM_RR_A, 3, false, 60);
	tell(expect_question("host.example A"));
	finish(SM_ANSWER_ADDRESSES);
}

static void an_alias_of_the_srv_owner_is_followed(void **state)
{
	(void)state;
	rule.family = SM_FAMILY_IPV4;
	begin("api.mesh");
	add_record("_api._tcp.mesh", SM_RR_CNAME, 20)->target = "_web._tcp.mesh";
	add_srv("_web._tcp.mesh", "a.mesh", 0, 0, 60);
	add_address("a.mesh", SM_RR_A, 1, true, 60);
	tell(expect_question("_api._tcp.mesh SRV"));
	finish(SM_ANSWER_ADDRESSES);
}

static void a_circle_of_cnames_ends_as_a_failure(void **state)
{
	uint32_t number;
	int asked = 0;

	(void)state;
	rule.family = SM_FAMILY_IPV4;
	begin("api.mesh");
	tell_negative(expect_question("_api._tcp.mesh SRV"), SM_RCODE_NXDOMAIN, 5);
	while (strcmp(next(&number), "none") != 0) {
		add_record("api.mesh", SM_RR_CNAME, 20)->target = "b.mesh";
		add_record("b.mesh", SM_RR_CNAME, 20)->target = "api.mesh";
		tell(number);
		asked++;
	}
	assert_true(asked <= SM_HOPS_MAX + 1);
	finish(SM_ANSWER_FAILURE);
}

static void a_thousand_targets_stay_within_the_bounds(void **state)
{
	static char names[1000][16];
	uint32_t number, asked = 0;

	(void)state;
	begin("api.mesh");
	for (int i = 0; i < 1000; i++) {
		snprintf(names[i], sizeof(names[i]), "t%d.mesh", i);
		add_srv("_api._tcp.mesh", names[i], (uint16_t)(1000 - i), 0, 60);
	}
	tell(expect_question("_api._tcp.mesh SRV"));
	assert_string_equal(next(&number), "t999.mesh A");
	do {
		asked++;
		add_address(sm_expand_is_finished(&expand) ? "" : expand.questions[number].asks.name,
		            (uint16_t)expand.questions[number].asks.type, 1, false, 60);
		tell(number);
	} while (strcmp(next(&number), "none") != 0);
	assert_int_equal(asked, SM_QUESTIONS_MAX - 1);
	finish(SM_ANSWER_ADDRESSES);
	assert_int_equal(answer.n_targets, 32);
	assert_string_equal(answer.targets[0].name, "t999.mesh");
	assert_int_equal(expand.n_targets, SM_TARGETS_MAX);
}

static void tell_a_hundred_targets(void)
{
	static char names[100][16];

	for (int i = 0; i < 100; i++) {
		snprintf(names[i], sizeof(names[i]), "t%d.mesh", i);
		add_srv("_api._tcp.mesh", names[i], 0, 0, 60);
	}
	tell(expect_question("_api._tcp.mesh SRV"));
}

static void what_a_bound_cut_off_is_not_called_missing(void **state)
{
	uint32_t number;

	(void)state;
	begin("api.mesh");
	tell_a_hundred_targets();
	while (strcmp(next(&number), "none") != 0)
		tell_negative(number, SM_RCODE_NXDOMAIN, 5);
	finish(SM_ANSWER_FAILURE);
}

static void no_srv_is_a_link_of_the_chain_of_a_fallback(void **state)
{
	(void)state;
	rule.family = SM_FAMILY_IPV4;
	begin("api.mesh");
	tell_negative(expect_question("_api._tcp.mesh SRV"), SM_RCODE_NXDOMAIN, 7);
	add_address("api.mesh", SM_RR_A, 9, false, 3600);
	tell(expect_question("api.mesh A"));
	finish(SM_ANSWER_ADDRESSES);
	assert_int_equal(answer.ttl_s, 7);
}

static void a_missing_target_is_looked_for_again_in_its_time(void **state)
{
	(void)state;
	rule.family = SM_FAMILY_IPV4;
	begin("api.mesh");
	add_srv("_api._tcp.mesh", "a.mesh", 0, 0, 600);
	add_srv("_api._tcp.mesh", "b.mesh", 0, 0, 600);
	add_address("a.mesh", SM_RR_A, 1, true, 600);
	tell(expect_question("_api._tcp.mesh SRV"));
	tell_negative(expect_question("b.mesh A"), SM_RCODE_NXDOMAIN, 30);
	finish(SM_ANSWER_ADDRESSES);
	assert_int_equal(answer.ttl_s, 30);
}

static void families_that_a_bound_kept_from_being_asked_are_told(void **state)
{
	uint32_t number;

	(void)state;
	begin("api.mesh");
	tell_a_hundred_targets();
	while (strcmp(next(&number), "none") != 0) {
		if (expand.questions[number].asks.type == SM_RR_A)
			add_address(expand.questions[number].asks.name, SM_RR_A, 1, false, 60);
		reply.has_soa = true;
		tell(number);
	}
	finish(SM_ANSWER_ADDRESSES);
	assert_int_equal(answer.unasked_families, SM_IPV4_AND_IPV6);
	assert_int_equal(answer.uncertain_families, 0);
}

static void one_family_may_be_settled_before_the_other(void **state)
{
	uint32_t a, aaaa;

	(void)state;
	begin("api.mesh");
	tell_negative(expect_question("_api._tcp.mesh SRV"), SM_RCODE_NXDOMAIN, 7);
	a = expect_question("api.mesh A");
	aaaa = expect_question("api.mesh AAAA");
	assert_false(sm_expand_is_settled(&expand, SM_IPV4));
	add_address("api.mesh", SM_RR_A, 9, false, 60);
	tell(a);
	assert_true(sm_expand_is_settled(&expand, SM_IPV4));
	assert_false(sm_expand_is_settled(&expand, SM_IPV6));
	assert_false(sm_expand_is_finished(&expand));
	sm_expand_failed(&expand, aaaa);
	finish(SM_ANSWER_ADDRESSES);
}

static void a_late_second_reply_changes_nothing(void **state)
{
	uint32_t number;

	(void)state;
	rule.family = SM_FAMILY_IPV4;
	begin("api.mesh");
	number = expect_question("_api._tcp.mesh SRV");
	add_srv("_api._tcp.mesh", "", 0, 0, 60);
	tell(number);
	add_srv("_api._tcp.mesh", "a.mesh", 0, 0, 60);
	tell(number);
	sm_expand_failed(&expand, number);
	finish(SM_ANSWER_NO_NAME);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)
static const struct CMUnitTest tests[] = {
	TEST(targets_with_glue_need_one_question),
	TEST(missing_addresses_are_asked_all_at_once),
	TEST(targets_that_share_a_host_ask_for_it_once),
	TEST(templates_are_tried_in_order_until_one_exists),
	TEST(without_srv_the_name_itself_is_asked),
	TEST(nxdomain_everywhere_is_no_name),
	TEST(a_name_without_addresses_is_no_data),
	TEST(without_fallback_no_srv_is_no_name),
	TEST(a_root_target_denies_without_fallback),
	TEST(an_srv_owner_is_not_asked_for_addresses),
	TEST(no_word_on_the_srv_owner_is_a_failure),
	TEST(what_is_still_open_counts_as_failed),
	TEST(a_failed_target_leaves_its_family_uncertain),
	TEST(all_targets_failed_is_a_failure),
	TEST(cnames_are_followed_inside_a_message),
	TEST(a_cname_that_leads_out_of_the_message_is_asked_again),
	TEST(an_alias_of_the_srv_owner_is_followed),
	TEST(a_circle_of_cnames_ends_as_a_failure),
	TEST(a_thousand_targets_stay_within_the_bounds),
	TEST(what_a_bound_cut_off_is_not_called_missing),
	TEST(no_srv_is_a_link_of_the_chain_of_a_fallback),
	TEST(a_missing_target_is_looked_for_again_in_its_time),
	TEST(families_that_a_bound_kept_from_being_asked_are_told),
	TEST(one_family_may_be_settled_before_the_other),
	TEST(a_late_second_reply_changes_nothing),
};

TESTS_MAIN(tests)
