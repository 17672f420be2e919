/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/frame.h"

#include "mesh/answer.h"
#include "tests/test.h"

static uint8_t bytes[SM_REQUEST_ROOM];
static struct sm_request decoded;
static enum sm_format format;

static int in_format_1(void **state)
{
	(void)state;
	format = SM_FORMAT_1;
	return 0;
}

static int in_format_2(void **state)
{
	(void)state;
	format = SM_FORMAT_2;
	return 0;
}

static size_t encode(enum sm_frame_kind kind)
{
	struct sm_request request = {
		.format = format, .kind = kind, .wait_ms = 2999, .families = SM_IPV4, .name = name_of("api.mesh"),
	};

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
		assert_int_equal(decoded.format, format);
		assert_int_equal(decoded.kind, kind);
		assert_int_equal(decoded.wait_ms, 2999);
		assert_int_equal(decoded.families, SM_IPV4);
		assert_string_equal(decoded.name.text, "api.mesh");
	}
	assert_int_equal(decode(encode(SM_FRAME_STATUS)), SM_OK);
	assert_int_equal(decoded.kind, SM_FRAME_STATUS);
	assert_int_equal(decoded.format, format);
}

/* Those of the administrator are of format 2 alone. */
static void the_administrators_requests_survive_the_round_trip(void **state)
{
	static const struct sm_request requests[] = {
		{.format = SM_FORMAT_2, .kind = SM_FRAME_MONITOR, .n_last = 256, .level = SM_LEVEL_STAYS},
		{.format = SM_FORMAT_2, .kind = SM_FRAME_LOG_LEVEL, .level = 3},
		{.format = SM_FORMAT_2, .kind = SM_FRAME_LOG_LEVEL, .level = SM_LEVEL_STAYS},
		{.format = SM_FORMAT_2, .kind = SM_FRAME_RELOAD, .level = SM_LEVEL_STAYS},
		{.format = SM_FORMAT_2, .kind = SM_FRAME_SERVERS, .level = SM_LEVEL_STAYS},
		{.format = SM_FORMAT_2, .kind = SM_FRAME_METRICS, .level = SM_LEVEL_STAYS},
		{.format = SM_FORMAT_2, .kind = SM_FRAME_OPENMETRICS, .level = SM_LEVEL_STAYS},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(requests); i++) {
		size_t size = sm_frame_encode_request(&requests[i], bytes);

		assert_int_equal(decode(size), SM_OK);
		assert_int_equal(decoded.kind, requests[i].kind);
		assert_int_equal(decoded.level, requests[i].level);
		assert_int_equal(decoded.n_last, requests[i].n_last);
		bytes[4] = SM_FORMAT_1;
		bytes[7] = 0;
		assert_int_equal(decode(size), SM_CORRUPT);
	}
}

static void a_lookup_says_why_it_has_passed_over_us(void **state)
{
	struct sm_request request = {.format = SM_FORMAT_2, .kind = SM_FRAME_LOOKUP, .families = SM_IPV4,
	                             .bypass = SM_BYPASS_SILENT, .name = name_of("api.mesh")};

	(void)state;
	assert_int_equal(decode(sm_frame_encode_request(&request, bytes)), SM_OK);
	assert_int_equal(decoded.bypass, SM_BYPASS_SILENT);
	assert_int_equal(decode(encode(SM_FRAME_LOOKUP)), SM_OK);
	assert_int_equal(decoded.bypass, SM_BYPASS_NONE);
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
	size_t size = encode(SM_FRAME_LOOKUP), families = format == SM_FORMAT_1 ? 12 : 24, name = format == SM_FORMAT_1 ? 14 : 31;

	(void)state;
	assert_int_equal(bytes[families], SM_IPV4);
	assert_int_equal(bytes[name], 'a');
	bytes[families] = 0;
	assert_int_equal(decode(size), SM_CORRUPT);
	bytes[families] = 4;
	assert_int_equal(decode(size), SM_CORRUPT);
	bytes[families] = SM_IPV4_AND_IPV6;
	bytes[name] = ' ';
	assert_int_equal(decode(size), SM_CORRUPT);
}

/* What 0.2.0 sent, byte for byte: its plugins go on asking until their programs end. */
static void the_bytes_of_format_1_are_those_of_the_release_before(void **state)
{
	static const uint8_t lookup[] = "SRMH\1\1\0\0\xb7\x0b\0\0\1\x8"
	                                "api.mesh";
	static const uint8_t status[] = "SRMH\1\3\0\0";
	static const uint8_t busy[] = "SRMH\1\x13\0\0";
	const struct sm_frame_reply reply = {SM_FORMAT_1, SM_FRAME_BUSY, NULL, 0};
	const void *content;
	size_t size;

	(void)state;
	assert_int_equal(encode(SM_FRAME_LOOKUP), sizeof(lookup) - 1);
	assert_memory_equal(bytes, lookup, sizeof(lookup) - 1);
	assert_int_equal(encode(SM_FRAME_STATUS), sizeof(status) - 1);
	assert_memory_equal(bytes, status, sizeof(status) - 1);
	assert_int_equal(sm_frame_encode_part(&reply, 0, bytes, &content, &size), sizeof(busy) - 1);
	assert_int_equal(size, 0);
	assert_memory_equal(bytes, busy, sizeof(busy) - 1);
}

static void a_field_of_a_newer_release_is_passed_over(void **state)
{
	static const uint8_t unknown[] = "\x77\x77\3\0\0\0new";
	size_t size = encode(SM_FRAME_LOOKUP);

	(void)state;
	memmove(bytes + SM_FRAME_HEAD + sizeof(unknown) - 1, bytes + SM_FRAME_HEAD, size - SM_FRAME_HEAD);
	memcpy(bytes + SM_FRAME_HEAD, unknown, sizeof(unknown) - 1);
	assert_int_equal(decode(size + sizeof(unknown) - 1), SM_OK);
	assert_string_equal(decoded.name.text, "api.mesh");
	size = encode(SM_FRAME_STATUS);
	memcpy(bytes + size, unknown, sizeof(unknown) - 1);
	assert_int_equal(decode(size + sizeof(unknown) - 1), SM_OK);
}

static void a_field_twice_and_a_request_without_a_name_are_corrupt(void **state)
{
	size_t size = encode(SM_FRAME_LOOKUP);

	(void)state;
	memcpy(bytes + size, bytes + SM_FRAME_HEAD, SM_FRAME_FIELD_HEAD + 4); /* the time once more */
	assert_int_equal(decode(size + SM_FRAME_FIELD_HEAD + 4), SM_CORRUPT);
	assert_int_equal(decode(SM_FRAME_HEAD + 2 * SM_FRAME_FIELD_HEAD + 4 + 1), SM_CORRUPT);
	size = encode(SM_FRAME_LOOKUP);
	bytes[4] = 3;
	assert_int_equal(decode(size), SM_CORRUPT); /* a format that is not known */
}

static void a_pattern_is_no_name_to_ask_for_nor_a_name_a_pattern(void **state)
{
	static const uint8_t pattern[] = "\6\0\1\0\0\0*", name[] = "\3\0\1\0\0\0a";
	size_t size = encode(SM_FRAME_LOOKUP);

	(void)state;
	memcpy(bytes + size, pattern, sizeof(pattern) - 1);
	assert_int_equal(decode(size + sizeof(pattern) - 1), SM_CORRUPT);
	size = encode(SM_FRAME_FLUSH);
	assert_int_equal(decode(size), SM_OK);
	memcpy(bytes + size, name, sizeof(name) - 1);
	assert_int_equal(decode(size + sizeof(name) - 1), SM_CORRUPT);
}

/* The frames of a reply, put together again by what the client uses. */
static void assert_travels(size_t content_size, uint32_t n_parts)
{
	uint8_t *content = malloc(content_size + 1), *body = malloc(content_size + 100);
	const struct sm_frame_reply reply = {format, SM_FRAME_RECORD, content, content_size};
	struct sm_frame_head head;
	size_t body_size = 0, size;
	const void *piece;

	for (size_t i = 0; i < content_size; i++)
		content[i] = (uint8_t)(i * 31 >> 3);
	assert_int_equal(sm_frame_parts(&reply), n_parts);
	for (uint32_t part = 0; part < n_parts; part++) {
		uint8_t lead[SM_FRAME_HEAD + SM_FRAME_FIELD_HEAD];
		size_t lead_size = sm_frame_encode_part(&reply, part, lead, &piece, &size);

		assert_int_equal(sm_frame_decode_head(lead, lead_size, &head), SM_OK);
		assert_int_equal(head.kind, SM_FRAME_RECORD);
		assert_int_equal(head.part, part);
		assert_int_equal(head.n_parts, n_parts);
		assert_true(format == SM_FORMAT_1 || lead_size - SM_FRAME_HEAD + size <= SM_FRAME_PART);
		memcpy(body + body_size, lead + SM_FRAME_HEAD, lead_size - SM_FRAME_HEAD);
		body_size += lead_size - SM_FRAME_HEAD;
		memcpy(body + body_size, piece, size);
		body_size += size;
	}
	assert_int_equal(sm_frame_content(&head, body, body_size, &piece, &size), SM_OK);
	assert_int_equal(size, content_size);
	assert_memory_equal(piece, content, size);
	assert_true(format == SM_FORMAT_1 || sm_frame_content(&head, body, body_size - 1, &piece, &size) == SM_CORRUPT);
	free(content);
	free(body);
}

static void a_reply_travels_in_as_many_frames_as_it_needs(void **state)
{
	bool is_cut = format != SM_FORMAT_1;

	(void)state;
	assert_travels(1, 1);
	assert_travels(SM_FRAME_PART - SM_FRAME_FIELD_HEAD, 1);
	assert_travels(SM_FRAME_PART - SM_FRAME_FIELD_HEAD + 1, is_cut ? 2 : 1);
	assert_travels(2 * SM_FRAME_PART - SM_FRAME_FIELD_HEAD, is_cut ? 2 : 1);
	assert_travels(1000000, is_cut ? 8 : 1);
}

static void a_reply_is_none_of_the_requests(void **state)
{
	struct sm_frame_reply reply = {format, SM_FRAME_NOT_OURS, NULL, 0};
	struct sm_frame_head head;
	const void *content;
	size_t size;

	(void)state;
	assert_int_equal(sm_frame_encode_part(&reply, 0, bytes, &content, &size), SM_FRAME_HEAD);
	assert_int_equal(sm_frame_decode_head(bytes, SM_FRAME_HEAD, &head), SM_OK);
	assert_int_equal(head.kind, SM_FRAME_NOT_OURS);
	assert_int_equal(sm_frame_decode_head(bytes, SM_FRAME_HEAD - 1, &head), SM_CORRUPT);
	assert_int_equal(decode(SM_FRAME_HEAD), SM_CORRUPT);
	bytes[5] = SM_FRAME_LOOKUP;
	assert_int_equal(sm_frame_decode_head(bytes, SM_FRAME_HEAD, &head), SM_CORRUPT);
	bytes[5] = SM_FRAME_EVENT + 1;
	assert_int_equal(sm_frame_decode_head(bytes, SM_FRAME_HEAD, &head), SM_CORRUPT);
}

#define IN_BOTH(test) cmocka_unit_test_setup(test, in_format_1), cmocka_unit_test_setup(test, in_format_2)

static const struct CMUnitTest tests[] = {
	IN_BOTH(a_request_survives_the_round_trip),
	IN_BOTH(every_truncation_and_extension_is_corrupt),
	IN_BOTH(a_changed_head_is_corrupt_and_no_changed_byte_is_dangerous),
	IN_BOTH(families_and_names_must_be_some),
	IN_BOTH(a_reply_travels_in_as_many_frames_as_it_needs),
	IN_BOTH(a_reply_is_none_of_the_requests),
	cmocka_unit_test_setup(the_administrators_requests_survive_the_round_trip, in_format_2),
	cmocka_unit_test_setup(a_lookup_says_why_it_has_passed_over_us, in_format_2),
	cmocka_unit_test_setup(the_bytes_of_format_1_are_those_of_the_release_before, in_format_1),
	cmocka_unit_test_setup(a_field_of_a_newer_release_is_passed_over, in_format_2),
	cmocka_unit_test_setup(a_pattern_is_no_name_to_ask_for_nor_a_name_a_pattern, in_format_2),
	cmocka_unit_test_setup(a_field_twice_and_a_request_without_a_name_are_corrupt, in_format_2),
};

TESTS_MAIN(tests)
