/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/gaiconf.h"

#include "tests/test.h"

#include <arpa/inet.h>
#include <stdio.h>

static struct sm_policies policies;

static struct sm_address address_of(const char *text)
{
	struct sm_address address = {.family = strchr(text, ':') ? SM_IPV6 : SM_IPV4};

	assert_int_equal(inet_pton(address.family == SM_IPV4 ? AF_INET : AF_INET6, text, address.bytes), 1);
	return address;
}

static uint64_t rank_of(const char *destination, const char *source_address)
{
	const struct sm_address address = address_of(destination);
	const struct sm_source source = {.is_reachable = true, .address = address_of(source_address), .is_native = true, .prefix_length = 24};

	return sm_rank(&policies, &address, &source);
}

static bool sorts_before(const char *a, const char *a_source, const char *b, const char *b_source)
{
	return sm_rank_before(rank_of(a, a_source), address_of(a).family, rank_of(b, b_source), address_of(b).family);
}

static void gai_conf_replaces_the_tables_it_names(void **state)
{
	(void)state;
	assert_int_equal(sm_gaiconf_parse("# a comment\nprecedence ::ffff:0:0/96  100 # IPv4 first\n", &policies), SM_OK);
	assert_true(sorts_before("10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2"));
	assert_int_equal(policies.precedences.n, 2);
	assert_int_equal(policies.precedences.entries[1].value, 40);
	assert_int_equal(policies.labels.n, 8);
	assert_int_equal(sm_gaiconf_parse("scopev4 10.0.0.0/8 5\nlabel ::/0 9\nlabel fd00::/8\t3\n", &policies), SM_OK);
	assert_int_equal(policies.labels.n, 2);
	assert_int_equal(policies.labels.entries[0].value, 3);
	assert_int_equal(policies.labels.entries[1].value, 9);
	assert_int_equal(policies.ipv4_scopes.n, 2);
	assert_true(sorts_before("10.0.0.1", "10.0.0.2", "192.0.2.1", "192.0.2.2"));
}

static void lines_that_glibc_passes_over_are_passed_over(void **state)
{
	struct sm_policies same;

	(void)state;
	sm_policies_default(&same);
	assert_int_equal(sm_gaiconf_parse("reload yes\nprecedence\nprecedence ::/129 5\nlabel 10.0.0.0/8 5\n"
	                                   "precedence ::1/128 -5\nprecedence nonsense 5\nscopev4 ::/0 5\nscopev4 ::/96 5\nlabel ::/0 x\n",
	                                   &policies),
	                 SM_OK);
	assert_int_equal(policies.labels.n, same.labels.n);
	assert_int_equal(policies.precedences.n, same.precedences.n);
	assert_int_equal(policies.ipv4_scopes.n, same.ipv4_scopes.n);
}

static void more_lines_than_a_table_holds_leave_the_defaults(void **state)
{
	static char text[64 * 100];

	(void)state;
	for (int i = 0; i < SM_POLICIES_MAX; i++)
		sprintf(text + strlen(text), "label fd00:%x::/32 5\n", i);
	assert_int_equal(sm_gaiconf_parse(text, &policies), SM_FULL);
	assert_int_equal(policies.labels.n, 8);
}

static void noise_never_leaves_a_table_without_an_end(void **state)
{
	const char letters[] = "label precedence scopev4 ::/0 fd00::/8 10.0.0.0/8 5 9\n\n#\t";
	struct sm_address ipv4 = address_of("192.0.2.1"), ipv6 = address_of("2001:db8::1");
	struct sm_source source = {.is_reachable = true};
	unsigned seed = 9;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char text[120];

		for (size_t i = 0; i < sizeof(text) - 1; i++)
			text[i] = letters[(size_t)rand_r(&seed) % (sizeof(letters) - 1)];
		memcpy(text, "precedence fd00::/8 5\n", 22);
		text[sizeof(text) - 1] = '\0';
		(void)!sm_gaiconf_parse(text, &policies);
		source.address = ipv4;
		sm_rank(&policies, &ipv4, &source);
		source.address = ipv6;
		sm_rank(&policies, &ipv6, &source);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(gai_conf_replaces_the_tables_it_names),
	cmocka_unit_test(lines_that_glibc_passes_over_are_passed_over),
	cmocka_unit_test(more_lines_than_a_table_holds_leave_the_defaults),
	cmocka_unit_test(noise_never_leaves_a_table_without_an_end),
};

TESTS_MAIN(tests)
