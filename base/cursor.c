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

static uint64_t read_be(struct sm_reader *reader, size_t count)
{
	const uint8_t *place = sm_read_bytes(reader, count);
	uint64_t value = 0;

	for (size_t i = 0; place && i < count; i++)
		value = value << 8 | place[i];
	return value;
}

static uint64_t read_le(struct sm_reader *reader, size_t count)
{
	const uint8_t *place = sm_read_bytes(reader, count);
	uint64_t value = 0;

	for (size_t i = 0; place && i < count; i++)
		value |= (uint64_t)place[i] << (8 * i);
	return value;
}

uint8_t sm_read_u8(struct sm_reader *reader)
{
	return (uint8_t)read_be(reader, 1);
}

uint16_t sm_read_u16be(struct sm_reader *reader)
{
	return (uint16_t)read_be(reader, 2);
}

uint32_t sm_read_u32be(struct sm_reader *reader)
{
	return (uint32_t)read_be(reader, 4);
}

uint16_t sm_read_u16le(struct sm_reader *reader)
{
	return (uint16_t)read_le(reader, 2);
}

uint32_t sm_read_u32le(struct sm_reader *reader)
{
	return (uint32_t)read_le(reader, 4);
}

uint64_t sm_read_u64le(struct sm_reader *reader)
{
	return read_le(reader, 8);
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
