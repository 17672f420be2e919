/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Byte cursors: every access goes through read_bytes or write_place, where the one bound check stands. */
#include "base/cursor.h"

#include <string.h>

struct sm_reader sm_reader_of(const void *bytes, size_t size)
{
	return (struct sm_reader){.bytes = bytes, .size = size};
}

const uint8_t *sm_read_bytes(struct sm_reader *reader, size_t count)
{
	const uint8_t *place;

	if (reader->failed || count > reader->size - reader->at) {
		reader->failed = true;
		return NULL;
	}
	place = reader->bytes + reader->at;
	reader->at += count;
	return place;
}

uint8_t sm_read_u8(struct sm_reader *reader)
{
	const uint8_t *place = sm_read_bytes(reader, 1);

	return place ? place[0] : 0;
}

uint16_t sm_read_u16be(struct sm_reader *reader)
{
	const uint8_t *place = sm_read_bytes(reader, 2);

	return place ? (uint16_t)(place[0] << 8 | place[1]) : 0;
}

uint32_t sm_read_u32be(struct sm_reader *reader)
{
	uint32_t high = sm_read_u16be(reader);

	return high << 16 | sm_read_u16be(reader);
}

uint16_t sm_read_u16le(struct sm_reader *reader)
{
	const uint8_t *place = sm_read_bytes(reader, 2);

	return place ? (uint16_t)(place[1] << 8 | place[0]) : 0;
}

uint32_t sm_read_u32le(struct sm_reader *reader)
{
	uint32_t low = sm_read_u16le(reader);

	return low | (uint32_t)sm_read_u16le(reader) << 16;
}

uint64_t sm_read_u64le(struct sm_reader *reader)
{
	uint64_t low = sm_read_u32le(reader);

	return low | (uint64_t)sm_read_u32le(reader) << 32;
}

struct sm_writer sm_writer_of(void *bytes, size_t size)
{
	return (struct sm_writer){.bytes = bytes, .size = size};
}

static uint8_t *write_place(struct sm_writer *writer, size_t count)
{
	uint8_t *place;

	if (writer->failed || count > writer->size - writer->at) {
		writer->failed = true;
		return NULL;
	}
	place = writer->bytes + writer->at;
	writer->at += count;
	return place;
}

static void write_le(struct sm_writer *writer, uint64_t value, size_t count)
{
	uint8_t *place = write_place(writer, count);

	for (size_t i = 0; place && i < count; i++)
		place[i] = (uint8_t)(value >> (8 * i));
}

void sm_write_u8(struct sm_writer *writer, uint8_t value)
{
	write_le(writer, value, 1);
}

void sm_write_u16le(struct sm_writer *writer, uint16_t value)
{
	write_le(writer, value, 2);
}

void sm_write_u32le(struct sm_writer *writer, uint32_t value)
{
	write_le(writer, value, 4);
}

void sm_write_u64le(struct sm_writer *writer, uint64_t value)
{
	write_le(writer, value, 8);
}

void sm_write_bytes(struct sm_writer *writer, const void *bytes, size_t count)
{
	uint8_t *place = write_place(writer, count);

	if (place && count > 0)
		memcpy(place, bytes, count);
}
