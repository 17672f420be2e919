/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/rule.h"

#include "tests/test.h"

static struct sm_rule rule_for(const char *name, bool is_exact)
{
	struct sm_rule rule = {.name = name_of(name), .domain = name_of(name), .is_exact = is_exact, .proto = "tcp"};

	rule.n_templates = 1;
	strcpy(rule.templates[0], "_{service}._{proto}.{domain}");
	return rule;
}

static const char *matched(const struct sm_rules *rules, const char *text)
{
	const struct sm_rule *rule = sm_rules_match(rules, text, strlen(text));

	return rule ? rule->name.text : "none";
}

static void the_longest_suffix_wins_and_an_exact_name_before_it(void **state)
{
	struct sm_rule list[] = {rule_for("mesh", false), rule_for("eu.mesh", false), rule_for("db.eu.mesh", true),
	                         rule_for("db.eu.mesh", false)};
	struct sm_rules rules = {.n_rules = COUNT(list), .rules = list};

	(void)state;
	sm_rules_sort(&rules);
	assert_string_equal(matched(&rules, "api.mesh"), "mesh");
	assert_string_equal(matched(&rules, "api.eu.mesh"), "eu.mesh");
	assert_true(sm_rules_match(&rules, "DB.eu.mesh.", 11)->is_exact);
	assert_string_equal(matched(&rules, "x.db.eu.mesh"), "db.eu.mesh");
	assert_false(sm_rules_match(&rules, "x.db.eu.mesh", 12)->is_exact);
	assert_string_equal(matched(&rules, "mesh.com"), "none");
	assert_string_equal(matched(&rules, ""), "none");
}

static const char *owner_of(struct sm_rule *rule, const char *name, const char *template)
{
	static struct sm_name owner;
	struct sm_name asked = name_of(name);

	strcpy(rule->templates[0], template);
	if (sm_rule_owner(rule, &asked, 0, &owner) != SM_OK)
		return "none";
	return owner.text;
}

static void templates_are_filled_in(void **state)
{
	struct sm_rule rule = rule_for("mesh", false);

	(void)state;
	assert_string_equal(owner_of(&rule, "api.mesh", "_{service}._{proto}.{domain}"), "_api._tcp.mesh");
	assert_string_equal(owner_of(&rule, "api.eu.mesh", "_{service}._{proto}.{domain}"), "_api.eu._tcp.mesh");
	assert_string_equal(owner_of(&rule, "api.mesh", "{name}"), "api.mesh");
	assert_string_equal(owner_of(&rule, "api.mesh", "_http._tcp.{name}"), "_http._tcp.api.mesh");
	assert_string_equal(owner_of(&rule, "api.mesh", "{service}.service.consul"), "api.service.consul");
}

static void a_template_that_makes_no_name_makes_none(void **state)
{
	struct sm_rule rule = rule_for("mesh", false);

	(void)state;
	assert_string_equal(owner_of(&rule, "mesh", "_{service}._tcp.mesh"), "none");
	assert_string_equal(owner_of(&rule, "api.mesh", "{unknown}.mesh"), "none");
	assert_string_equal(owner_of(&rule, "api.mesh", "{name"), "none");
	assert_string_equal(owner_of(&rule, "api.mesh", "{name}..mesh"), "none");
}

static void an_expansion_longer_than_a_name_makes_none(void **state)
{
	struct sm_rule rule = rule_for("mesh", false);
	char name[300];

	(void)state;
	memset(name, 'a', sizeof(name));
	for (int i = 49; i < 248; i += 50)
		name[i] = '.';
	strcpy(name + 248, ".mesh");
	assert_string_equal(owner_of(&rule, name, "_http._tcp.{name}"), "none");
	assert_string_equal(owner_of(&rule, name, "{name}{name}{name}"), "none");
}

static void an_srv_owner_is_asked_as_it_stands(void **state)
{
	struct sm_rule rule = rule_for("mesh", false);
	struct sm_name asked = name_of("_http._tcp.api.mesh"), owner;

	(void)state;
	assert_int_equal(sm_rule_owner(&rule, &asked, 0, &owner), SM_OK);
	assert_string_equal(owner.text, "_http._tcp.api.mesh");
	assert_int_equal(sm_rule_owner(&rule, &asked, 1, &owner), SM_MISS);
}

static void a_policy_of_one_family_asks_for_that_alone(void **state)
{
	struct sm_rule rule = rule_for("mesh", false);

	(void)state;
	rule.family = SM_FAMILY_IPV4;
	assert_int_equal(sm_rule_families(&rule), SM_IPV4);
	rule.family = SM_FAMILY_IPV6;
	assert_int_equal(sm_rule_families(&rule), SM_IPV6);
	rule.family = SM_FAMILY_PREFER_IPV6;
	assert_int_equal(sm_rule_families(&rule), SM_IPV4_AND_IPV6);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_longest_suffix_wins_and_an_exact_name_before_it),
	cmocka_unit_test(templates_are_filled_in),
	cmocka_unit_test(a_template_that_makes_no_name_makes_none),
	cmocka_unit_test(an_expansion_longer_than_a_name_makes_none),
	cmocka_unit_test(an_srv_owner_is_asked_as_it_stands),
	cmocka_unit_test(a_policy_of_one_family_asks_for_that_alone),
};

TESTS_MAIN(tests)
