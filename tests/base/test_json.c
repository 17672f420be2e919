/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/json.h"

#include "tests/test.h"

static char out[8192];
static size_t used;

static void collect(void *context, const char *text, size_t size)
{
	(void)context;
	assert_true(used + size < sizeof(out));
	memcpy(out + used, text, size);
	used += size;
	out[used] = '\0';
}

static struct sm_json begin(bool is_pretty)
{
	used = 0;
	out[0] = '\0';
	return (struct sm_json){.write = collect, .is_pretty = is_pretty};
}

static void write_sample(struct sm_json *json)
{
	sm_json_begin_object(json, NULL);
	sm_json_text(json, "name", "api.mesh");
	sm_json_null(json, "port");
	sm_json_begin_array(json, "list");
	sm_json_number(json, NULL, -7);
	sm_json_bool(json, NULL, true);
	sm_json_begin_object(json, NULL);
	sm_json_end_object(json);
	sm_json_end_array(json);
	sm_json_begin_array(json, "none");
	sm_json_end_array(json);
	sm_json_end_object(json);
	sm_json_end(json);
}

static void a_document_has_its_commas(void **state)
{
	struct sm_json json = begin(false);

	(void)state;
	write_sample(&json);
	assert_string_equal(out, "{\"name\":\"api.mesh\",\"port\":null,\"list\":[-7,true,{}],\"none\":[]}\n");
}

static void a_pretty_one_is_indented(void **state)
{
	struct sm_json json = begin(true);

	(void)state;
	write_sample(&json);
	assert_string_equal(out, "{\n  \"name\": \"api.mesh\",\n  \"port\": null,\n  \"list\": [\n    -7,\n    true,\n    {}\n  ],\n"
	                         "  \"none\": []\n}\n");
}

static void text_is_escaped_and_valid_utf8_stays(void **state)
{
	struct sm_json json = begin(false);

	(void)state;
	sm_json_text(&json, NULL, "a\"b\\c\n\x01\x7f µ€𝄞");
	assert_string_equal(out, "\"a\\\"b\\\\c\\u000a\\u0001\\u007f µ€𝄞\"");
}

/* Overlong forms, surrogates, cut sequences, C1 controls. */
static void what_is_no_utf8_is_the_character_of_its_number(void **state)
{
	static const struct {
		const char *bytes, *written;
	} cases[] = {
		{"\xff", "\"\\u00ff\""},         {"\xc0\xaf", "\"\\u00c0\\u00af\""},
		{"\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\""}, {"\xe2\x82", "\"\\u00e2\\u0082\""},
		{"\xf4\x90\x80\x80", "\"\\u00f4\\u0090\\u0080\\u0080\""}, {"\xc2\x9b", "\"\\u009b\""},
		{"\xe0\x80\x80", "\"\\u00e0\\u0080\\u0080\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sm_json json = begin(false);

		sm_json_text(&json, NULL, cases[i].bytes);
		assert_string_equal(out, cases[i].written);
	}
}

static void long_text_is_whole(void **state)
{
	static char text[5001];
	struct sm_json json = begin(false);

	(void)state;
	memset(text, '\n', 1000);
	sm_json_text(&json, NULL, text);
	assert_int_equal(used, 2 + 6000);
}

static void decimals_have_no_needless_digits(void **state)
{
	static const struct {
		double value;
		const char *written;
	} cases[] = {{0, "0"}, {4.1, "4.1"}, {0.25, "0.25"}, {1000, "1000"}, {0.0004, "0.0004"}, {-2.5, "-2.5"}, {1.0000004, "1"}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sm_json json = begin(false);

		sm_json_decimal(&json, NULL, cases[i].value);
		assert_string_equal(out, cases[i].written);
	}
}

static void escaping_stops_before_what_does_not_fit(void **state)
{
	char room[8];

	(void)state;
	for (size_t size = 0; size <= sizeof(room); size++) {
		size_t written = sm_json_escape("ab\x01", room, size);

		assert_true(written <= size);
		assert_int_equal(written, size < 2 ? size : size < 8 ? 2 : 8);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_document_has_its_commas),
	cmocka_unit_test(a_pretty_one_is_indented),
	cmocka_unit_test(text_is_escaped_and_valid_utf8_stays),
	cmocka_unit_test(what_is_no_utf8_is_the_character_of_its_number),
	cmocka_unit_test(long_text_is_whole),
	cmocka_unit_test(decimals_have_no_needless_digits),
	cmocka_unit_test(escaping_stops_before_what_does_not_fit),
};

TESTS_MAIN(tests)
