/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/value.h"

#include "tests/test.h"

typedef enum sm_status parser(const char *text, uint64_t *ret);

static void assert_value(parser *parse, const char *text, uint64_t expected)
{
	uint64_t value = 0;

	assert_int_equal(parse(text, &value), SM_OK);
	assert_true(value == expected);
}

static void assert_wrong(parser *parse, const char *text)
{
	uint64_t value = 4711;

	assert_int_equal(parse(text, &value), SM_INVALID);
	assert_int_equal(value, 4711);
}

static void durations_carry_a_unit(void **state)
{
	static const char *const wrong[] = {"", "5", "s", "5 s", "-1s", "1.5s", "5sec", "99999999999s", "1h30m"};

	(void)state;
	assert_value(sm_value_duration, "500ms", 500);
	assert_value(sm_value_duration, "2s", 2000);
	assert_value(sm_value_duration, "5m", 300000);
	assert_value(sm_value_duration, "1h", 3600000);
	assert_value(sm_value_duration, "30d", 2592000000);
	assert_value(sm_value_duration, "0", 0);
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_wrong(sm_value_duration, wrong[i]);
}

static void sizes_counts_and_percents_are_whole_numbers(void **state)
{
	(void)state;
	assert_value(sm_value_size, "64K", 65536);
	assert_value(sm_value_size, "64M", 67108864);
	assert_value(sm_value_size, "123", 123);
	assert_wrong(sm_value_size, "64X");
	assert_value(sm_value_count, "256", 256);
	assert_wrong(sm_value_count, "0x10");
	assert_value(sm_value_percent, "25%", 25);
	assert_wrong(sm_value_percent, "25");
}

static void ratios_have_up_to_three_decimals(void **state)
{
	(void)state;
	assert_value(sm_value_ratio, "2", 2000);
	assert_value(sm_value_ratio, "2.0", 2000);
	assert_value(sm_value_ratio, "1.25", 1250);
	assert_value(sm_value_ratio, "1.005", 1005);
	assert_wrong(sm_value_ratio, "1.");
	assert_wrong(sm_value_ratio, ".5");
	assert_wrong(sm_value_ratio, "1,5");
	assert_wrong(sm_value_ratio, "1.5x");
	assert_wrong(sm_value_ratio, "1.0001");
}

static void assert_server(const char *text, uint8_t family, uint8_t last, uint16_t port)
{
	struct sm_server server;

	assert_int_equal(sm_value_server(text, &server), SM_OK);
	assert_int_equal(server.address.family, family);
	assert_int_equal(server.address.bytes[family == SM_IPV4 ? 3 : 15], last);
	assert_int_equal(server.port, port);
}

static void servers_are_addresses_with_or_without_ports(void **state)
{
	static const char *const wrong[] = {"",           "localhost",  "127.0.0.1:",    "127.0.0.1:0", "127.0.0.1:65536",
	                                    "[::1",       "[::1]x",     "[127.0.0.1]:5", "::1]:5",      "127.0.0.1:5:6",
	                                    "fe80::1", "[fe80::1]:53", "fe80::1%", "[fe80::1%]:53", "fe80::1%a-name-too-long1",
	                                    "::1%lo", "127.0.0.1%lo", "fe80::1%lo:53",
	                                    "1.2.3",      "[]",            "[::1]:",      ":53", "::1:8600", "fd00::1:53",
	};
	struct sm_server server;

	(void)state;
	assert_server("127.0.0.1", SM_IPV4, 1, 53);
	assert_server("127.0.0.2:8600", SM_IPV4, 2, 8600);
	assert_server("::1", SM_IPV6, 1, 53);
	assert_server("[::2]", SM_IPV6, 2, 53);
	assert_server("[::3]:5353", SM_IPV6, 3, 5353);
	assert_server("[::1:8600]", SM_IPV6, 0, 53);
	assert_server("2001:db8::53", SM_IPV6, 0x53, 53);
	assert_server("2001:db8:0:0:0:0:0:53", SM_IPV6, 0x53, 53);
	assert_server("fd00::1:fe", SM_IPV6, 0xfe, 53);
	assert_server("fe80::1%eth0", SM_IPV6, 1, 53);
	assert_server("[fe80::1%2]:8600", SM_IPV6, 1, 8600);
	assert_int_equal(sm_value_server("[fe80::1%eth0]:8600", &server), SM_OK);
	assert_string_equal(server.zone, "eth0");
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_int_equal(sm_value_server(wrong[i], &server), SM_INVALID);
}

static void templates_know_their_placeholders(void **state)
{
	(void)state;
	assert_int_equal(sm_value_template("_{service}._{proto}.{domain}"), SM_OK);
	assert_int_equal(sm_value_template("{name}"), SM_OK);
	assert_int_equal(sm_value_template("_postgresql._tcp.db.mesh"), SM_OK);
	assert_int_equal(sm_value_template("{nam}"), SM_INVALID);
	assert_int_equal(sm_value_template("{name"), SM_INVALID);
	assert_int_equal(sm_value_template("a b"), SM_INVALID);
	assert_int_equal(sm_value_template("a..b"), SM_INVALID);
}

static void words_are_parted_by_blanks_or_commas(void **state)
{
	const char *text = " a, bb,\tccc dddd e";
	char word[4];

	(void)state;
	assert_int_equal(sm_value_word(&text, word, sizeof(word)), SM_OK);
	assert_string_equal(word, "a");
	assert_int_equal(sm_value_word(&text, word, sizeof(word)), SM_OK);
	assert_string_equal(word, "bb");
	assert_int_equal(sm_value_word(&text, word, sizeof(word)), SM_OK);
	assert_int_equal(sm_value_word(&text, word, sizeof(word)), SM_FULL);
	assert_int_equal(sm_value_word(&text, word, sizeof(word)), SM_OK); /* what is too long is passed over */
	assert_string_equal(word, "e");
	assert_int_equal(sm_value_word(&text, word, sizeof(word)), SM_MISS);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(durations_carry_a_unit),
	cmocka_unit_test(sizes_counts_and_percents_are_whole_numbers),
	cmocka_unit_test(ratios_have_up_to_three_decimals),
	cmocka_unit_test(servers_are_addresses_with_or_without_ports),
	cmocka_unit_test(templates_know_their_placeholders),
	cmocka_unit_test(words_are_parted_by_blanks_or_commas),
};

TESTS_MAIN(tests)
