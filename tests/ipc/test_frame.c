/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/frame.h"

#include "mesh/answer.h"
#include "tests/test.h"

static uint8_t bytes[SM_REQUEST_MAX];
static struct sm_request decoded;

static size_t encode(enum sm_frame_kind kind)
{
	struct sm_request request = {.kind = kind, .wait_ms = 2999, .families = SM_IPV4, .name = name_of("api.mesh")};

	return sm_frame_encode_request(&request, bytes);
}

/* Decodes a copy of the exact size, so that ASan reports a read past its end. */
static enum sm_status decode(size_t size)
{
	void *copy = malloc(size ? size : 1);
	enum sm_status status;

	memcpy(copy, bytes, size);
	status = sm_frame_decode_request(copy, size, &decoded);
	free(copy);
	return status;
}

static void a_request_survives_the_round_trip(void **state)
{
	(void)state;
	for (int kind = SM_FRAME_LOOKUP; kind <= SM_FRAME_HINT; kind++) {
		assert_int_equal(decode(encode((enum sm_frame_kind)kind)), SM_OK);
		assert_int_equal(decoded.kind, kind);
		assert_int_equal(decoded.wait_ms, 2999);
		assert_int_equal(decoded.families, SM_IPV4);
		assert_string_equal(decoded.name.text, "api.mesh");
	}
	assert_int_equal(decode(encode(SM_FRAME_STATUS)), SM_OK);
	assert_int_equal(decoded.kind, SM_FRAME_STATUS);
}

static void every_truncation_and_extension_is_corrupt(void **state)
{
	size_t size = encode(SM_FRAME_LOOKUP);

	(void)state;
	for (size_t n = 0; n < size; n++)
		assert_int_equal(decode(n), SM_CORRUPT);
	assert_int_equal(decode(size + 1), SM_CORRUPT);
}

static void a_changed_head_is_corrupt_and_no_changed_byte_is_dangerous(void **state)
{
	size_t size = encode(SM_FRAME_LOOKUP);

	(void)state;
	for (size_t at = 0; at < size; at++) {
		for (int bit = 0; bit < 8; bit++) {
			enum sm_status status;

			bytes[at] ^= (uint8_t)(1 << bit);
			status = decode(size);
			assert_true(status == SM_OK || status == SM_CORRUPT);
			if (at < 5 || at == 6 || at == 7)
				assert_int_equal(status, SM_CORRUPT);
			bytes[at] ^= (uint8_t)(1 << bit);
		}
	}
}

static void families_and_names_must_be_some(void **state)
{
	size_t size = encode(SM_FRAME_LOOKUP);

	(void)state;
	bytes[12] = 0;
	assert_int_equal(decode(size), SM_CORRUPT);
	bytes[12] = 4;
	assert_int_equal(decode(size), SM_CORRUPT);
	bytes[12] = SM_IPV4_AND_IPV6;
	bytes[14] = ' ';
	assert_int_equal(decode(size), SM_CORRUPT);
}

static void a_reply_is_none_of_the_requests(void **state)
{
	enum sm_frame_kind kind;

	(void)state;
	sm_frame_encode_head(SM_FRAME_RECORD, bytes);
	assert_int_equal(sm_frame_decode_reply(bytes, SM_FRAME_HEAD, &kind), SM_OK);
	assert_int_equal(kind, SM_FRAME_RECORD);
	assert_int_equal(sm_frame_decode_reply(bytes, SM_FRAME_HEAD - 1, &kind), SM_CORRUPT);
	assert_int_equal(decode(SM_FRAME_HEAD), SM_CORRUPT);
	sm_frame_encode_head(SM_FRAME_LOOKUP, bytes);
	assert_int_equal(sm_frame_decode_reply(bytes, SM_FRAME_HEAD, &kind), SM_CORRUPT);
	sm_frame_encode_head((enum sm_frame_kind)(SM_FRAME_TEXT + 1), bytes);
	assert_int_equal(sm_frame_decode_reply(bytes, SM_FRAME_HEAD, &kind), SM_CORRUPT);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_request_survives_the_round_trip),
	cmocka_unit_test(every_truncation_and_extension_is_corrupt),
	cmocka_unit_test(a_changed_head_is_corrupt_and_no_changed_byte_is_dangerous),
	cmocka_unit_test(families_and_names_must_be_some),
	cmocka_unit_test(a_reply_is_none_of_the_requests),
};

TESTS_MAIN(tests)
