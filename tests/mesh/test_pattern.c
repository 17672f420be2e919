/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/pattern.h"

#include "tests/test.h"

static bool matches(const char *pattern, const char *text)
{
	const struct sm_name name = name_of(text);
	char parsed[SM_NAME_MAX + 1];

	assert_int_equal(sm_pattern_parse(pattern, strlen(pattern), parsed), SM_OK);
	return sm_pattern_matches(parsed, &name);
}

static void a_star_stands_for_any_characters(void **state)
{
	(void)state;
	assert_true(matches("api.mesh", "api.mesh"));
	assert_true(matches("API.Mesh.", "api.mesh"));
	assert_true(matches("*", "api.mesh"));
	assert_true(matches("**", "api.mesh"));
	assert_true(matches("*.mesh", "a.b.mesh"));
	assert_true(matches("*.mesh", "api.v2.mesh"));
	assert_true(matches("api.*", "api.mesh"));
	assert_true(matches("a*i*h", "api.mesh"));
	assert_true(matches("*mesh*mesh", "mesh.mesh"));
	assert_true(matches("?pi.mesh", "api.mesh"));
	assert_true(matches("*a*ab", "aaab"));
	assert_false(matches("api.mesh", "api.mesh2"));
	assert_false(matches("api", "api.mesh"));
	assert_false(matches("*.mesh", "mesh"));
	assert_false(matches("?api.mesh", "api.mesh"));
	assert_false(matches("*x*", "api.mesh"));
	assert_false(matches("*.db", "api.mesh"));
}

static void what_names_do_not_have_is_no_pattern(void **state)
{
	static const char *const wrong[] = {"", "a b", "a/b", "[a-c]", "a\tb", "\xc3\xa4.mesh"};
	char parsed[SM_NAME_MAX + 1], longest[SM_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_int_equal(sm_pattern_parse(wrong[i], strlen(wrong[i]), parsed), SM_INVALID);
	memset(longest, 'a', sizeof(longest));
	assert_int_equal(sm_pattern_parse(longest, SM_NAME_MAX, parsed), SM_OK);
	assert_int_equal(sm_pattern_parse(longest, SM_NAME_MAX + 1, parsed), SM_INVALID);
}

/* fnmatch(3) takes a time for this that grows without bound. */
static void a_pattern_of_many_stars_takes_no_time(void **state)
{
	char pattern[SM_NAME_MAX + 1], name[SM_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < 120; i++)
		memcpy(pattern + 2 * i, "a*", 2);
	strcpy(pattern + 240, "b");
	memset(name, 'a', 240);
	name[60] = name[120] = name[180] = '.';
	name[240] = '\0';
	for (int i = 0; i < 1000; i++)
		assert_false(matches(pattern, name));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_star_stands_for_any_characters),
	cmocka_unit_test(what_names_do_not_have_is_no_pattern),
	cmocka_unit_test(a_pattern_of_many_stars_takes_no_time),
};

TESTS_MAIN(tests)
