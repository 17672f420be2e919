/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tier/resp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 24 /* digits of a number, and its sign */

/* ---- commands */

static void write_count(struct sm_writer *writer, char kind, size_t count)
{
	char text[SM_RESP_WORD_LEAD];
	int length = snprintf(text, sizeof(text), "%c%zu\r\n", kind, count);

	sm_write_bytes(writer, text, (size_t)length);
}

void sm_resp_begin(struct sm_writer *writer, uint32_t n_words)
{
	write_count(writer, '*', n_words);
}

void sm_resp_word(struct sm_writer *writer, const void *bytes, size_t size)
{
	write_count(writer, '$', size);
	sm_write_bytes(writer, bytes, size);
	sm_write_bytes(writer, "\r\n", 2);
}

void sm_resp_text(struct sm_writer *writer, const char *text)
{
	sm_resp_word(writer, text, strlen(text));
}

/* ---- replies */

struct parser {
	const uint8_t *bytes;
	size_t size, at;
	struct sm_resp_reply *reply;
};

/* The rest of the line. Only a bulk string has one that may be long, and that says so before. */
static enum sm_status read_line(struct parser *parser, const uint8_t **ret, size_t *ret_length)
{
	const uint8_t *start = parser->bytes + parser->at;
	size_t left = parser->size - parser->at;
	const uint8_t *end = memchr(start, '\r', left);

	if (!end || end + 1 == start + left)
		return left > SM_RESP_REPLY_MAX ? SM_CORRUPT : SM_MISS;
	if (end[1] != '\n' || memchr(start, '\n', (size_t)(end - start)))
		return SM_CORRUPT;
	*ret = start;
	*ret_length = (size_t)(end - start);
	parser->at += *ret_length + 2;
	return SM_OK;
}

static enum sm_status read_number(struct parser *parser, int64_t *ret)
{
	char text[NUMBER_MAX + 1], *end;
	const uint8_t *line;
	size_t length;
	enum sm_status status = read_line(parser, &line, &length);

	if (status == SM_MISS && parser->size - parser->at > NUMBER_MAX)
		return SM_CORRUPT;
	if (status != SM_OK)
		return status;
	if (length == 0 || length > NUMBER_MAX || line[0] == ' ')
		return SM_CORRUPT;
	memcpy(text, line, length);
	text[length] = '\0';
	*ret = strtoll(text, &end, 10);
	return end == text + length ? SM_OK : SM_CORRUPT;
}

/* How many bytes or items follow; of -1 none do, and the item is a null. */
static enum sm_status read_count(struct parser *parser, struct sm_resp_item *item, int64_t most)
{
	enum sm_status status = read_number(parser, &item->number);

	if (status == SM_OK && item->number == -1)
		item->kind = SM_RESP_NULL;
	else if (status == SM_OK && (item->number < 0 || item->number > most))
		return SM_CORRUPT;
	return status;
}

static enum sm_status read_bulk(struct parser *parser, struct sm_resp_item *item)
{
	enum sm_status status = read_count(parser, item, SM_RESP_BULK_MAX);
	size_t size = (size_t)item->number;

	if (status != SM_OK || item->kind == SM_RESP_NULL)
		return status;
	if (parser->size - parser->at < size + 2)
		return SM_MISS;
	item->bytes = parser->bytes + parser->at;
	item->size = (uint32_t)size;
	parser->at += size + 2;
	return memcmp(item->bytes + size, "\r\n", 2) == 0 ? SM_OK : SM_CORRUPT;
}

static enum sm_status read_text(struct parser *parser, struct sm_resp_item *item)
{
	size_t length;
	enum sm_status status = read_line(parser, &item->bytes, &length);

	if (status == SM_OK)
		item->size = (uint32_t)length;
	return status;
}

/* "txt:" and the text. */
static enum sm_status read_verbatim(struct parser *parser, struct sm_resp_item *item)
{
	enum sm_status status = read_bulk(parser, item);

	if (status != SM_OK || item->kind == SM_RESP_NULL)
		return status;
	if (item->size < 4 || item->bytes[3] != ':')
		return SM_CORRUPT;
	item->bytes += 4;
	item->size -= 4;
	return SM_OK;
}

static enum sm_status read_boolean(struct parser *parser, struct sm_resp_item *item)
{
	enum sm_status status = read_text(parser, item);

	if (status != SM_OK)
		return status;
	item->number = item->size == 1 && item->bytes[0] == 't';
	return item->size == 1 && (item->bytes[0] == 't' || item->bytes[0] == 'f') ? SM_OK : SM_CORRUPT;
}

static enum sm_status read_item(struct parser *parser, uint32_t depth);

static enum sm_status read_items(struct parser *parser, int64_t n, uint32_t depth)
{
	enum sm_status status = SM_OK;

	if (n < 0 || n > SM_RESP_ITEMS_MAX || depth == SM_RESP_DEPTH_MAX)
		return SM_CORRUPT;
	for (int64_t i = 0; i < n && status == SM_OK; i++)
		status = read_item(parser, depth + 1);
	return status;
}

static enum sm_status read_list(struct parser *parser, struct sm_resp_item *item, uint32_t items_of_each, uint32_t depth)
{
	enum sm_status status = read_count(parser, item, SM_RESP_ITEMS_MAX);

	if (status != SM_OK || item->kind == SM_RESP_NULL)
		return status;
	item->number *= items_of_each;
	return read_items(parser, item->number, depth);
}

/* Attributes stand before the item that they are of, and are passed over. */
static enum sm_status pass_attributes(struct parser *parser, struct sm_resp_item *item, uint32_t depth)
{
	uint32_t n_items = parser->reply->n_items - 1;
	enum sm_status status = read_list(parser, item, 2, depth);

	parser->reply->n_items = n_items;
	return status == SM_OK ? read_items(parser, 1, depth) : status;
}

static enum sm_status read_of_kind(struct parser *parser, uint8_t kind, struct sm_resp_item *item, uint32_t depth)
{
	switch (kind) {
	case '+': case ',': case '(':
		return read_text(parser, item);
	case '-':
		item->kind = SM_RESP_ERROR;
		return read_text(parser, item);
	case '!':
		item->kind = SM_RESP_ERROR;
		return read_bulk(parser, item);
	case '$':
		return read_bulk(parser, item);
	case '=':
		return read_verbatim(parser, item);
	case ':':
		item->kind = SM_RESP_NUMBER;
		return read_number(parser, &item->number);
	case '#':
		item->kind = SM_RESP_NUMBER;
		return read_boolean(parser, item);
	case '_':
		item->kind = SM_RESP_NULL;
		return read_text(parser, item);
	case '>':
		item->kind = SM_RESP_PUSH;
		return read_list(parser, item, 1, depth);
	case '*': case '~': case '%':
		item->kind = SM_RESP_LIST;
		return read_list(parser, item, kind == '%' ? 2 : 1, depth);
	case '|':
		return pass_attributes(parser, item, depth);
	}
	return SM_CORRUPT;
}

static enum sm_status read_item(struct parser *parser, uint32_t depth)
{
	struct sm_resp_item *item = &parser->reply->items[parser->reply->n_items];

	if (parser->at == parser->size)
		return SM_MISS;
	if (parser->reply->n_items == SM_RESP_ITEMS_MAX)
		return SM_CORRUPT;
	parser->reply->n_items++;
	*item = (struct sm_resp_item){.kind = SM_RESP_TEXT, .bytes = parser->bytes};
	return read_of_kind(parser, parser->bytes[parser->at++], item, depth);
}

enum sm_status sm_resp_read(const void *bytes, size_t size, struct sm_resp_reply *ret, size_t *ret_size)
{
	struct parser parser = {.bytes = bytes, .size = size, .reply = ret};
	enum sm_status status;

	ret->n_items = 0;
	status = read_item(&parser, 0);
	if (status == SM_MISS && size >= SM_RESP_REPLY_MAX)
		return SM_CORRUPT;
	if (status == SM_OK)
		*ret_size = parser.at;
	return status;
}

bool sm_resp_begins(const struct sm_resp_item *item, const char *word)
{
	size_t length = strlen(word);

	return item->size >= length && memcmp(item->bytes, word, length) == 0;
}
