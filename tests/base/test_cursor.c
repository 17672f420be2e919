/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cursor.h"

#include "tests/test.h"

static void numbers_come_in_their_byte_order(void **state)
{
	const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6, 1, 0, 0, 0, 0, 0, 0, 128};
	struct sm_reader reader = sm_reader_of(bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(sm_read_u8(&reader), 1);
	assert_int_equal(sm_read_u16be(&reader), 0x0203);
	assert_int_equal(sm_read_u32be(&reader), 0x04050607);
	assert_int_equal(sm_read_u16le(&reader), 0x0201);
	assert_int_equal(sm_read_u32le(&reader), 0x06050403);
	assert_true(sm_read_u64le(&reader) == 0x8000000000000001ULL);
	assert_false(reader.failed);
	assert_int_equal(reader.at, sizeof(bytes));
}

static void a_read_past_the_end_fails_and_stays_failed(void **state)
{
	const uint8_t bytes[] = {1, 2, 3};
	struct sm_reader reader = sm_reader_of(bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(sm_read_u32be(&reader), 0);
	assert_true(reader.failed);
	assert_int_equal(sm_read_u8(&reader), 0);
	assert_null(sm_read_bytes(&reader, 0));
}

static void a_length_near_the_largest_does_not_wrap(void **state)
{
	const uint8_t bytes[] = {1, 2, 3};
	struct sm_reader reader = sm_reader_of(bytes, sizeof(bytes));

	(void)state;
	sm_read_u8(&reader);
	assert_null(sm_read_bytes(&reader, SIZE_MAX));
	assert_true(reader.failed);
}

static void what_is_written_is_read_back(void **state)
{
	uint8_t bytes[18];
	struct sm_writer writer = sm_writer_of(bytes, sizeof(bytes));
	struct sm_reader reader = sm_reader_of(bytes, sizeof(bytes));

	(void)state;
	sm_write_u8(&writer, 200);
	sm_write_u16le(&writer, 60000);
	sm_write_u32le(&writer, 4000000000U);
	sm_write_u64le(&writer, UINT64_MAX - 1);
	sm_write_bytes(&writer, "abc", 3);
	assert_false(writer.failed);
	assert_int_equal(sm_read_u8(&reader), 200);
	assert_int_equal(sm_read_u16le(&reader), 60000);
	assert_int_equal(sm_read_u32le(&reader), 4000000000U);
	assert_true(sm_read_u64le(&reader) == UINT64_MAX - 1);
	assert_memory_equal(sm_read_bytes(&reader, 3), "abc", 3);
}

static void a_full_writer_writes_nothing_more(void **state)
{
	uint8_t bytes[4] = {9, 9, 9, 9};
	struct sm_writer writer = sm_writer_of(bytes, 3);

	(void)state;
	sm_write_u16le(&writer, 1);
	sm_write_u16le(&writer, 2);
	assert_true(writer.failed);
	sm_write_u8(&writer, 3);
	assert_int_equal(writer.at, 2);
	assert_int_equal(bytes[2], 9);
	assert_int_equal(bytes[3], 9);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(numbers_come_in_their_byte_order),
	cmocka_unit_test(a_read_past_the_end_fails_and_stays_failed),
	cmocka_unit_test(a_length_near_the_largest_does_not_wrap),
	cmocka_unit_test(what_is_written_is_read_back),
	cmocka_unit_test(a_full_writer_writes_nothing_more),
};

TESTS_MAIN(tests)
