/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/origin.h"

#include "base/cursor.h"

#define IS_STREAM 1
#define IS_OF_OTHER_HOST 2
#define NOT_AUTHENTICATED 0

static size_t address_size(const struct sm_address *address)
{
	return address->family == SM_IPV4 ? 4 : 16;
}

static void write_text(struct sm_writer *writer, const char *text, size_t length)
{
	sm_write_u8(writer, (uint8_t)length);
	sm_write_bytes(writer, text, length);
}

uint16_t sm_origin_pack(const struct sm_origin *origin, uint8_t ret[SM_ORIGIN_MAX])
{
	struct sm_writer writer = sm_writer_of(ret, SM_ORIGIN_MAX);

	sm_write_u8(&writer, (origin->server.is_stream ? IS_STREAM : 0) | (origin->is_of_other_host ? IS_OF_OTHER_HOST : 0));
	sm_write_u8(&writer, NOT_AUTHENTICATED);
	sm_write_u8(&writer, origin->rcode);
	sm_write_u16le(&writer, origin->type);
	sm_write_u32le(&writer, origin->took_us);
	sm_write_u16le(&writer, origin->server.port);
	sm_write_u8(&writer, origin->server.address.family);
	sm_write_bytes(&writer, origin->server.address.bytes, address_size(&origin->server.address));
	write_text(&writer, origin->server.zone, strlen(origin->server.zone));
	write_text(&writer, origin->owner.text, origin->owner.length);
	return (uint16_t)writer.at;
}

static void read_address(struct sm_reader *reader, struct sm_address *ret)
{
	const uint8_t *bytes;

	ret->family = sm_read_u8(reader);
	bytes = sm_read_bytes(reader, address_size(ret));
	if (bytes)
		memcpy(ret->bytes, bytes, address_size(ret));
	reader->failed |= ret->family != SM_IPV4 && ret->family != SM_IPV6;
}

/* A length and so many bytes, with a NUL behind them in `ret`. */
static size_t read_text(struct sm_reader *reader, char *ret, size_t max)
{
	size_t length = sm_read_u8(reader);
	const uint8_t *bytes = sm_read_bytes(reader, length);

	if (!bytes || length > max) {
		reader->failed = true;
		return 0;
	}
	memcpy(ret, bytes, length);
	ret[length] = '\0';
	return length;
}

enum sm_status sm_origin_unpack(const uint8_t *bytes, size_t size, struct sm_origin *ret)
{
	struct sm_reader reader = sm_reader_of(bytes, size);
	struct sm_origin origin = {.type = 0};
	uint8_t flags = sm_read_u8(&reader), security = sm_read_u8(&reader);

	origin.rcode = sm_read_u8(&reader);
	origin.type = sm_read_u16le(&reader);
	origin.took_us = sm_read_u32le(&reader);
	origin.server.port = sm_read_u16le(&reader);
	read_address(&reader, &origin.server.address);
	read_text(&reader, origin.server.zone, SM_ZONE_MAX);
	origin.owner.length = (uint8_t)read_text(&reader, origin.owner.text, SM_NAME_MAX);
	origin.server.is_stream = flags & IS_STREAM;
	origin.is_of_other_host = flags & IS_OF_OTHER_HOST;
	if (reader.failed || reader.at != size || security != NOT_AUTHENTICATED)
		return SM_CORRUPT;
	*ret = origin;
	return SM_OK;
}

void sm_origin_lend(uint8_t *bytes, size_t size)
{
	if (size > 0)
		bytes[0] |= IS_OF_OTHER_HOST;
}
