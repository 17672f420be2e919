/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/name.h"

#include "tests/test.h"

static void a_name_is_folded_and_loses_one_trailing_dot(void **state)
{
	(void)state;
	assert_string_equal(name_of("API.Mesh.").text, "api.mesh");
	assert_int_equal(name_of("_Http._TCP.api.mesh").length, 19);
}

static void assert_no_name(const char *text)
{
	struct sm_name name = {.length = 77};

	assert_int_equal(sm_name_parse(text, strlen(text), &name), SM_INVALID);
	assert_int_equal(name.length, 77);
}

static void what_is_no_name_is_refused(void **state)
{
	static const char *const wrong[] = {"", ".", "..", ".mesh", "a..mesh", "api.mesh..", "a b.mesh", "a/b.mesh",
	                                    "\xc3\xa4.mesh", "a\\.mesh", "a@mesh", "a:b"};

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_no_name(wrong[i]);
}

static void lengths_are_bounded_by_the_wire(void **state)
{
	char text[300];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[63] = '\0';
	name_of(text);
	text[63] = 'a';
	text[64] = '\0';
	assert_no_name(text);
	memset(text, 'a', sizeof(text));
	for (int i = 49; i < 253; i += 50)
		text[i] = '.';
	text[253] = '\0';
	assert_int_equal(name_of(text).length, 253);
	text[253] = 'a';
	text[254] = '\0';
	assert_no_name(text);
}

static void a_suffix_ends_at_a_label(void **state)
{
	struct sm_name mesh = name_of("mesh"), deep = name_of("eu.mesh");

	(void)state;
	assert_true(sm_name_under("api.mesh", 8, &mesh));
	assert_true(sm_name_under("API.MESH.", 9, &mesh));
	assert_true(sm_name_under("mesh", 4, &mesh));
	assert_true(sm_name_under("a.eu.mesh", 9, &deep));
	assert_false(sm_name_under("apimesh", 7, &mesh));
	assert_false(sm_name_under("api.mesh.com", 12, &mesh));
	assert_false(sm_name_under("esh", 3, &mesh));
	assert_false(sm_name_under("", 0, &mesh));
	assert_false(sm_name_under(".", 1, &mesh));
	assert_false(sm_name_under("neu.mesh", 8, &deep));
}

static void srv_owners_are_known_by_their_underscores(void **state)
{
	struct sm_name owner = name_of("_http._tcp.api.mesh"), half = name_of("_http.tcp.mesh"), bare = name_of("_a._b");

	(void)state;
	assert_true(sm_name_is_srv_owner(&owner));
	assert_false(sm_name_is_srv_owner(&half));
	assert_false(sm_name_is_srv_owner(&bare));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_name_is_folded_and_loses_one_trailing_dot),
	cmocka_unit_test(what_is_no_name_is_refused),
	cmocka_unit_test(lengths_are_bounded_by_the_wire),
	cmocka_unit_test(a_suffix_ends_at_a_label),
	cmocka_unit_test(srv_owners_are_known_by_their_underscores),
};

TESTS_MAIN(tests)
