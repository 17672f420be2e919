/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables are libsmartcols': alignment, width, colours and UTF-8 are its trade. */
#include "cli/sheet.h"

#include "cli/memory.h"
#include "cli/terms.h"

#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct sm_sheet {
	const struct sm_column *columns;
	size_t n_columns, n_rows, room;
	struct sm_cell *cells; /* row after row; texts are owned */
};

struct sm_sheet *sm_sheet_open(const struct sm_column *columns, size_t n)
{
	struct sm_sheet *sheet = sm_memory(calloc(1, sizeof(*sheet)));

	sheet->columns = columns;
	sheet->n_columns = n;
	return sheet;
}

void sm_sheet_close(struct sm_sheet *sheet)
{
	if (!sheet)
		return;
	for (size_t i = 0; i < sheet->n_rows * sheet->n_columns; i++)
		free((char *)sheet->cells[i].text);
	free(sheet->cells);
	free(sheet);
}

void sm_sheet_row(struct sm_sheet *sheet, const struct sm_cell *cells)
{
	struct sm_cell *row;

	if (sheet->n_rows == sheet->room) {
		sheet->room = sheet->room ? sheet->room * 2 : 64;
		sheet->cells = sm_memory(realloc(sheet->cells, sheet->room * sheet->n_columns * sizeof(*row)));
	}
	row = sheet->cells + sheet->n_rows++ * sheet->n_columns;
	for (size_t i = 0; i < sheet->n_columns; i++) {
		row[i] = cells[i];
		row[i].text = cells[i].text ? sm_memory(strdup(cells[i].text)) : NULL;
	}
}

size_t sm_sheet_rows(const struct sm_sheet *sheet)
{
	return sheet->n_rows;
}

/* ---- times */

void sm_sheet_ms(int64_t ms, char ret[SM_SHEET_TIME_MAX])
{
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
	size_t i = 0;

	if (ms < 1000 && ms > 0) {
		snprintf(ret, SM_SHEET_TIME_MAX, "%lld ms", (long long)ms);
		return;
	}
	while (i < 3 && ms < 2 * units[i].ms)
		i++;
	snprintf(ret, SM_SHEET_TIME_MAX, "%lld %s", (long long)(ms / units[i].ms), units[i].unit);
}

void sm_sheet_ns(int64_t ns, char ret[SM_SHEET_TIME_MAX])
{
	if (ns < 1000000)
		snprintf(ret, SM_SHEET_TIME_MAX, "%.1f %s", (double)ns / 1e3, MB_CUR_MAX > 1 ? "µs" : "us");
	else if (ns < 1000000000)
		snprintf(ret, SM_SHEET_TIME_MAX, "%.1f ms", (double)ns / 1e6);
	else
		snprintf(ret, SM_SHEET_TIME_MAX, "%.1f s", (double)ns / 1e9);
}

void sm_sheet_moment(int64_t wall_ms, char ret[SM_SHEET_TIME_MAX])
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm utc;
	size_t used;

	gmtime_r(&seconds, &utc);
	used = strftime(ret, SM_SHEET_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(ret + used, SM_SHEET_TIME_MAX - used, ".%03dZ", (int)(wall_ms % 1000));
}

void sm_sheet_clock(int64_t wall_ms, int64_t now_ms, char ret[SM_SHEET_TIME_MAX])
{
	time_t then = (time_t)(wall_ms / 1000), now = (time_t)(now_ms / 1000), next = now + 86400;
	struct tm at, today, tomorrow;

	localtime_r(&then, &at);
	localtime_r(&now, &today);
	localtime_r(&next, &tomorrow);
	if (at.tm_year == today.tm_year && at.tm_yday == today.tm_yday)
		strftime(ret, SM_SHEET_TIME_MAX, "%H:%M", &at);
	else if (at.tm_year == tomorrow.tm_year && at.tm_yday == tomorrow.tm_yday)
		strftime(ret, SM_SHEET_TIME_MAX, "tomorrow %H:%M", &at);
	else
		strftime(ret, SM_SHEET_TIME_MAX, "%Y-%m-%d %H:%M", &at);
}

/* ---- for people */

static const char *color_of(const char *state)
{
	static const struct {
		const char *state, *color;
	} colors[] = {
		{"up", "green"},     {"fresh", "green"},  {"ok", "green"},      {"down", "red"},   {"problem", "red"},
		{"dead", "red"},     {"doubt", "brown"},  {"slow", "brown"},    {"old", "brown"},  {"stale", "brown"},
		{"warning", "brown"}, {"failure", "red"}, {"different", "red"},
	};

	for (size_t i = 0; i < sizeof(colors) / sizeof(colors[0]); i++)
		if (strcmp(colors[i].state, state) == 0)
			return colors[i].color;
	return NULL;
}

/* A number, as people read it. */
static void write_number(enum sm_column_type type, int64_t number, char ret[SM_SHEET_TIME_MAX])
{
	switch (type) {
	case SM_COLUMN_MS:
		sm_sheet_ms(number, ret);
		break;
	case SM_COLUMN_US:
		sm_sheet_ns(number * 1000, ret);
		break;
	case SM_COLUMN_SHARE:
		if (number > 0 && number < 10000)
			snprintf(ret, SM_SHEET_TIME_MAX, "<1%%");
		else
			snprintf(ret, SM_SHEET_TIME_MAX, "%d%%", (int)((number + 5000) / 10000));
		break;
	case SM_COLUMN_FLAG:
		snprintf(ret, SM_SHEET_TIME_MAX, "%s", number ? "yes" : "no");
		break;
	case SM_COLUMN_TEXT: case SM_COLUMN_STATE: case SM_COLUMN_NUMBER: case SM_COLUMN_LIST:
		snprintf(ret, SM_SHEET_TIME_MAX, "%lld", (long long)number);
		break;
	}
}

static bool is_number(enum sm_column_type type)
{
	return type != SM_COLUMN_TEXT && type != SM_COLUMN_STATE && type != SM_COLUMN_LIST;
}

static void set_data(struct libscols_line *line, size_t at, const char *text)
{
	if (scols_line_set_data(line, at, text) != 0)
		sm_no_memory();
}

static void fill_cell(struct libscols_line *line, size_t at, const struct sm_column *column, const struct sm_cell *cell)
{
	char number[SM_SHEET_TIME_MAX] = "-";
	const char *color = NULL;

	if (is_number(column->type)) {
		if (cell->is_known)
			write_number(column->type, cell->number, number);
		set_data(line, at, number);
		return;
	}
	set_data(line, at, cell->text ? cell->text : "-");
	if (sm_terms.has_color && column->type == SM_COLUMN_STATE && cell->text)
		color = color_of(cell->text);
	if (color)
		scols_cell_set_color(scols_line_get_cell(line, at), color);
}

static struct libscols_table *make_table(const struct sm_sheet *sheet)
{
	struct libscols_table *table = sm_memory(scols_new_table());

	for (size_t i = 0; i < sheet->n_columns; i++)
		if (sheet->columns[i].title)
			sm_memory(scols_table_new_column(table, sheet->columns[i].title, 0,
			                                 (is_number(sheet->columns[i].type) ? SCOLS_FL_RIGHT : 0) |
			                                 (sheet->columns[i].may_be_cut ? SCOLS_FL_TRUNC : 0)));
	return table;
}

static void print_indented(char *text, int indent)
{
	char *rest = text, *line;

	while (rest && (line = strsep(&rest, "\n")) && (rest || *line)) {
		size_t length = strlen(line);

		while (length > 0 && line[length - 1] == ' ')
			length--; /* an empty cell at the end */
		printf("%*s%.*s\n", length > 0 ? indent : 0, "", (int)length, line);
	}
}

void sm_sheet_print(const struct sm_sheet *sheet, int indent)
{
	struct libscols_table *table = make_table(sheet);
	char *text = NULL;

	scols_table_enable_colors(table, sm_terms.has_color);
	scols_table_enable_noheadings(table, !sm_terms.has_legend);
	for (size_t row = 0; row < sheet->n_rows; row++) {
		struct libscols_line *line = sm_memory(scols_table_new_line(table, NULL));
		size_t at = 0;

		for (size_t i = 0; i < sheet->n_columns; i++)
			if (sheet->columns[i].title)
				fill_cell(line, at++, &sheet->columns[i], &sheet->cells[row * sheet->n_columns + i]);
	}
	if (sheet->n_rows > 0 && (scols_print_table_to_string(table, &text) != 0 || !text))
		sm_no_memory();
	print_indented(text, indent);
	free(text);
	scols_unref_table(table);
}

/* ---- for programs */

static void write_out(void *context, const char *text, size_t size)
{
	fwrite(text, 1, size, context);
}

struct sm_json sm_sheet_json(void)
{
	return (struct sm_json){.write = write_out, .context = stdout, .is_pretty = sm_terms.json == SM_TERMS_PRETTY};
}

void sm_sheet_write_list(struct sm_json *json, const char *key, const char *text)
{
	char *copy = text ? sm_memory(strdup(text)) : NULL, *rest = copy, *word;

	sm_json_begin_array(json, key);
	while (rest && (word = strsep(&rest, ",")))
		if (word[0] != '\0' && strcmp(word, "-") != 0)
			sm_json_text(json, NULL, word);
	sm_json_end_array(json);
	free(copy);
}

static void write_cell(struct sm_json *json, const struct sm_column *column, const struct sm_cell *cell)
{
	if (is_number(column->type) && !cell->is_known) {
		sm_json_null(json, column->key);
		return;
	}
	switch (column->type) {
	case SM_COLUMN_TEXT:
	case SM_COLUMN_STATE:
		sm_json_text(json, column->key, cell->text && cell->text[0] ? cell->text : NULL);
		break;
	case SM_COLUMN_NUMBER:
	case SM_COLUMN_MS:
		sm_json_number(json, column->key, cell->number);
		break;
	case SM_COLUMN_US:
		sm_json_decimal(json, column->key, (double)cell->number / 1e3);
		break;
	case SM_COLUMN_SHARE:
		sm_json_decimal(json, column->key, (double)cell->number / 1e6);
		break;
	case SM_COLUMN_LIST:
		sm_sheet_write_list(json, column->key, cell->text);
		break;
	case SM_COLUMN_FLAG:
		sm_json_bool(json, column->key, cell->number != 0);
		break;
	}
}

void sm_sheet_write(const struct sm_sheet *sheet, struct sm_json *json, const char *key)
{
	sm_json_begin_array(json, key);
	for (size_t row = 0; row < sheet->n_rows; row++) {
		sm_json_begin_object(json, NULL);
		for (size_t i = 0; i < sheet->n_columns; i++)
			if (sheet->columns[i].key)
				write_cell(json, &sheet->columns[i], &sheet->cells[row * sheet->n_columns + i]);
		sm_json_end_object(json);
	}
	sm_json_end_array(json);
}

bool sm_sheet_show(const struct sm_sheet *sheet)
{
	if (sm_terms.json != SM_TERMS_TEXT) {
		struct sm_json json = sm_sheet_json();

		sm_sheet_write(sheet, &json, NULL);
		sm_json_end(&json);
	} else if (!sm_terms.is_quiet) {
		sm_sheet_print(sheet, 0);
	}
	return fflush(stdout) == 0;
}
