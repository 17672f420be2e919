/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#define INDENT "  "
#define PIECE 256

static void write_text(struct sm_json *json, const char *text)
{
	json->write(json->context, text, strlen(text));
}

static void break_line(struct sm_json *json)
{
	if (!json->is_pretty)
		return;
	write_text(json, "\n");
	for (uint32_t i = 0; i < json->depth; i++)
		write_text(json, INDENT);
}

/* ---- text */

/* The length of the valid UTF-8 sequence at `text` (RFC 3629); 0: there is none. */
static size_t sequence_at(const unsigned char *text)
{
	size_t length = text[0] < 0x80 ? 1 : text[0] >= 0xc2 && text[0] < 0xe0 ? 2 : (text[0] & 0xf0) == 0xe0 ? 3
	                : text[0] >= 0xf0 && text[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] >= 0xa0) || (text[0] == 0xf0 && text[1] < 0x90) ||
	    (text[0] == 0xf4 && text[1] >= 0x90))
		return 0;
	return length;
}

/* What stands for the sequence at `text`; returns how many bytes it takes up of it. */
static size_t escape_one(const unsigned char *text, char ret[8])
{
	size_t length = sequence_at(text);

	if (length == 2 && text[0] == 0xc2 && text[1] < 0xa0)
		snprintf(ret, 8, "\\u%04x", text[1]); /* C1: terminals take it for a command */
	else if (text[0] == '"' || text[0] == '\\')
		snprintf(ret, 8, "\\%c", text[0]);
	else if (length == 0 || text[0] < ' ' || text[0] == 0x7f)
		snprintf(ret, 8, "\\u%04x", text[0]);
	else
		snprintf(ret, 8, "%.*s", (int)length, (const char *)text);
	return length ? length : 1;
}

size_t sm_json_escape(const char *text, char *ret, size_t size)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t used = 0;

	while (*at) {
		char one[8];
		size_t length, taken = escape_one(at, one);

		length = strlen(one);
		if (used + length > size)
			break;
		memcpy(ret + used, one, length);
		used += length;
		at += taken;
	}
	return used;
}

static void write_quoted(struct sm_json *json, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	char piece[PIECE];
	size_t used = 0;

	write_text(json, "\"");
	while (*at) {
		at += escape_one(at, piece + used);
		used += strlen(piece + used);
		if (used + 8 > PIECE) {
			json->write(json->context, piece, used);
			used = 0;
		}
	}
	json->write(json->context, piece, used);
	write_text(json, "\"");
}

/* ---- structure */

/* What stands before a value. */
static void begin_value(struct sm_json *json, const char *key)
{
	if (json->depth > 0) {
		if (json->has_members[json->depth - 1])
			write_text(json, ",");
		json->has_members[json->depth - 1] = true;
		break_line(json);
	}
	if (!key)
		return;
	write_quoted(json, key);
	write_text(json, json->is_pretty ? ": " : ":");
}

static void open_group(struct sm_json *json, const char *key, const char *bracket)
{
	begin_value(json, key);
	write_text(json, bracket);
	json->has_members[json->depth++] = false;
}

static void close_group(struct sm_json *json, const char *bracket)
{
	bool has_members = json->has_members[--json->depth];

	if (has_members)
		break_line(json);
	write_text(json, bracket);
}

void sm_json_begin_object(struct sm_json *json, const char *key)
{
	open_group(json, key, "{");
}

void sm_json_end_object(struct sm_json *json)
{
	close_group(json, "}");
}

void sm_json_begin_array(struct sm_json *json, const char *key)
{
	open_group(json, key, "[");
}

void sm_json_end_array(struct sm_json *json)
{
	close_group(json, "]");
}

void sm_json_text(struct sm_json *json, const char *key, const char *value)
{
	begin_value(json, key);
	if (value)
		write_quoted(json, value);
	else
		write_text(json, "null");
}

void sm_json_number(struct sm_json *json, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	begin_value(json, key);
	write_text(json, text);
}

void sm_json_decimal(struct sm_json *json, const char *key, double value)
{
	char text[64], *end;

	snprintf(text, sizeof(text), "%.6f", value);
	for (end = text + strlen(text); end[-1] == '0'; end--)
		continue;
	end[-1] == '.' ? (void)(end[-1] = '\0') : (void)(*end = '\0');
	begin_value(json, key);
	write_text(json, text);
}

void sm_json_bool(struct sm_json *json, const char *key, bool value)
{
	begin_value(json, key);
	write_text(json, value ? "true" : "false");
}

void sm_json_null(struct sm_json *json, const char *key)
{
	sm_json_text(json, key, NULL);
}

void sm_json_end(struct sm_json *json)
{
	write_text(json, "\n");
}
