/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The frame codec. */
#include "ipc/frame.h"

#include "base/cursor.h"
#include "mesh/answer.h"

#include <string.h>

#define MAGIC 0x484d5253U /* "SRMH" */

enum field {
	FIELD_WAIT_MS = 1,
	FIELD_FAMILIES = 2,
	FIELD_NAME = 3,
	FIELD_RECORD = 4,
	FIELD_TEXT = 5,
	FIELD_PATTERN = 6,
	FIELD_EVERYWHERE = 7,
	FIELD_BYPASS = 8,
	FIELD_LAST = 9,
	FIELD_LEVEL = 10,
	FIELDS_END,
};

static void write_head(struct sm_writer *writer, enum sm_format format, enum sm_frame_kind kind, uint32_t part,
                       uint32_t n_parts)
{
	sm_write_u32le(writer, MAGIC);
	sm_write_u8(writer, (uint8_t)format);
	sm_write_u8(writer, (uint8_t)kind);
	sm_write_u8(writer, format == SM_FORMAT_1 ? 0 : (uint8_t)part);
	sm_write_u8(writer, format == SM_FORMAT_1 ? 0 : (uint8_t)n_parts);
}

static void write_field_head(struct sm_writer *writer, enum field tag, size_t length)
{
	sm_write_u16le(writer, (uint16_t)tag);
	sm_write_u32le(writer, (uint32_t)length);
}

/* ---- requests */

static void write_byte(struct sm_writer *writer, enum field tag, uint8_t value)
{
	write_field_head(writer, tag, sizeof(value));
	sm_write_u8(writer, value);
}

static void write_question_of_format_1(struct sm_writer *writer, const struct sm_request *request)
{
	sm_write_u32le(writer, request->wait_ms);
	sm_write_u8(writer, request->families);
	sm_write_u8(writer, request->name.length);
	sm_write_bytes(writer, request->name.text, request->name.length);
}

static void write_question(struct sm_writer *writer, const struct sm_request *request)
{
	write_field_head(writer, FIELD_WAIT_MS, sizeof(request->wait_ms));
	sm_write_u32le(writer, request->wait_ms);
	write_field_head(writer, FIELD_FAMILIES, sizeof(request->families));
	sm_write_u8(writer, request->families);
	write_field_head(writer, FIELD_NAME, request->name.length);
	sm_write_bytes(writer, request->name.text, request->name.length);
	if (request->bypass != SM_BYPASS_NONE)
		write_byte(writer, FIELD_BYPASS, request->bypass);
}

static void write_flush(struct sm_writer *writer, const struct sm_request *request)
{
	write_field_head(writer, FIELD_PATTERN, request->name.length);
	sm_write_bytes(writer, request->name.text, request->name.length);
	write_byte(writer, FIELD_EVERYWHERE, request->is_everywhere);
}

static void write_monitor(struct sm_writer *writer, const struct sm_request *request)
{
	write_field_head(writer, FIELD_LAST, sizeof(request->n_last));
	sm_write_u32le(writer, request->n_last);
}

static void write_level(struct sm_writer *writer, const struct sm_request *request)
{
	if (request->level != SM_LEVEL_STAYS)
		write_byte(writer, FIELD_LEVEL, request->level);
}

/* A row for each kind of request: how it is written, and what it must have. */
static const struct request_kind {
	void (*write)(struct sm_writer *writer, const struct sm_request *request); /* NULL: it has no body */
	enum field needs;    /* 0: nothing */
	bool is_of_format_1, is_known;
} request_kinds[] = {
	[SM_FRAME_LOOKUP] = {write_question, FIELD_NAME, true, true},
	[SM_FRAME_HINT] = {write_question, FIELD_NAME, true, true},
	[SM_FRAME_STATUS] = {NULL, 0, true, true},
	[SM_FRAME_HEALTH] = {NULL, 0, true, true},
	[SM_FRAME_FLUSH] = {write_flush, FIELD_PATTERN, false, true},
	[SM_FRAME_SERVERS] = {NULL, 0, false, true},
	[SM_FRAME_METRICS] = {NULL, 0, false, true},
	[SM_FRAME_MONITOR] = {write_monitor, 0, false, true},
	[SM_FRAME_LOG_LEVEL] = {write_level, 0, false, true},
	[SM_FRAME_RELOAD] = {NULL, 0, false, true},
	[SM_FRAME_OPENMETRICS] = {NULL, 0, false, true},
};

size_t sm_frame_encode_request(const struct sm_request *request, uint8_t ret[SM_REQUEST_MAX])
{
	struct sm_writer writer = sm_writer_of(ret, SM_REQUEST_MAX);

	write_head(&writer, request->format, request->kind, 0, 1);
	if (request->format == SM_FORMAT_1 && request_kinds[request->kind].needs == FIELD_NAME)
		write_question_of_format_1(&writer, request);
	else if (request->format != SM_FORMAT_1 && request_kinds[request->kind].write)
		request_kinds[request->kind].write(&writer, request);
	return writer.at;
}

static enum sm_status read_head(struct sm_reader *reader, struct sm_frame_head *ret)
{
	uint32_t magic = sm_read_u32le(reader);
	uint8_t format = sm_read_u8(reader), kind = sm_read_u8(reader), part = sm_read_u8(reader), n_parts = sm_read_u8(reader);

	if (reader->failed || magic != MAGIC)
		return SM_CORRUPT;
	if (format == SM_FORMAT_1 ? part != 0 || n_parts != 0 : format != SM_FORMAT_2 || part >= n_parts)
		return SM_CORRUPT;
	ret->format = (enum sm_format)format;
	ret->kind = (enum sm_frame_kind)kind;
	ret->part = part;
	ret->n_parts = format == SM_FORMAT_1 ? 1 : n_parts;
	return SM_OK;
}

static void read_name(struct sm_reader *reader, size_t length, struct sm_name *ret)
{
	const char *name = (const char *)sm_read_bytes(reader, length);

	if (!name || sm_name_parse(name, length, ret) != SM_OK)
		reader->failed = true;
}

static void read_pattern(struct sm_reader *reader, struct sm_name *ret)
{
	const char *pattern = (const char *)sm_read_bytes(reader, reader->size);

	if (!pattern || sm_pattern_parse(pattern, reader->size, ret->text) != SM_OK)
		reader->failed = true;
	else
		ret->length = (uint8_t)strlen(ret->text);
}

static void read_question_of_format_1(struct sm_reader *reader, struct sm_request *ret)
{
	ret->wait_ms = sm_read_u32le(reader);
	ret->families = sm_read_u8(reader);
	read_name(reader, sm_read_u8(reader), &ret->name);
}

/* The field that a head announces, as a reader of its own. */
static struct sm_reader open_field(struct sm_reader *reader, uint16_t *ret_tag)
{
	const uint8_t *bytes;
	uint32_t length;

	*ret_tag = sm_read_u16le(reader);
	length = sm_read_u32le(reader);
	bytes = sm_read_bytes(reader, length);
	return sm_reader_of(bytes, bytes ? length : 0);
}

static void read_field(struct sm_reader *field, uint16_t tag, struct sm_request *ret)
{
	switch (tag) {
	case FIELD_WAIT_MS:
		ret->wait_ms = sm_read_u32le(field);
		break;
	case FIELD_FAMILIES:
		ret->families = sm_read_u8(field);
		break;
	case FIELD_NAME:
		read_name(field, field->size, &ret->name);
		break;
	case FIELD_PATTERN:
		read_pattern(field, &ret->name);
		break;
	case FIELD_EVERYWHERE:
		ret->is_everywhere = sm_read_u8(field) == 1;
		break;
	case FIELD_BYPASS:
		ret->bypass = sm_read_u8(field);
		break;
	case FIELD_LAST:
		ret->n_last = sm_read_u32le(field);
		break;
	case FIELD_LEVEL:
		ret->level = sm_read_u8(field);
		break;
	default:
		field->at = field->size; /* of a newer release */
	}
	field->failed |= field->at != field->size;
}

static void read_fields(struct sm_reader *reader, enum field needs, struct sm_request *ret)
{
	uint32_t seen = 0;

	while (reader->at < reader->size && !reader->failed) {
		uint16_t tag;
		struct sm_reader field = open_field(reader, &tag);

		if (reader->failed)
			return;
		if ((tag == FIELD_NAME || tag == FIELD_PATTERN) && tag != needs)
			field.failed = true; /* it would be taken for the other one, and a pattern is no name to ask for */
		read_field(&field, tag, ret);
		reader->failed |= field.failed || (tag < FIELDS_END && (seen & 1U << tag));
		seen |= tag < FIELDS_END ? 1U << tag : 0;
	}
	reader->failed |= needs && !(seen & 1U << needs);
}

static const struct request_kind *find_kind(unsigned kind)
{
	if (kind >= sizeof(request_kinds) / sizeof(request_kinds[0]) || !request_kinds[kind].is_known)
		return NULL;
	return &request_kinds[kind];
}

enum sm_status sm_frame_decode_request(const void *bytes, size_t size, struct sm_request *ret)
{
	struct sm_reader reader = sm_reader_of(bytes, size);
	const struct request_kind *kind;
	struct sm_frame_head head;

	if (read_head(&reader, &head) != SM_OK || head.n_parts != 1)
		return SM_CORRUPT;
	kind = find_kind(head.kind);
	ret->format = head.format;
	ret->kind = head.kind;
	ret->wait_ms = 0;
	ret->families = SM_IPV4_AND_IPV6;
	ret->is_everywhere = false;
	ret->bypass = SM_BYPASS_NONE;
	ret->level = SM_LEVEL_STAYS;
	ret->n_last = 0;
	if (!kind || (head.format == SM_FORMAT_1 && !kind->is_of_format_1))
		return SM_CORRUPT;
	if (head.format != SM_FORMAT_1)
		read_fields(&reader, kind->needs, ret);
	else if (kind->needs == FIELD_NAME)
		read_question_of_format_1(&reader, ret);
	if (ret->families == 0 || (ret->families & ~SM_IPV4_AND_IPV6))
		return SM_CORRUPT;
	return reader.failed || reader.at != size ? SM_CORRUPT : SM_OK;
}

/* ---- replies */

/* Of the content, what stands before it, and how much of both goes into one frame. */
static size_t lead_of(const struct sm_frame_reply *reply)
{
	return reply->format == SM_FORMAT_1 || !reply->content ? 0 : SM_FRAME_FIELD_HEAD;
}

uint32_t sm_frame_parts(const struct sm_frame_reply *reply)
{
	size_t size = lead_of(reply) + reply->size;

	return reply->format == SM_FORMAT_1 || size == 0 ? 1 : (uint32_t)((size + SM_FRAME_PART - 1) / SM_FRAME_PART);
}

size_t sm_frame_encode_part(const struct sm_frame_reply *reply, uint32_t part, uint8_t ret[SM_FRAME_HEAD + SM_FRAME_FIELD_HEAD],
                            const void **ret_content, size_t *ret_size)
{
	struct sm_writer writer = sm_writer_of(ret, SM_FRAME_HEAD + SM_FRAME_FIELD_HEAD);
	size_t lead = lead_of(reply), begin = part == 0 ? 0 : part * SM_FRAME_PART - lead;
	size_t end = (part + 1) * (size_t)SM_FRAME_PART - lead;

	write_head(&writer, reply->format, reply->kind, part, sm_frame_parts(reply));
	if (part == 0 && lead > 0)
		write_field_head(&writer, reply->kind == SM_FRAME_RECORD ? FIELD_RECORD : FIELD_TEXT, reply->size);
	if (reply->format == SM_FORMAT_1 || end > reply->size)
		end = reply->size;
	*ret_content = reply->content ? (const uint8_t *)reply->content + begin : NULL;
	*ret_size = reply->content ? end - begin : 0;
	return writer.at;
}

enum sm_status sm_frame_decode_head(const void *bytes, size_t size, struct sm_frame_head *ret)
{
	struct sm_reader reader = sm_reader_of(bytes, size);

	if (read_head(&reader, ret) != SM_OK || ret->kind < SM_FRAME_RECORD || ret->kind > SM_FRAME_EVENT)
		return SM_CORRUPT;
	return SM_OK;
}

enum sm_status sm_frame_content(const struct sm_frame_head *head, const void *body, size_t size, const void **ret,
                                size_t *ret_size)
{
	struct sm_reader reader = sm_reader_of(body, size);
	uint16_t wanted = head->kind == SM_FRAME_RECORD ? FIELD_RECORD : FIELD_TEXT, tag;
	bool is_found = false;

	if (head->format == SM_FORMAT_1) {
		*ret = body;
		*ret_size = size;
		return SM_OK;
	}
	while (reader.at < size && !reader.failed) {
		struct sm_reader field = open_field(&reader, &tag);

		if (reader.failed || tag != wanted)
			continue;
		reader.failed |= is_found;
		is_found = true;
		*ret = field.bytes;
		*ret_size = field.size;
	}
	return reader.failed || !is_found ? SM_CORRUPT : SM_OK;
}
