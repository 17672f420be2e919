/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/resolvconf.h"

#include "tests/test.h"

#include <stdio.h>

static struct sm_search search;

static void nameservers_are_taken_in_order(void **state)
{
	struct sm_rule rule;

	(void)state;
	sm_resolvconf_parse("# nameserver 9.9.9.9\nsearch x\n nameserver\t127.0.0.2 # here\r\nnameserver ::1\n"
	                    "nameserver fe80::1%eth0\nnameserver nonsense\nnameserver 127.0.0.1:53\nnameserver "
	                    "fd00::1:53\nnameserver",
	                    &rule, &search);
	assert_int_equal(rule.n_servers, 4); /* resolv.conf has no ports: the last one is an address */
	assert_string_equal(rule.servers[2].zone, "eth0");
	assert_int_equal(rule.servers[3].address.bytes[15], 0x53);
	assert_false(rule.servers[0].is_stream);
	assert_int_equal(rule.servers[0].address.bytes[3], 2);
	assert_int_equal(rule.servers[0].port, 53);
	assert_int_equal(rule.servers[1].address.family, SM_IPV6);
}

static void tcp_alone_is_followed_and_other_options_are_not(void **state)
{
	static const char *const yes[] = {"options use-vc\n", "options edns0 use-vc timeout:1\n", "options rotate\noptions use-vc"};
	static const char *const no[] = {"options edns0 trust-ad timeout:1 attempts:2 rotate ndots:3\n", "# options use-vc\n",
	                                 "options use-vcs\n", "search use-vc\n"};
	struct sm_rule rule;
	char text[300];

	(void)state;
	snprintf(text, sizeof(text), "options %0150d use-vc\n", 1); /* a word longer than any */
	sm_resolvconf_parse(text, &rule, &search);
	assert_true(rule.servers[0].is_stream);
	for (size_t i = 0; i < COUNT(yes); i++) {
		snprintf(text, sizeof(text), "%s\nnameserver 127.0.0.1\nnameserver ::1\n", yes[i]);
		sm_resolvconf_parse(text, &rule, &search);
		assert_true(rule.servers[0].is_stream && rule.servers[1].is_stream);
	}
	for (size_t i = 0; i < COUNT(no); i++) {
		snprintf(text, sizeof(text), "nameserver 127.0.0.1\n%s", no[i]);
		sm_resolvconf_parse(text, &rule, &search);
		assert_false(rule.servers[0].is_stream);
	}
}

static void without_any_the_own_host_is_asked(void **state)
{
	struct sm_rule rule;

	(void)state;
	sm_resolvconf_parse("", &rule, &search);
	assert_int_equal(rule.n_servers, 1);
	assert_int_equal(rule.servers[0].address.bytes[0], 127);
}

static void more_than_the_bound_are_left_out(void **state)
{
	struct sm_rule rule;
	char text[1000] = "";

	(void)state;
	for (int i = 0; i < 12; i++)
		strcat(text, "nameserver 127.0.0.1\n");
	sm_resolvconf_parse(text, &rule, &search);
	assert_int_equal(rule.n_servers, SM_SERVERS_MAX);
}

/* What a search list comes to: "ndots: domain domain ...". */
static const char *searched(const char *resolv_conf)
{
	static char text[2000];
	struct sm_rule rule;

	sm_resolvconf_parse(resolv_conf, &rule, &search);
	snprintf(text, sizeof(text), "%u:", search.ndots);
	for (uint32_t i = 0; i < search.n_domains; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s", search.domains[i].text);
	return text;
}

static void the_last_search_list_counts_and_ndots(void **state)
{
	static char many[100 * 4 + 100], long_word[400];

	(void)state;
	assert_string_equal(searched(""), "1:");
	assert_string_equal(searched("search a.mesh B.mesh.\tc\n"), "1: a.mesh b.mesh c");
	assert_string_equal(searched("search a\noptions ndots:5 use-vc\ndomain x.mesh\n"), "5: x.mesh");
	assert_string_equal(searched("options ndots:99\nsearch a # b\n"), "15: a");
	assert_string_equal(searched("options ndots:x ndots:2\nsearch a%b . c\n"), "2: c");
	strcpy(many, "search");
	for (int i = 0; i < 100; i++)
		strcat(many, " abc");
	searched(many);
	assert_int_equal(search.n_domains, SM_SEARCH_MAX);
	snprintf(long_word, sizeof(long_word), "search %0300d a\n", 1);
	assert_string_equal(searched(long_word), "1: a");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_last_search_list_counts_and_ndots),
	cmocka_unit_test(nameservers_are_taken_in_order),
	cmocka_unit_test(tcp_alone_is_followed_and_other_options_are_not),
	cmocka_unit_test(without_any_the_own_host_is_asked),
	cmocka_unit_test(more_than_the_bound_are_left_out),
};

TESTS_MAIN(tests)
