/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/rule.h"

#include "tests/test.h"

static struct sm_rule rule_for(const char *name, bool is_exact)
{
	struct sm_rule rule = {.name = name_of(name), .domain = name_of(name), .is_exact = is_exact, .proto = "tcp"};

	rule.n_templates = 1;
	rule.templates = "_{service}._{proto}.{domain}";
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

	rule->templates = template;
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
	assert_int_equal(sm_rule_preferred_family(&rule), SM_IPV6);
	rule.family = SM_FAMILY_AUTO;
	assert_int_equal(sm_rule_families(&rule), SM_IPV4_AND_IPV6);
	assert_int_equal(sm_rule_preferred_family(&rule), 0);
}

static void the_first_label_and_the_rest_can_be_parted(void **state)
{
	struct sm_rule rule = rule_for("svc.cluster.local", false);

	(void)state;
	assert_string_equal(owner_of(&rule, "http.web.shop.svc.cluster.local", "_{first}._{proto}.{rest}.{domain}"),
	                    "_http._tcp.web.shop.svc.cluster.local");
	assert_string_equal(owner_of(&rule, "web.svc.cluster.local", "_{first}._{proto}.{rest}.{domain}"), "none");
	assert_string_equal(owner_of(&rule, "svc.cluster.local", "_{first}._{proto}.{domain}"), "none");
	assert_string_equal(owner_of(&rule, "web.svc.cluster.local", "_{first}._{proto}.{domain}"), "_web._tcp.svc.cluster.local");
}

static void what_a_domain_excepts_is_nobodys(void **state)
{
	struct sm_name excepts[] = {name_of("ad.corp"), name_of("printer.corp")};
	struct sm_rule list[] = {rule_for("corp", false), rule_for("sso.ad.corp", false)};
	struct sm_rules rules = {.n_rules = COUNT(list), .rules = list};

	(void)state;
	list[0].excepts = excepts;
	list[0].n_excepts = COUNT(excepts);
	sm_rules_sort(&rules);
	assert_string_equal(matched(&rules, "api.corp"), "corp");
	assert_string_equal(matched(&rules, "ad.corp"), "none");
	assert_string_equal(matched(&rules, "DC1.AD.corp."), "none");
	assert_string_equal(matched(&rules, "printer.corp"), "none");
	assert_string_equal(matched(&rules, "bad.corp"), "corp");
	assert_string_equal(matched(&rules, "x.sso.ad.corp"), "sso.ad.corp");
}

/* The names that a short one is completed to, in order. */
static const char *completed(const struct sm_rules *rules, const char *text)
{
	static char all[600];
	const struct sm_rule *rule;
	struct sm_name name;
	uint32_t index = 0;

	all[0] = '\0';
	while ((rule = sm_rules_search(rules, text, strlen(text), &index, &name))) {
		assert_ptr_equal(rule, sm_rules_match(rules, name.text, name.length));
		strcat(strcat(all, all[0] ? " " : ""), name.text);
	}
	return all;
}

static void a_short_name_is_completed_by_the_domains_that_are_searched(void **state)
{
	struct sm_rule list[] = {rule_for("consul", false), rule_for("mesh", false), rule_for("db.service.consul", true)};
	struct sm_rules rules = {.n_rules = COUNT(list), .rules = list};
	struct sm_search search;
	char long_name[300];

	(void)state;
	list[0].is_searched = list[2].is_searched = 1;
	sm_rules_sort(&rules);
	assert_string_equal(completed(&rules, "api"), "");
	rules.search = &search;
	search = (struct sm_search){.ndots = 1, .n_domains = 4,
		.domains = {name_of("service.consul"), name_of("example.org"), name_of("mesh"), name_of("consul")}};
	assert_string_equal(completed(&rules, "api"), "api.service.consul api.consul");
	assert_string_equal(completed(&rules, "API"), "api.service.consul api.consul");
	assert_string_equal(completed(&rules, "api."), "");
	assert_string_equal(completed(&rules, "api.v2"), "");
	assert_string_equal(completed(&rules, "db"), "db.service.consul db.consul");
	assert_string_equal(completed(&rules, "localhost"), "");
	assert_string_equal(completed(&rules, ""), "");
	assert_string_equal(completed(&rules, "a%b"), "");
	search.ndots = 2;
	assert_string_equal(completed(&rules, "api.v2"), "api.v2.service.consul api.v2.consul");
	assert_string_equal(completed(&rules, "x.localhost"), "");
	memset(long_name, 'a', sizeof(long_name));
	long_name[250] = '\0';
	assert_string_equal(completed(&rules, long_name), "");
	for (uint32_t i = 0; i < rules.n_rules; i++)
		rules.rules[i].is_disabled = true;
	assert_string_equal(completed(&rules, "api"), "");
}

static struct sm_server server_at(uint8_t last, bool is_stream)
{
	return (struct sm_server){.address = {SM_IPV4, {127, 0, 0, last}}, .port = 53, .is_stream = is_stream};
}

static void a_server_speaks_for_sections_that_would_ask_it(void **state)
{
	struct sm_rule one = {.n_servers = 1, .servers = {server_at(1, false)}};
	struct sm_rule two = {.n_servers = 2, .servers = {server_at(1, true), server_at(2, false)}};

	(void)state;
	assert_true(sm_rule_speaks_for(&one, &one));
	assert_true(sm_rule_speaks_for(&one, &two)); /* by whatever transport */
	assert_false(sm_rule_speaks_for(&two, &one)); /* the other server answers, too */
	two.servers[0].port = 54;
	assert_false(sm_rule_speaks_for(&one, &two));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_first_label_and_the_rest_can_be_parted),
	cmocka_unit_test(what_a_domain_excepts_is_nobodys),
	cmocka_unit_test(a_short_name_is_completed_by_the_domains_that_are_searched),
	cmocka_unit_test(a_server_speaks_for_sections_that_would_ask_it),
	cmocka_unit_test(the_longest_suffix_wins_and_an_exact_name_before_it),
	cmocka_unit_test(templates_are_filled_in),
	cmocka_unit_test(a_template_that_makes_no_name_makes_none),
	cmocka_unit_test(an_expansion_longer_than_a_name_makes_none),
	cmocka_unit_test(an_srv_owner_is_asked_as_it_stands),
	cmocka_unit_test(a_policy_of_one_family_asks_for_that_alone),
};

TESTS_MAIN(tests)
