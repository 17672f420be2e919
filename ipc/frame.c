/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/frame.h"

#include "base/cursor.h"
#include "mesh/answer.h"

#define MAGIC 0x484d5253U /* "SRMH" */
#define FRAME_VERSION 1

static void write_head(struct sm_writer *writer, enum sm_frame_kind kind)
{
	sm_write_u32le(writer, MAGIC);
	sm_write_u8(writer, FRAME_VERSION);
	sm_write_u8(writer, (uint8_t)kind);
	sm_write_u16le(writer, 0);
}

void sm_frame_encode_head(enum sm_frame_kind kind, uint8_t ret[SM_FRAME_HEAD])
{
	struct sm_writer writer = sm_writer_of(ret, SM_FRAME_HEAD);

	write_head(&writer, kind);
}

size_t sm_frame_encode_request(const struct sm_request *request, uint8_t ret[SM_REQUEST_MAX])
{
	struct sm_writer writer = sm_writer_of(ret, SM_REQUEST_MAX);

	write_head(&writer, request->kind);
	if (request->kind == SM_FRAME_STATUS)
		return writer.at;
	sm_write_u32le(&writer, request->wait_ms);
	sm_write_u8(&writer, request->families);
	sm_write_u8(&writer, request->name.length);
	sm_write_bytes(&writer, request->name.text, request->name.length);
	return writer.at;
}

static uint8_t read_head(struct sm_reader *reader)
{
	uint32_t magic = sm_read_u32le(reader);
	uint8_t version = sm_read_u8(reader), kind = sm_read_u8(reader);

	if (magic != MAGIC || version != FRAME_VERSION || sm_read_u16le(reader) != 0)
		reader->failed = true;
	return kind;
}

static void read_question(struct sm_reader *reader, struct sm_request *ret)
{
	const char *name;
	uint8_t length;

	ret->wait_ms = sm_read_u32le(reader);
	ret->families = sm_read_u8(reader);
	length = sm_read_u8(reader);
	name = (const char *)sm_read_bytes(reader, length);
	if (ret->families == 0 || (ret->families & ~SM_IPV4_AND_IPV6))
		reader->failed = true;
	if (!name || sm_name_parse(name, length, &ret->name) != SM_OK)
		reader->failed = true;
}

enum sm_status sm_frame_decode_request(const void *bytes, size_t size, struct sm_request *ret)
{
	struct sm_reader reader = sm_reader_of(bytes, size);
	uint8_t kind = read_head(&reader);

	if (kind == SM_FRAME_LOOKUP || kind == SM_FRAME_HINT)
		read_question(&reader, ret);
	else if (kind != SM_FRAME_STATUS)
		return SM_CORRUPT;
	ret->kind = (enum sm_frame_kind)kind;
	return reader.failed || reader.at != size ? SM_CORRUPT : SM_OK;
}

enum sm_status sm_frame_decode_reply(const void *bytes, size_t size, enum sm_frame_kind *ret)
{
	struct sm_reader reader = sm_reader_of(bytes, size);
	uint8_t kind = read_head(&reader);

	if (reader.failed || kind < SM_FRAME_RECORD || kind > SM_FRAME_TEXT)
		return SM_CORRUPT;
	*ret = (enum sm_frame_kind)kind;
	return SM_OK;
}
