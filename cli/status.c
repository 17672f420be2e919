/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh status: srvmeshd on one screen. */
#include "cli/commands.h"
#include "cli/memory.h"
#include "cli/sheet.h"
#include "cli/talk.h"
#include "cli/terms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LEAD 10
#define CELL 22
#define COLUMNS 3

enum { WATCH };

static const struct sm_option options[] = {
	{"watch", 'w', NULL, "again each second, until it is interrupted", SM_COMPLETE_NOTHING},
	{NULL, 0, NULL, NULL, SM_COMPLETE_NOTHING},
};

/* What stands beside what; figures of a newer srvmeshd come last. */
static const struct {
	const char *title, *keys;
} groups[] = {
	{"requests", " requests cached stale joined hopeless not_ours busy malformed hints clients_now bypassed "},
	{"jobs", " jobs failed cut changed renewed jobs_now "},
	{"targets", " probes watched_now down_now unwatched_now "},
	{"map", " entries entry_bytes file_bytes restored evicted commits write_failures "},
	{"shared", " shared_reads shared_hits shared_writes shared_dropped shared_lost shared_refused flushes_refused "},
	{"config", " config_errors "},
};
#define N_GROUPS (sizeof(groups) / sizeof(groups[0]))

static size_t group_of(const char *key)
{
	char word[64];
	size_t i = 0;

	snprintf(word, sizeof(word), " %s ", key);
	while (i < N_GROUPS && !strstr(groups[i].keys, word))
		i++;
	return i;
}

static bool is_number(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* The figures of a group, three in a line. */
static void print_group(const char *text, size_t group)
{
	char *copy = sm_memory(strdup(text)), *rest = copy, *line;
	int n = 0;

	while (rest && (line = strsep(&rest, "\n"))) {
		char *value = strchr(line, '=');
		int used;

		if (!value)
			continue;
		*value++ = '\0';
		if (!is_number(value) || strcmp(line, "uptime_s") == 0 || group_of(line) != group)
			continue;
		if (n % COLUMNS == 0)
			printf("%s  %-*s", n > 0 ? "\n" : "", LEAD,
			       n > 0 ? "" : group < N_GROUPS ? groups[group].title : "other");
		used = printf("%s %s", line, value);
		if (++n % COLUMNS != 0)
			printf("%*s", used < CELL ? CELL - used : 1, "");
	}
	if (n > 0)
		putchar('\n');
	free(copy);
}

static void print(const char *text)
{
	char version[32], uptime[24], shared[160], since[SM_SHEET_TIME_MAX];

	sm_talk_value(text, "version", version, sizeof(version));
	sm_talk_value(text, "uptime_s", uptime, sizeof(uptime));
	sm_talk_value(text, "shared", shared, sizeof(shared));
	sm_sheet_ms(strtoll(uptime, NULL, 10) * 1000, since);
	printf("srvmeshd %s, up for %s; shared store: %s\n", version, since, shared);
	for (size_t i = 0; i <= N_GROUPS; i++)
		print_group(text, i);
}

static void write_json(const char *text)
{
	struct sm_json json = sm_sheet_json();
	char *copy = sm_memory(strdup(text)), *rest = copy, *line;

	sm_json_begin_object(&json, NULL);
	while (rest && (line = strsep(&rest, "\n"))) {
		char *value = strchr(line, '=');

		if (!value)
			continue;
		*value++ = '\0';
		if (is_number(value))
			sm_json_number(&json, line, strtoll(value, NULL, 10));
		else
			sm_json_text(&json, line, value);
	}
	sm_json_end_object(&json);
	sm_json_end(&json);
	free(copy);
}

static enum exit_code show(bool clears)
{
	enum exit_code code;
	char *text = sm_talk_kind(SM_FRAME_STATUS, &code);

	if (!text)
		return code;
	if (clears && sm_terms.json == SM_TERMS_TEXT)
		fputs("\033[H\033[2J", stdout);
	if (sm_terms.json != SM_TERMS_TEXT)
		write_json(text);
	else if (!sm_terms.is_quiet)
		print(text);
	free(text);
	return fflush(stdout) == 0 ? code : EXIT_NO;
}

static enum exit_code run(const struct sm_call *call)
{
	const struct timespec second = {.tv_sec = 1};
	enum exit_code code = show(call->options[WATCH]);

	while (call->options[WATCH] && code == EXIT_GOOD && nanosleep(&second, NULL) == 0)
		code = show(true);
	return code;
}

const struct sm_command sm_command_status = {
	"status", "[--watch]", "srvmeshd on one screen", true, 0, 0, SM_COMPLETE_NOTHING, options, run,
};
