/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/conf.h"

#include "tests/directory.h"

static struct sm_conf *conf;
static struct sm_conf_error error;
static struct sm_watch watch;

static enum sm_status load_with(bool must_exist)
{
	char file[128], dropins[128], resolv[128], gai[128];
	struct sm_conf_sources sources = {file, must_exist, dropins, resolv, gai, false};

	strcpy(file, path_of("c"));
	strcpy(dropins, path_of("c.d"));
	strcpy(resolv, path_of("resolv.conf"));
	strcpy(gai, path_of("gai.conf"));
	conf = NULL;
	error.text[0] = '\0';
	return sm_conf_load(&sources, &watch, &conf, &error);
}

static void load(const char *text)
{
	write_file("c", text);
	assert_int_equal(load_with(true), SM_OK);
}

static void assert_error(const char *text, const char *expected)
{
	char whole[1024];

	write_file("c", text);
	assert_int_equal(load_with(true), SM_INVALID);
	assert_null(conf);
	snprintf(whole, sizeof(whole), "%s%s", path_of("c"), expected);
	assert_string_equal(error.text, whole);
}

static const struct sm_rule *rule_of(const char *name)
{
	return sm_rules_match(&conf->rules, name, strlen(name));
}

static int clear(void **state)
{
	sm_conf_free(conf);
	conf = NULL;
	return remove_directory(state);
}

static void without_a_file_the_domain_mesh_stands(void **state)
{
	(void)state;
	write_file("resolv.conf", "nameserver 127.0.0.9\n");
	assert_int_equal(load_with(false), SM_OK);
	assert_int_equal(conf->rules.n_rules, 1);
	assert_non_null(rule_of("api.mesh"));
	assert_null(rule_of("api.example"));
	assert_string_equal(rule_of("api.mesh")->domain.text, "mesh");
	assert_int_equal(rule_of("api.mesh")->servers[0].address.bytes[3], 9);
	assert_int_equal(rule_of("api.mesh")->timeout_ms, 500);
}

static void a_named_file_must_exist(void **state)
{
	char expected[256];

	(void)state;
	assert_int_equal(load_with(true), SM_INVALID);
	snprintf(expected, sizeof(expected), "%s: there is no such file", path_of("c"));
	assert_string_equal(error.text, expected);
}

static void the_most_specific_section_wins(void **state)
{
	(void)state;
	load("[service db.mesh]\ntimeout = 3s\n[domain mesh]\ntimeout = 2s\nservers = 127.0.0.2\n"
	     "[resolver]\ntimeout = 1s\nattempts = 5\n[domain other]\n");
	assert_int_equal(rule_of("db.mesh")->timeout_ms, 3000);
	assert_true(rule_of("db.mesh")->is_exact);
	assert_string_equal(rule_of("db.mesh")->domain.text, "mesh");
	assert_int_equal(rule_of("db.mesh")->servers[0].address.bytes[3], 2);
	assert_int_equal(rule_of("api.mesh")->timeout_ms, 2000);
	assert_int_equal(rule_of("api.mesh")->attempts, 5);
	assert_int_equal(rule_of("x.other")->timeout_ms, 1000);
	assert_int_equal(conf->rules.elsewhere.timeout_ms, 1000);
}

static void a_service_may_stand_without_a_domain(void **state)
{
	(void)state;
	load("[service db.corp.example]\nsrv = _postgresql._tcp.db.corp.example\n");
	assert_string_equal(rule_of("db.corp.example")->domain.text, "corp.example");
	assert_null(rule_of("x.corp.example"));
	assert_null(rule_of("api.mesh"));
}

static void dropins_override_the_file_in_name_order(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path_of("c.d"), 0755), 0);
	write_file("c.d/20.conf", "[resolver]\ntimeout = 20ms\n");
	write_file("c.d/10.conf", "[resolver]\ntimeout = 10ms\nattempts = 7\n");
	load("[resolver]\ntimeout = 1ms\n[domain mesh]\n");
	assert_int_equal(rule_of("api.mesh")->timeout_ms, 20);
	assert_int_equal(rule_of("api.mesh")->attempts, 7);
}

static void a_bad_dropin_is_named(void **state)
{
	char expected[256];

	(void)state;
	assert_int_equal(mkdir(path_of("c.d"), 0755), 0);
	write_file("c.d/10.conf", "[resolver]\n\nattempts = x\n");
	write_file("c", "[resolver]\n");
	assert_int_equal(load_with(true), SM_INVALID);
	snprintf(expected, sizeof(expected), "%s:3: attempts: \"x\" is not valid; expected a number from 1 to 16",
	         path_of("c.d/10.conf"));
	assert_string_equal(error.text, expected);
}

static void errors_name_file_line_key_and_what_was_expected(void **state)
{
	(void)state;
	assert_error("[resolver]\ntimeout = 5 apples\n",
	             ":2: timeout: \"5 apples\" is not valid; expected a duration such as 500ms, 2s, 5m, 1h or 1d, "
	             "from 1ms to 1m");
	assert_error("[resolver]\ntimout = 5s\n", ":2: timout: no such key; did you mean timeout?");
	assert_error("[resolver]\ncolour = red\n", ":2: colour: no such key; see srvmesh.conf(5)");
	assert_error("[cache]\ntimeout = 5s\n",
	             ":2: timeout: not in this section; expected in [resolver], [domain NAME] or [service NAME]");
	assert_error("[resolver]\nsrv = x\n", ":2: srv: not in this section; expected in [domain NAME] or [service NAME]");
	assert_error("timeout = 5s\n",
	             ":1: timeout: a key before any section; expected [resolver] or another section above it");
	assert_error("[resolve]\n", ":1: [resolve]: no such section; expected [resolver], [cache], [daemon], "
	                            "[domain NAME] or [service NAME]");
	assert_error("[domain]\n", ":1: [domain]: \"\" is not a domain name; expected letters, digits, hyphens, "
	                           "underscores and dots, such as [domain mesh]");
	assert_error("[cache x]\n", ":1: [cache]: expected no name behind it, got \"x\"");
	assert_error("[resolver]\n\nnonsense\n", ":3: \"nonsense\": expected a [section] or key = value");
	assert_error("[resolver]\nattempts = 1\nattempts = 2\n",
	             ":3: attempts: given twice; expected once, as in line 2");
	assert_error("[domain mesh]\nhealth = tcp\n",
	             ":2: health: \"tcp\" is not supported by this version yet; expected the default \"off\"");
	assert_error("[resolver]\n[domain mesh]\nmin_ttl = 5m\nmax_ttl = 1m\n",
	             ":2: min_ttl: 300000ms is above max_ttl, 60000ms; expected min_ttl at most max_ttl in this section");
}

static void the_files_that_decided_are_watched(void **state)
{
	(void)state;
	write_file("resolv.conf", "nameserver 127.0.0.9\n");
	load("[domain mesh]\n");
	assert_false(sm_watch_has_changed(&watch));
	write_file("resolv.conf", "nameserver 127.0.0.10\n");
	assert_true(sm_watch_has_changed(&watch));
	sm_conf_free(conf);
	load("[resolver]\nservers = 127.0.0.1\n");
	write_file("resolv.conf", "nameserver 127.0.0.11 \n");
	assert_false(sm_watch_has_changed(&watch));
	write_file("c", "[resolver]\n");
	assert_true(sm_watch_has_changed(&watch));
}

static void gai_conf_is_followed_and_watched(void **state)
{
	(void)state;
	write_file("gai.conf", "precedence ::ffff:0:0/96 100\n");
	load("[domain mesh]\n");
	assert_int_equal(conf->rules.policies.precedences.n, 2);
	assert_int_equal(conf->rules.policies.precedences.entries[0].value, 100);
	write_file("gai.conf", "");
	assert_true(sm_watch_has_changed(&watch));
}

static void a_bad_file_is_watched_too(void **state)
{
	(void)state;
	write_file("c", "nonsense");
	assert_int_equal(load_with(true), SM_INVALID);
	assert_false(sm_watch_has_changed(&watch));
	write_file("c", "[domain mesh]\n");
	assert_true(sm_watch_has_changed(&watch));
}

static void a_service_name_may_have_253_characters(void **state)
{
	char text[600], name[254];

	(void)state;
	memset(name, 'a', 253);
	for (int i = 49; i < 253; i += 50)
		name[i] = '.';
	name[253] = '\0';
	snprintf(text, sizeof(text), "[service %s]\nport = 8080\n", name);
	load(text);
	assert_int_equal(rule_of(name)->port, 8080);
}

static uint64_t fingerprint_of(const char *text)
{
	uint64_t fingerprint;

	load(text);
	fingerprint = conf->fingerprint;
	sm_conf_free(conf);
	conf = NULL;
	return fingerprint;
}

static void the_fingerprint_is_of_what_shapes_answers(void **state)
{
	uint64_t plain = fingerprint_of("[domain mesh]\n");

	(void)state;
	assert_int_equal(fingerprint_of(""), plain);
	assert_int_equal(fingerprint_of("[resolver]\n[domain mesh]\n[cache]\n[daemon]\n"), plain);
	assert_int_equal(fingerprint_of("# a comment\n[resolver]\ntimeout = 1s\n[domain mesh]\n[cache]\nsize = 2M\n"), plain);
	assert_int_not_equal(fingerprint_of("[resolver]\nservers = 127.0.0.1\n[domain mesh]\n"), plain);
	assert_int_not_equal(fingerprint_of("[domain mesh]\nservers = 127.0.0.1\n"),
	                     fingerprint_of("[resolver]\nservers = 127.0.0.1\n[domain mesh]\n"));
	assert_int_not_equal(fingerprint_of("[domain mesh]\n[domain other]\n"), plain);
	assert_int_not_equal(fingerprint_of("[domain mesh]\n[service other]\n"),
	                     fingerprint_of("[domain mesh]\n[domain other]\n"));
}

static void noise_is_an_error_never_a_crash(void **state)
{
	unsigned seed = 3;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		char text[200] = "[domain mesh]\nservers = 127.0.0.1:53 [::1]:5\ntimeout = 5s\nsrv = {name} _a._b.{domain}\n";

		for (int i = rand_r(&seed) % 8; i >= 0; i--)
			text[(size_t)rand_r(&seed) % strlen(text)] = (char)(1 + rand_r(&seed) % 255);
		write_file("c", text);
		if (load_with(true) == SM_OK)
			sm_conf_free(conf);
		else
			assert_true(strlen(error.text) > strlen(path_of("c")));
		conf = NULL;
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, clear)
static const struct CMUnitTest tests[] = {
	TEST(without_a_file_the_domain_mesh_stands),
	TEST(a_named_file_must_exist),
	TEST(the_most_specific_section_wins),
	TEST(a_service_may_stand_without_a_domain),
	TEST(dropins_override_the_file_in_name_order),
	TEST(a_bad_dropin_is_named),
	TEST(errors_name_file_line_key_and_what_was_expected),
	TEST(the_files_that_decided_are_watched),
	TEST(gai_conf_is_followed_and_watched),
	TEST(a_bad_file_is_watched_too),
	TEST(a_service_name_may_have_253_characters),
	TEST(the_fingerprint_is_of_what_shapes_answers),
	TEST(noise_is_an_error_never_a_crash),
};

TESTS_MAIN(tests)
