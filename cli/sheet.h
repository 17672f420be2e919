/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a command prints, once for people and once for programs: a sheet is a table whose columns know what they hold, and is
 * printed as the user wants it (cli/terms.h). Durations are "3 s" for people, and milliseconds in JSON; what is not known is
 * "-", and null. */
#pragma once

#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum sm_column_type {
	SM_COLUMN_TEXT,
	SM_COLUMN_STATE,  /* a word; some have a colour */
	SM_COLUMN_NUMBER,
	SM_COLUMN_MS,     /* a duration in milliseconds */
	SM_COLUMN_US,     /* a short duration in microseconds; milliseconds in JSON */
	SM_COLUMN_SHARE,  /* millionths; a number from 0 to 1 in JSON */
	SM_COLUMN_LIST,   /* words with commas between them; an array in JSON */
	SM_COLUMN_FLAG,   /* yes or no */
};

struct sm_column {
	const char *title; /* NULL: in JSON alone */
	const char *key;   /* NULL: not in JSON */
	enum sm_column_type type;
	bool may_be_cut;   /* on a terminal that is too narrow */
};

struct sm_cell {
	const char *text; /* of text, states and lists; NULL: not known */
	int64_t number;
	bool is_known;    /* a number is */
};

static inline struct sm_cell sm_cell_text(const char *text)
{
	return (struct sm_cell){.text = text};
}

static inline struct sm_cell sm_cell_number(int64_t number)
{
	return (struct sm_cell){.number = number, .is_known = true};
}

struct sm_sheet;

/* `columns` must live as long as the sheet. */
struct sm_sheet *sm_sheet_open(const struct sm_column *columns, size_t n);
void sm_sheet_close(struct sm_sheet *sheet);
/* A row: as many cells as columns; they are copied. */
void sm_sheet_row(struct sm_sheet *sheet, const struct sm_cell *cells);
size_t sm_sheet_rows(const struct sm_sheet *sheet);
/* For people: with `indent` blanks before each line. */
void sm_sheet_print(const struct sm_sheet *sheet, int indent);
/* For programs: an array of objects, as the member `key` of what is open, or the document itself (NULL). */
void sm_sheet_write(const struct sm_sheet *sheet, struct sm_json *json, const char *key);
/* As the user wants it. false: standard output is gone. */
bool sm_sheet_show(const struct sm_sheet *sheet);

/* JSON on standard output, as the user wants it. */
struct sm_json sm_sheet_json(void);
/* An array of the words of `text`, which have commas between them; NULL or "-": none. */
void sm_sheet_write_list(struct sm_json *json, const char *key, const char *text);

/* "3 s", "5 min", "2 h", "4 d"; "0.3 µs" (in a locale without UTF-8 "0.3 us"), "4.1 ms". */
#define SM_SHEET_TIME_MAX 32
void sm_sheet_ms(int64_t ms, char ret[SM_SHEET_TIME_MAX]);
void sm_sheet_ns(int64_t ns, char ret[SM_SHEET_TIME_MAX]);
/* RFC 3339 in UTC, from milliseconds since 1970. */
void sm_sheet_moment(int64_t wall_ms, char ret[SM_SHEET_TIME_MAX]);
/* "14:02", "tomorrow 14:02", "2026-11-30 14:02", in the local time, as seen at `now_ms`. */
void sm_sheet_clock(int64_t wall_ms, int64_t now_ms, char ret[SM_SHEET_TIME_MAX]);
