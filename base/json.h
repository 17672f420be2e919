/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing JSON (RFC 8259) into a caller's sink: objects, arrays and values, with commas and indentation in the right places.
 * Nothing here reads JSON. UTF-8 goes through as it is, but for control characters; a byte that is not part of it becomes the
 * character of its number. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SM_JSON_DEPTH_MAX 32

struct sm_json {
	void (*write)(void *context, const char *text, size_t size);
	void *context;
	bool is_pretty;
	uint32_t depth;
	bool has_members[SM_JSON_DEPTH_MAX]; /* does the object or array of this depth have a member yet? */
};

/* `key` NULL: a member of an array, or the document itself. */
void sm_json_begin_object(struct sm_json *json, const char *key);
void sm_json_end_object(struct sm_json *json);
void sm_json_begin_array(struct sm_json *json, const char *key);
void sm_json_end_array(struct sm_json *json);
void sm_json_text(struct sm_json *json, const char *key, const char *value); /* NULL: null */
void sm_json_number(struct sm_json *json, const char *key, int64_t value);
/* With up to three digits behind the point. */
void sm_json_decimal(struct sm_json *json, const char *key, double value);
void sm_json_bool(struct sm_json *json, const char *key, bool value);
void sm_json_null(struct sm_json *json, const char *key);
/* Ends the document with a newline. */
void sm_json_end(struct sm_json *json);

/* Escapes as much of `text` as fits into `ret` whole, without quotes; returns the size. */
size_t sm_json_escape(const char *text, char *ret, size_t size);
