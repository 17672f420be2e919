/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Byte cursors with a sticky error: decode or encode everything, then look at `failed` once.
 *
 * A reader that has failed returns zeros and NULLs; a writer that has failed writes nothing more. Both borrow the
 * caller's bytes and never touch one outside [bytes, bytes + size). */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sm_reader {
	const uint8_t *bytes;
	size_t size;
	size_t at;
	bool failed;
};

struct sm_reader sm_reader_of(const void *bytes, size_t size);
uint16_t sm_read_u16be(struct sm_reader *reader);
uint32_t sm_read_u32be(struct sm_reader *reader);
uint16_t sm_read_u16le(struct sm_reader *reader);
uint32_t sm_read_u32le(struct sm_reader *reader);
uint64_t sm_read_u64le(struct sm_reader *reader);
/* The next `count` bytes in place, valid as long as the reader's bytes; NULL if there are fewer. This is the only
 * bound check of reading. */
static inline const uint8_t *sm_read_bytes(struct sm_reader *reader, size_t count)
{
	const uint8_t *place = reader->bytes + reader->at;

	if (reader->failed || count > reader->size - reader->at) {
		reader->failed = true;
		return NULL;
	}
	reader->at += count;
	return place;
}

static inline uint8_t sm_read_u8(struct sm_reader *reader)
{
	const uint8_t *place = sm_read_bytes(reader, 1);

	return place ? place[0] : 0;
}

/* Load numbers from bytes that sm_read_bytes has returned together: one bound check for many numbers. */
static inline uint16_t sm_load_u16le(const uint8_t *place)
{
	uint16_t value;

	memcpy(&value, place, sizeof(value));
	return le16toh(value);
}

static inline uint32_t sm_load_u32le(const uint8_t *place)
{
	uint32_t value;

	memcpy(&value, place, sizeof(value));
	return le32toh(value);
}

static inline uint64_t sm_load_u64le(const uint8_t *place)
{
	uint64_t value;

	memcpy(&value, place, sizeof(value));
	return le64toh(value);
}

struct sm_writer {
	uint8_t *bytes;
	size_t size;
	size_t at;
	bool failed;
};

struct sm_writer sm_writer_of(void *bytes, size_t size);
void sm_write_u8(struct sm_writer *writer, uint8_t value);
void sm_write_u16le(struct sm_writer *writer, uint16_t value);
void sm_write_u32le(struct sm_writer *writer, uint32_t value);
void sm_write_u64le(struct sm_writer *writer, uint64_t value);
void sm_write_bytes(struct sm_writer *writer, const void *bytes, size_t count);
