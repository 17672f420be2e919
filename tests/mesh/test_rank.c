/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/rank.h"

#include "tests/test.h"

#include <arpa/inet.h>
#include <stdio.h>

static struct sm_policies policies;

static int defaults(void **state)
{
	(void)state;
	sm_policies_default(&policies);
	return 0;
}

static struct sm_address address_of(const char *text)
{
	struct sm_address address = {.family = strchr(text, ':') ? SM_IPV6 : SM_IPV4};

	assert_int_equal(inet_pton(address.family == SM_IPV4 ? AF_INET : AF_INET6, text, address.bytes), 1);
	return address;
}

/* A destination with the source that the kernel would use; "" means no route. */
struct pair {
	const char *destination, *source;
	uint8_t prefix_length;
};

static uint64_t rank_of(struct pair pair)
{
	struct sm_address destination = address_of(pair.destination);
	struct sm_source source = {.is_reachable = pair.source[0], .is_native = true, .prefix_length = pair.prefix_length};

	if (pair.source[0])
		source.address = address_of(pair.source);
	return sm_rank(&policies, &destination, &source);
}

static bool is_before(struct pair a, struct pair b)
{
	return sm_rank_before(rank_of(a), address_of(a.destination).family, rank_of(b), address_of(b.destination).family);
}

#define ASSERT_BEFORE(...) assert_before((struct pair[]){__VA_ARGS__})

static void assert_before(const struct pair *pairs)
{
	assert_true(is_before(pairs[0], pairs[1]));
	assert_false(is_before(pairs[1], pairs[0]));
}

#define ASSERT_TIE(...) assert_tie((struct pair[]){__VA_ARGS__})

static void assert_tie(const struct pair *pairs)
{
	assert_false(is_before(pairs[0], pairs[1]));
	assert_false(is_before(pairs[1], pairs[0]));
}

static void the_rules_count_in_their_order(void **state)
{
	(void)state;
	/* 1: reachable */
	ASSERT_BEFORE({"10.0.0.1", "10.0.0.2", 24}, {"2001:db8::1", "", 0});
	/* 2: matching scope */
	ASSERT_BEFORE({"10.0.0.1", "10.0.0.2", 24}, {"2001:db8::1", "fe80::1", 64});
	/* 5: matching label */
	ASSERT_BEFORE({"10.0.0.1", "10.0.0.2", 24}, {"2002::1", "2001:db8::2", 64});
	/* 6: precedence */
	ASSERT_BEFORE({"2001:db8::1", "2001:db8::2", 64}, {"10.0.0.1", "10.0.0.2", 24});
	ASSERT_BEFORE({"::1", "::1", 128}, {"2001:db8::1", "2001:db8::2", 64});
	/* 8: smaller scope */
	ASSERT_BEFORE({"127.0.0.5", "127.0.0.1", 8}, {"10.0.0.1", "10.0.0.2", 24});
	ASSERT_BEFORE({"fe80::1", "fe80::2", 64}, {"fd00::1", "fd00::2", 64});
	/* 9: longest matching prefix */
	ASSERT_BEFORE({"fd00::1", "fd00::2", 64}, {"fd00:0:0:1::1", "fd00::2", 64});
}

static void flags_of_the_source_count(void **state)
{
	struct sm_address destination = address_of("fd00::1");
	struct sm_source plain = {.is_reachable = true, .is_native = true, .address = address_of("fd00::2")};
	struct sm_source deprecated = plain, home = plain, tunnel = plain;

	(void)state;
	deprecated.is_deprecated = home.is_home = true;
	tunnel.is_native = false;
	assert_true(sm_rank(&policies, &destination, &plain) < sm_rank(&policies, &destination, &deprecated));
	assert_true(sm_rank(&policies, &destination, &home) < sm_rank(&policies, &destination, &plain));
	assert_true(sm_rank(&policies, &destination, &plain) < sm_rank(&policies, &destination, &tunnel));
}

static void ipv4_prefixes_count_on_the_own_subnet_alone(void **state)
{
	(void)state;
	ASSERT_BEFORE({"10.1.0.10", "10.1.0.1", 24}, {"10.1.0.200", "10.1.0.1", 24});
	ASSERT_TIE({"10.2.0.10", "10.1.0.1", 24}, {"10.3.0.200", "10.1.0.1", 24});
	ASSERT_BEFORE({"10.1.0.200", "10.1.0.1", 24}, {"10.2.0.1", "10.1.0.1", 24});
	/* unknown prefix length: a subnet with one address */
	ASSERT_TIE({"10.1.0.10", "10.1.0.1", 0}, {"10.1.0.200", "10.1.0.1", 0});
	ASSERT_BEFORE({"10.1.0.1", "10.1.0.1", 0}, {"10.1.0.200", "10.1.0.1", 0});
}

static void prefixes_of_different_families_do_not_compare(void **state)
{
	uint64_t less = 1 << 8 | 3, more = 1 << 8 | 9;

	(void)state;
	assert_true(sm_rank_before(less, SM_IPV4, more, SM_IPV4));
	assert_false(sm_rank_before(less, SM_IPV4, more, SM_IPV6));
	assert_false(sm_rank_before(more, SM_IPV6, less, SM_IPV4));
	assert_true(sm_rank_before(more, SM_IPV6, 2 << 8, SM_IPV4));
}

static void unreachable_ones_keep_precedence_and_scope_alone(void **state)
{
	(void)state;
	ASSERT_BEFORE({"2001:db8::1", "", 0}, {"10.0.0.1", "", 0});
	ASSERT_TIE({"10.0.0.1", "", 0}, {"10.9.0.1", "", 0});
}

#define TEST(name) cmocka_unit_test_setup(name, defaults)
static const struct CMUnitTest tests[] = {
	TEST(the_rules_count_in_their_order),
	TEST(flags_of_the_source_count),
	TEST(ipv4_prefixes_count_on_the_own_subnet_alone),
	TEST(prefixes_of_different_families_do_not_compare),
	TEST(unreachable_ones_keep_precedence_and_scope_alone),
};

TESTS_MAIN(tests)
