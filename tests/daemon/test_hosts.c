/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/hosts.h"

#include "tests/test.h"

#include <stdio.h>

#define S 1000000000LL
#define NOW (1000 * S)

static struct sm_hosts hosts;
static struct sm_rule rule = {.key = 7}, other_rule = {.key = 8};

static int begin(void **state)
{
	(void)state;
	sm_hosts_start(&hosts, 25);
	return 0;
}

static int end(void **state)
{
	(void)state;
	sm_hosts_stop(&hosts);
	return 0;
}

static void remember(const char *name, enum sm_rr_type type, uid_t uid, const char *text, uint32_t ttl_s)
{
	const struct sm_question question = {.name = name, .type = type};

	sm_hosts_remember(&hosts, &question, &rule, uid,
	                  &(struct sm_remembered){(const uint8_t *)text, strlen(text), 0, false}, ttl_s, NOW);
}

/* The text that is remembered; NULL: nothing. */
static const char *recalled_ahead(const char *name, enum sm_rr_type type, const struct sm_rule *by, bool ahead, int64_t at_ns)
{
	static char text[64];
	const struct sm_question question = {.name = name, .type = type};
	struct sm_remembered found;

	if (!sm_hosts_recall(&hosts, &question, by, ahead, at_ns, &found))
		return NULL;
	snprintf(text, sizeof(text), "%.*s at %u", (int)found.size, (const char *)found.bytes, found.age_s);
	return text;
}

static const char *recalled(const char *name, enum sm_rr_type type, const struct sm_rule *by, int64_t at_ns)
{
	return recalled_ahead(name, type, by, false, at_ns);
}

static void that_it_is_an_alias_is_remembered(void **state)
{
	const struct sm_question one = {.name = "a.mesh", .type = SM_RR_A}, other = {.name = "b.mesh", .type = SM_RR_A};
	struct sm_remembered found, alias = {(const uint8_t *)"text", 4, 0, true}, plain = {(const uint8_t *)"text", 4, 0, false};

	(void)state;
	sm_hosts_remember(&hosts, &one, &rule, 1, &alias, 60, NOW);
	sm_hosts_remember(&hosts, &other, &rule, 1, &plain, 60, NOW);
	assert_true(sm_hosts_recall(&hosts, &one, &rule, false, NOW, &found) && found.is_alias);
	assert_true(sm_hosts_recall(&hosts, &other, &rule, false, NOW, &found) && !found.is_alias);
}

static void a_host_is_remembered_by_name_family_and_rule(void **state)
{
	(void)state;
	remember("a.mesh", SM_RR_A, 1, "four", 60);
	assert_string_equal(recalled("a.mesh", SM_RR_A, &rule, NOW + 5 * S), "four at 5");
	assert_null(recalled("a.mesh", SM_RR_AAAA, &rule, NOW + 5 * S));
	assert_null(recalled("b.mesh", SM_RR_A, &rule, NOW + 5 * S));
	assert_null(recalled("a.mesh", SM_RR_A, &other_rule, NOW + 5 * S));
	remember("a.mesh", SM_RR_AAAA, 1, "six", 60);
	remember("a.mesh", SM_RR_A, 1, "newer", 60);
	assert_string_equal(recalled("a.mesh", SM_RR_AAAA, &rule, NOW), "six at 0");
	assert_string_equal(recalled("a.mesh", SM_RR_A, &rule, NOW), "newer at 0");
	assert_int_equal(sm_ledger_usage(hosts.ledger).n_entries, 2);
}

static void what_is_near_its_end_is_asked_again_and_by_a_renewal_from_its_half_on(void **state)
{
	(void)state;
	remember("a.mesh", SM_RR_A, 1, "four", 60);
	assert_non_null(recalled("a.mesh", SM_RR_A, &rule, NOW + 53 * S));
	assert_null(recalled("a.mesh", SM_RR_A, &rule, NOW + 54 * S));
	assert_non_null(recalled_ahead("a.mesh", SM_RR_A, &rule, true, NOW + 29 * S));
	assert_null(recalled_ahead("a.mesh", SM_RR_A, &rule, true, NOW + 30 * S));
}

static void one_user_cannot_push_out_what_others_use(void **state)
{
	char name[32];

	(void)state;
	remember("precious.mesh", SM_RR_A, 1, "four", 60);
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "n%d.mesh", i);
		remember(name, SM_RR_A, 2, "x", 60);
	}
	assert_non_null(recalled("precious.mesh", SM_RR_A, &rule, NOW));
	assert_in_range(sm_ledger_usage(hosts.ledger).n_entries, 16384 / 4 + 2, 16384); /* nobody else wants it */
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "n%d.mesh", i);
		remember(name, SM_RR_A, (uid_t)(3 + i % 10), "x", 60);
	}
	assert_non_null(recalled("precious.mesh", SM_RR_A, &rule, NOW));
	assert_in_range(sm_ledger_usage(hosts.ledger).n_entries, 1000, 16384);
	assert_true(sm_ledger_usage(hosts.ledger).cost <= 8388608);
}

static void what_is_too_large_or_too_long_is_not_remembered(void **state)
{
	static char text[5000];
	char name[256];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	remember("a.mesh", SM_RR_A, 1, text, 60);
	assert_null(recalled("a.mesh", SM_RR_A, &rule, NOW));
	memset(name, 'a', sizeof(name));
	name[252] = '\0';
	remember(name, SM_RR_A, 1, "four", 60);
	assert_null(recalled(name, SM_RR_A, &rule, NOW));
}

static void it_can_be_emptied(void **state)
{
	(void)state;
	remember("a.mesh", SM_RR_A, 1, "four", 60);
	sm_hosts_empty(&hosts);
	assert_null(recalled("a.mesh", SM_RR_A, &rule, NOW));
	remember("a.mesh", SM_RR_A, 1, "four", 60);
	assert_non_null(recalled("a.mesh", SM_RR_A, &rule, NOW));
	sm_hosts_stop(&hosts);
	remember("a.mesh", SM_RR_A, 1, "four", 60);
	assert_null(recalled("a.mesh", SM_RR_A, &rule, NOW));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
static const struct CMUnitTest tests[] = {
	TEST(a_host_is_remembered_by_name_family_and_rule),
	TEST(that_it_is_an_alias_is_remembered),
	TEST(what_is_near_its_end_is_asked_again_and_by_a_renewal_from_its_half_on),
	TEST(one_user_cannot_push_out_what_others_use),
	TEST(what_is_too_large_or_too_long_is_not_remembered),
	TEST(it_can_be_emptied),
};

TESTS_MAIN(tests)
