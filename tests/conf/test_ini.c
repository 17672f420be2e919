/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/ini.h"

#include "tests/test.h"

static void assert_slice(const char *at, size_t length, const char *text)
{
	assert_int_equal(length, strlen(text));
	assert_memory_equal(at, text, length);
}

static void expect(struct sm_ini *ini, enum sm_ini_kind kind, uint32_t number, const char *first, const char *second)
{
	struct sm_ini_line line = sm_ini_next(ini);

	assert_int_equal(line.kind, kind);
	assert_int_equal(line.line, number);
	assert_slice(line.first, line.first_length, first);
	assert_slice(line.second, line.second_length, second);
}

static void sections_keys_and_comments_are_told_apart(void **state)
{
	const char text[] = "\xef\xbb\xbf# comment\r\n\n[ domain  mesh ]\n  key = a value # comment\n;x\nempty=\n[bare]\nnoise";
	struct sm_ini ini = sm_ini_of(text, sizeof(text) - 1);

	(void)state;
	expect(&ini, SM_INI_SECTION, 3, "domain", "mesh");
	expect(&ini, SM_INI_KEY, 4, "key", "a value");
	expect(&ini, SM_INI_KEY, 6, "empty", "");
	expect(&ini, SM_INI_SECTION, 7, "bare", "");
	expect(&ini, SM_INI_OTHER, 8, "noise", "");
	assert_int_equal(sm_ini_next(&ini).kind, SM_INI_END);
}

static void a_hash_inside_a_word_is_no_comment(void **state)
{
	const char text[] = "k = a#b\n";
	struct sm_ini ini = sm_ini_of(text, sizeof(text) - 1);

	(void)state;
	expect(&ini, SM_INI_KEY, 1, "k", "a#b");
}

static void half_a_section_or_key_is_neither(void **state)
{
	const char text[] = "[open\n= value\n[a]b\n]\n[";
	struct sm_ini ini = sm_ini_of(text, sizeof(text) - 1);

	(void)state;
	expect(&ini, SM_INI_OTHER, 1, "[open", "");
	expect(&ini, SM_INI_OTHER, 2, "= value", "");
	expect(&ini, SM_INI_OTHER, 3, "[a]b", "");
	expect(&ini, SM_INI_OTHER, 4, "]", "");
	expect(&ini, SM_INI_OTHER, 5, "[", "");
}

/* inih 55 cuts the name at 49 bytes and the line at 199. */
static void a_section_name_and_a_value_may_be_long(void **state)
{
	char text[2000], name[254];
	struct sm_ini_line line;
	struct sm_ini ini;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[253] = '\0';
	strcpy(text, "[service ");
	strcat(text, name);
	strcat(text, "]\nk = ");
	memset(text + strlen(text), 'v', 1000);
	text[9 + 253 + 6 + 1000] = '\0';
	ini = sm_ini_of(text, strlen(text));
	line = sm_ini_next(&ini);
	assert_slice(line.second, line.second_length, name);
	assert_int_equal(sm_ini_next(&ini).second_length, 1000);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(sections_keys_and_comments_are_told_apart),
	cmocka_unit_test(a_hash_inside_a_word_is_no_comment),
	cmocka_unit_test(half_a_section_or_key_is_neither),
	cmocka_unit_test(a_section_name_and_a_value_may_be_long),
};

TESTS_MAIN(tests)
