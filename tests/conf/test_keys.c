/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/keys.h"

#include "conf/file.h"
#include "tests/test.h"

#include <stdio.h>

static void every_default_is_accepted(void **state)
{
	struct sm_rule rule, usual_rule;
	struct sm_host_conf host, usual_host;

	(void)state;
	memset(&rule, 0, sizeof(rule));
	memset(&host, 0, sizeof(host));
	for (size_t i = 0; sm_key_at(i); i++)
		assert_int_equal(sm_key_apply(sm_key_at(i), sm_key_default(sm_key_at(i)), &rule, &host), SM_OK);
	sm_keys_defaults(&usual_rule, &usual_host); /* where numbers are not parsed */
	assert_memory_equal(&usual_rule, &rule, sizeof(rule));
	assert_memory_equal(&usual_host, &host, sizeof(host));
	assert_int_equal(rule.timeout_ms, 500);
	assert_int_equal(rule.attempts, 3);
	assert_int_equal(rule.backoff_permille, 2000);
	assert_int_equal(rule.deadline_ms, 3000);
	assert_int_equal(rule.answers, SM_ANSWERS_ORDERED);
	assert_int_equal(rule.max_ttl_ms, 3600000);
	assert_string_equal(rule.templates, "_{service}._{proto}.{domain}");
	assert_string_equal(rule.proto, "tcp");
	assert_int_equal(host.memory_entries, 256);
	assert_int_equal(host.is_embedded, 1);
	assert_int_equal(host.size_kib, 65536);
	assert_string_equal(host.directory, "/run/srvmesh");
	assert_string_equal(host.socket, "/run/srvmesh/socket");
	assert_int_equal(host.quota_percent, 25);
	assert_int_equal(host.log_level, SM_LOG_INFO);
	assert_int_equal(rule.stale_ms, 86400000);
	assert_int_equal(rule.stale_after_ms, 500);
	assert_int_equal(rule.family, SM_FAMILY_AUTO);
	assert_int_equal(rule.transport, SM_TRANSPORT_UDP);
	assert_int_equal(rule.glue, SM_GLUE_COMPLETE);
	assert_int_equal(rule.is_searched, 0);
}

static enum sm_status apply(const char *name, const char *value)
{
	struct sm_rule rule;
	struct sm_host_conf host;

	sm_keys_defaults(&rule, &host);
	return sm_key_apply(sm_key_find(name, SM_SECTION_RESOLVER), value, &rule, &host);
}

static void values_outside_their_bounds_are_invalid(void **state)
{
	static const char *const wrong[][2] = {
		{"timeout", "0"},      {"timeout", "2m"},     {"attempts", "0"},         {"attempts", "17"},
		{"backoff", "0.9"},    {"backoff", "11"},     {"max_answers", "65"},     {"port", "65536"},
		{"family", "ipv5"},    {"answers", "some"},   {"fallback", ""},          {"deadline", ""},
		{"srv", ""},           {"srv", "{x}"},        {"proto", "_tcp"},         {"proto", "a.b"},
		{"size", "1X"},        {"size", "1K"},        {"size", "65G"},           {"directory", "run"},
		{"socket", "/run//s"}, {"socket", "/a/../s"}, {"socket", "/run/"},       {"directory", ""},
		{"transport", "tls"},  {"glue", "yes"},       {"search", "maybe"},       {"except", "a b%c"},
		{"health", "http"},    {"health_fall", "0"},  {"health_panic", "101%"},  {"health_timeout", "300ms"},
		{"health", "yes"},     {"metadata", "srv"},   {"filter_fallback", "no"}, {"health_interval", "500ms"},
		{"family", "both"},    {"quota", "0%"},       {"memory_entries", "65537"}, {"servers", "host"},
		{"servers", "1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 1.1.1.8 1.1.1.9"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_int_equal(apply(wrong[i][0], wrong[i][1]), SM_INVALID);
}

static void pairs_are_kept_as_they_are_written(void **state)
{
	static const char *const good[] = {"", "a=b", "version=2, zone=a", "canary", "zone=@/etc/srvmesh.zone", "a= b=c=d"};
	static const char *const bad[] = {"=b", "a=b =c", "zone=@zone", "zone=@/etc/../zone", "k\xc3\xa4se=1",
	                                  "a b c d e f g h i j k l m n o p q"};
	struct sm_rule kept;
	struct sm_host_conf host;

	(void)state;
	sm_keys_defaults(&kept, &host);
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_int_equal(sm_key_apply(sm_key_find("prefer", SM_SECTION_RESOLVER), good[i], &kept, &host), SM_OK);
		assert_ptr_equal(kept.prefer.text, good[i]);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(apply("filter", bad[i]), SM_INVALID);
	assert_int_equal(apply("prefer", "a b c d e f g h"), SM_INVALID);
}

static void a_typo_finds_its_nearest_key(void **state)
{
	(void)state;
	assert_string_equal(sm_key_name(sm_key_nearest("timout")), "timeout");
	assert_string_equal(sm_key_name(sm_key_nearest("server")), "servers");
	assert_string_equal(sm_key_name(sm_key_nearest("max_anwsers")), "max_answers");
	assert_null(sm_key_nearest("colour"));
	assert_null(sm_key_nearest(""));
}

/* The sample shows every key, in order, with its default. */
static void the_sample_shows_the_defaults(void **state)
{
	char path[512], *text, *at;
	size_t size;

	(void)state;
	snprintf(path, sizeof(path), "%s/conf/srvmesh.conf", getenv("srcdir"));
	assert_int_equal(sm_file_read(path, &text, &size), SM_OK);
	at = text;
	for (size_t i = 0; sm_key_at(i); i++) {
		const char *usual = sm_key_default(sm_key_at(i));
		char start[64];
		size_t n;

		snprintf(start, sizeof(start), "\n#%s ", sm_key_name(sm_key_at(i)));
		at = strstr(at, start);
		assert_non_null(at);
		at += strcspn(at, "=") + 1;
		at += strspn(at, " ");
		n = strcspn(at, " \n");
		if (*at == '#')
			n = 0;
		assert_int_equal(n, strlen(usual));
		assert_memory_equal(at, usual, n);
	}
	free(text);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_default_is_accepted),
	cmocka_unit_test(values_outside_their_bounds_are_invalid),
	cmocka_unit_test(pairs_are_kept_as_they_are_written),
	cmocka_unit_test(a_typo_finds_its_nearest_key),
	cmocka_unit_test(the_sample_shows_the_defaults),
};

TESTS_MAIN(tests)
