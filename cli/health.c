/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/health.h"

#include "base/scope.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum column { ENDPOINT, COUNT, NAME, STATE, SINCE, WHY, NEXT, N_COLUMNS };

struct row {
	const char *fields[N_COLUMNS];
	char since[32], next[32];
	char names[300];
};

/* "3 s", "5 min", "2 h", "4 d" */
static void write_time(const char *ms, char text[32])
{
	static const struct {
		long long ms;
		const char *unit;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
	long long value = strtoll(ms, NULL, 10);
	size_t i = 0;

	while (i < 3 && value < 2 * units[i].ms)
		i++;
	snprintf(text, 32, strcmp(ms, "-") == 0 ? "-" : "%lld %s", value / units[i].ms, units[i].unit);
}

/* Splits a line in place. false: it has other fields than we know. */
static bool read_row(char *line, struct row *ret)
{
	int n = 0;

	for (char *field = line; field && n < N_COLUMNS; n++) {
		char *tab = strchr(field, '\t');

		ret->fields[n] = field;
		if (tab)
			*tab++ = '\0';
		field = tab;
	}
	if (n < N_COLUMNS)
		return false;
	write_time(ret->fields[SINCE], ret->since);
	write_time(ret->fields[NEXT], ret->next);
	snprintf(ret->names, sizeof(ret->names), strtoul(ret->fields[COUNT], NULL, 10) > 1 ? "%.255s and %lu more" : "%.255s",
	         ret->fields[NAME], strtoul(ret->fields[COUNT], NULL, 10) - 1);
	return true;
}

static int place_of(const char *state)
{
	return strcmp(state, "down") == 0 ? 0 : strcmp(state, "doubt") == 0 ? 1 : 2;
}

static int by_state(const void *left, const void *right)
{
	const struct row *a = left, *b = right;
	int order = place_of(a->fields[STATE]) - place_of(b->fields[STATE]);

	return order ? order : strcmp(a->fields[ENDPOINT], b->fields[ENDPOINT]);
}

static int widest(int width, const char *text)
{
	return (int)strlen(text) > width ? (int)strlen(text) : width;
}

static void print_rows(const struct row *rows, size_t n)
{
	int endpoint = widest(0, "ENDPOINT"), why = widest(0, "WHY");

	for (size_t i = 0; i < n; i++) {
		endpoint = widest(endpoint, rows[i].fields[ENDPOINT]);
		why = widest(why, rows[i].fields[WHY]);
	}
	printf("%-*s  STATE  %8s  %-*s  %8s  NAMES\n", endpoint, "ENDPOINT", "SINCE", why, "WHY", "NEXT");
	for (size_t i = 0; i < n; i++)
		printf("%-*s  %-5s  %8s  %-*s  %8s  %s\n", endpoint, rows[i].fields[ENDPOINT], rows[i].fields[STATE],
		       rows[i].since, why, rows[i].fields[WHY], rows[i].next, rows[i].names);
}

enum exit_code sm_health_print(const char *text, size_t size)
{
	SM_SCOPE_FREE char *copy = strndup(text, size);
	SM_SCOPE_FREE struct row *rows = NULL;
	size_t n = 0, most = 0;

	for (const char *at = copy; at && *at; at++)
		most += *at == '\n';
	rows = calloc(most + 1, sizeof(*rows));
	if (!copy || !rows)
		return EXIT_NO;
	for (char *at = copy, *line; n < most && (line = strsep(&at, "\n"));)
		n += read_row(line, &rows[n]);
	if (n == 0) {
		puts("no target is watched: health is off, or no name in use has several targets");
		return EXIT_GOOD;
	}
	qsort(rows, n, sizeof(rows[0]), by_state);
	print_rows(rows, n);
	return EXIT_GOOD;
}
