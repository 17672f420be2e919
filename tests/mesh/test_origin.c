/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/origin.h"

#include "tests/test.h"

static uint8_t bytes[SM_ORIGIN_MAX];

static struct sm_origin sample(uint8_t family)
{
	struct sm_origin origin = {.type = 33, .rcode = 3, .took_us = 4100};

	origin.owner = name_of("_api._tcp.mesh");
	origin.server = (struct sm_server){.address = {family, {10, 0, 0, 1}}, .port = 5353, .is_stream = true};
	if (family == SM_IPV6)
		strcpy(origin.server.zone, "eth0");
	return origin;
}

static void it_survives_the_round_trip(void **state)
{
	(void)state;
	for (uint8_t family = SM_IPV4; family <= SM_IPV6; family++) {
		struct sm_origin origin = sample(family), read;
		uint16_t size = sm_origin_pack(&origin, bytes);

		assert_int_equal(sm_origin_unpack(bytes, size, &read), SM_OK);
		assert_string_equal(read.owner.text, "_api._tcp.mesh");
		assert_int_equal(read.owner.length, origin.owner.length);
		assert_int_equal(read.type, 33);
		assert_int_equal(read.rcode, 3);
		assert_int_equal(read.took_us, 4100);
		assert_false(read.is_of_other_host);
		assert_true(sm_server_is_at(&read.server, &origin.server));
		assert_true(read.server.is_stream);
	}
}

static void the_longest_name_fits(void **state)
{
	struct sm_origin origin = sample(SM_IPV6), read;

	(void)state;
	memset(origin.owner.text, 'a', SM_NAME_MAX);
	origin.owner.text[SM_NAME_MAX] = '\0';
	origin.owner.length = SM_NAME_MAX;
	strcpy(origin.server.zone, "123456789012345");
	assert_int_equal(sm_origin_pack(&origin, bytes), SM_ORIGIN_MAX);
	assert_int_equal(sm_origin_unpack(bytes, SM_ORIGIN_MAX, &read), SM_OK);
	assert_int_equal(strlen(read.owner.text), SM_NAME_MAX);
}

static void every_truncation_and_extension_is_corrupt(void **state)
{
	struct sm_origin origin = sample(SM_IPV6), read = {.type = 7};
	uint16_t size = sm_origin_pack(&origin, bytes);

	(void)state;
	for (size_t n = 0; n < size; n++) {
		uint8_t *copy = malloc(n ? n : 1); /* of the exact size, for ASan */

		memcpy(copy, bytes, n);
		assert_int_equal(sm_origin_unpack(copy, n, &read), SM_CORRUPT);
		free(copy);
	}
	assert_int_equal(sm_origin_unpack(bytes, size + 1U, &read), SM_CORRUPT);
	assert_int_equal(read.type, 7);
}

static void no_changed_byte_is_dangerous(void **state)
{
	struct sm_origin origin = sample(SM_IPV4), read;
	uint16_t size = sm_origin_pack(&origin, bytes);

	(void)state;
	for (size_t at = 0; at < size; at++)
		for (int bit = 0; bit < 8; bit++) {
			bytes[at] ^= (uint8_t)(1 << bit);
			if (sm_origin_unpack(bytes, size, &read) == SM_OK) {
				assert_true(strlen(read.server.zone) <= SM_ZONE_MAX);
				assert_true(strlen(read.owner.text) <= SM_NAME_MAX);
			}
			bytes[at] ^= (uint8_t)(1 << bit);
		}
}

static void what_is_lent_is_another_hosts(void **state)
{
	struct sm_origin origin = sample(SM_IPV4), read;
	uint16_t size = sm_origin_pack(&origin, bytes);

	(void)state;
	sm_origin_lend(bytes, size);
	assert_int_equal(sm_origin_unpack(bytes, size, &read), SM_OK);
	assert_true(read.is_of_other_host);
	sm_origin_lend(bytes, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(it_survives_the_round_trip),
	cmocka_unit_test(the_longest_name_fits),
	cmocka_unit_test(every_truncation_and_extension_is_corrupt),
	cmocka_unit_test(no_changed_byte_is_dangerous),
	cmocka_unit_test(what_is_lent_is_another_hosts),
};

TESTS_MAIN(tests)
