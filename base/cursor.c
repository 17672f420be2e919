/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Byte cursors: every access goes through sm_read_bytes or write_place, which hold the only bound checks. */
#include "base/cursor.h"

struct sm_reader sm_reader_of(const void *bytes, size_t size)
{
	return (struct sm_reader){.bytes = bytes, .size = size};
}

/* A number of any size, read in place; zero after the reader has failed. */
#define READ(type, convert)                                        \
	const uint8_t *place = sm_read_bytes(reader, sizeof(type)); \
	type value = 0;                                             \
                                                                    \
	if (place)                                                  \
		memcpy(&value, place, sizeof(value));               \
	return convert(value)

uint16_t sm_read_u16be(struct sm_reader *reader)
{
	READ(uint16_t, be16toh);
}

uint32_t sm_read_u32be(struct sm_reader *reader)
{
	READ(uint32_t, be32toh);
}

uint16_t sm_read_u16le(struct sm_reader *reader)
{
	const uint8_t *place = sm_read_bytes(reader, sizeof(uint16_t));

	return place ? sm_load_u16le(place) : 0;
}

uint32_t sm_read_u32le(struct sm_reader *reader)
{
	const uint8_t *place = sm_read_bytes(reader, sizeof(uint32_t));

	return place ? sm_load_u32le(place) : 0;
}

uint64_t sm_read_u64le(struct sm_reader *reader)
{
	const uint8_t *place = sm_read_bytes(reader, sizeof(uint64_t));

	return place ? sm_load_u64le(place) : 0;
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
