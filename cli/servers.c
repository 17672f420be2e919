/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh servers, srvmesh health: srvmeshd's tables. */
#include "cli/commands.h"
#include "cli/memory.h"
#include "cli/sheet.h"
#include "cli/talk.h"
#include "cli/terms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 12

/* A number, or "-". */
static struct sm_cell number_of(const char *text)
{
	return (struct sm_cell){.number = strtoll(text, NULL, 10), .is_known = text[0] != '-'};
}

/* As a column of text or of numbers, what the field holds. */
static struct sm_cell cell_of(const struct sm_column *column, const char *text)
{
	switch (column->type) {
	case SM_COLUMN_TEXT: case SM_COLUMN_STATE: case SM_COLUMN_LIST:
		return sm_cell_text(text);
	case SM_COLUMN_NUMBER: case SM_COLUMN_MS: case SM_COLUMN_US: case SM_COLUMN_SHARE: case SM_COLUMN_FLAG:
		break;
	}
	return number_of(text);
}

/* ---- servers: the columns are the fields of daemon/nameservers.h */

static const struct sm_column server_columns[] = {
	{"SERVER", "server", SM_COLUMN_TEXT, false},   {"BY", "transport", SM_COLUMN_TEXT, false},
	{"STATE", "state", SM_COLUMN_STATE, false},    {"USUAL", "usual_ms", SM_COLUMN_US, false},
	{"ASKED", "asked", SM_COLUMN_NUMBER, false},   {"GOOD", "good", SM_COLUMN_NUMBER, false},
	{"FAILED", "failed", SM_COLUMN_NUMBER, false}, {"SILENT", "silent", SM_COLUMN_NUMBER, false},
	{"HEARD", "heard_ms", SM_COLUMN_MS, false},    {"NEXT", "next_ms", SM_COLUMN_MS, false},
	{"SINCE", "silent_since_ms", SM_COLUMN_MS, false}, {"DOMAINS", "domains", SM_COLUMN_LIST, true},
};
#define N_SERVER_COLUMNS (sizeof(server_columns) / sizeof(server_columns[0]))

static enum exit_code run_servers(const struct sm_call *call)
{
	struct sm_sheet *sheet = sm_sheet_open(server_columns, N_SERVER_COLUMNS);
	const char *fields[N_SERVER_COLUMNS];
	struct sm_cell cells[N_SERVER_COLUMNS];
	enum exit_code code;
	char *text = sm_talk_kind(SM_FRAME_SERVERS, &code), *rest = text;

	(void)call;
	while (rest && sm_talk_line(&rest, fields, N_SERVER_COLUMNS)) {
		for (size_t i = 0; i < N_SERVER_COLUMNS; i++)
			cells[i] = cell_of(&server_columns[i], fields[i]);
		sm_sheet_row(sheet, cells);
	}
	if (text && !sm_sheet_show(sheet))
		code = EXIT_NO;
	sm_sheet_close(sheet);
	free(text);
	return code;
}

const struct sm_command sm_command_servers = {
	"servers", "", "the DNS servers: which answer, and how fast", true, 0, 0, SM_COMPLETE_NOTHING, NULL, run_servers,
};

/* ---- health: the fields of daemon/targets.h in another order, what is down first */

enum { ENDPOINT, COUNT, NAME, STATE, SINCE, WHY, NEXT, N_FIELDS };

static const struct sm_column health_columns[] = {
	{"ENDPOINT", "endpoint", SM_COLUMN_TEXT, false}, {"STATE", "state", SM_COLUMN_STATE, false},
	{"SINCE", "since_ms", SM_COLUMN_MS, false},      {"WHY", "why", SM_COLUMN_TEXT, false},
	{"NEXT", "next_ms", SM_COLUMN_MS, false},        {"NAMES", NULL, SM_COLUMN_TEXT, true},
	{NULL, "name", SM_COLUMN_TEXT, false},           {NULL, "names", SM_COLUMN_NUMBER, false},
};
#define N_HEALTH_COLUMNS (sizeof(health_columns) / sizeof(health_columns[0]))

static int place_of(const char *state)
{
	return strcmp(state, "down") == 0 ? 0 : strcmp(state, "doubt") == 0 ? 1 : 2;
}

struct row {
	const char *fields[N_FIELDS];
};

static int by_state(const void *left, const void *right)
{
	const struct row *a = left, *b = right;
	int order = place_of(a->fields[STATE]) - place_of(b->fields[STATE]);

	return order ? order : strcmp(a->fields[ENDPOINT], b->fields[ENDPOINT]);
}

static void add_health(struct sm_sheet *sheet, const struct row *row)
{
	unsigned long n = strtoul(row->fields[COUNT], NULL, 10);
	char names[300];
	const struct sm_cell cells[N_HEALTH_COLUMNS] = {
		sm_cell_text(row->fields[ENDPOINT]), sm_cell_text(row->fields[STATE]), number_of(row->fields[SINCE]),
		sm_cell_text(row->fields[WHY]),      number_of(row->fields[NEXT]),     sm_cell_text(names),
		sm_cell_text(row->fields[NAME]),     sm_cell_number((int64_t)n),
	};

	snprintf(names, sizeof(names), n > 1 ? "%.255s and %lu more" : "%.255s", row->fields[NAME], n - 1);
	sm_sheet_row(sheet, cells);
}

static void fill_health(struct sm_sheet *sheet, char *text)
{
	size_t n = 0, most = 0;
	struct row *rows;

	for (const char *at = text; *at; at++)
		most += *at == '\n';
	rows = sm_memory(calloc(most + 1, sizeof(*rows)));
	while (n < most && sm_talk_line(&text, rows[n].fields, N_FIELDS))
		n++;
	qsort(rows, n, sizeof(rows[0]), by_state);
	for (size_t i = 0; i < n; i++)
		add_health(sheet, &rows[i]);
	free(rows);
}

static enum exit_code run_health(const struct sm_call *call)
{
	struct sm_sheet *sheet = sm_sheet_open(health_columns, N_HEALTH_COLUMNS);
	enum exit_code code;
	char *text = sm_talk_kind(SM_FRAME_HEALTH, &code);

	(void)call;
	if (text) {
		fill_health(sheet, text);
		if (sm_sheet_rows(sheet) == 0 && sm_terms.json == SM_TERMS_TEXT && !sm_terms.is_quiet)
			puts("no target is watched: health is off, or no name in use has several targets");
		else if (!sm_sheet_show(sheet))
			code = EXIT_NO;
	}
	sm_sheet_close(sheet);
	free(text);
	return fflush(stdout) == 0 ? code : EXIT_NO;
}

const struct sm_command sm_command_health = {
	"health", "", "the watched targets: which are down, and why", true, 0, 0, SM_COMPLETE_NOTHING, NULL, run_health,
};
