/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh monitor: what happens, as it happens. srvmesh log-level, reload, metrics: the other things that srvmeshd is told. */
#include "base/clock.h"
#include "base/scope.h"
#include "cli/commands.h"
#include "cli/sheet.h"
#include "cli/talk.h"
#include "cli/terms.h"
#include "mesh/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAMES_MAX 64
#define CONNECT_NS (5 * SM_NS_PER_S)
#define FIELDS_MAX 32

enum { LAST };

static const struct sm_option monitor_options[] = {
	{"last", 'n', "N", "begin with the last N events, at most 256", SM_COMPLETE_NOTHING},
	{NULL, 0, NULL, NULL, SM_COMPLETE_NOTHING},
};

/* Which names are of interest; none: all events. */
struct wanted {
	int n;
	char patterns[NAMES_MAX][SM_NAME_MAX + 1];
};

enum { TIME, KIND, LEVEL, EVENT, FIRST_PAIR };

static bool is_wanted(const struct wanted *wanted, char **fields, int n)
{
	struct sm_name name;

	for (int i = FIRST_PAIR; i + 1 < n; i += 2) {
		if (strcmp(fields[i], "name") != 0 || sm_name_parse(fields[i + 1], strlen(fields[i + 1]), &name) != SM_OK)
			continue;
		for (int k = 0; k < wanted->n; k++)
			if (sm_pattern_matches(wanted->patterns[k], &name))
				return true;
	}
	return wanted->n == 0;
}

static void write_value(struct sm_json *json, const char *key, const char *value)
{
	static const char *const lists[] = {"added", "removed"}, *const numbers[] = {"uid", "pid", "took_ms", "events",
	                                                                             "left_out"};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(key, numbers[i]) == 0) {
			if (value[0] == '-')
				sm_json_null(json, key);
			else
				sm_json_decimal(json, key, strtod(value, NULL));
			return;
		}
	if (strcmp(key, lists[0]) != 0 && strcmp(key, lists[1]) != 0) {
		sm_json_text(json, key, strcmp(value, "-") == 0 ? NULL : value);
		return;
	}
	sm_sheet_write_list(json, key, value);
}

/* One object a line, so that a stream can be read as it comes. */
static void write_event(char **fields, int n)
{
	struct sm_json json = sm_sheet_json();
	char moment[SM_SHEET_TIME_MAX];

	json.is_pretty = false;
	sm_sheet_moment(strtoll(fields[TIME], NULL, 10), moment);
	sm_json_begin_object(&json, NULL);
	sm_json_text(&json, "time", moment);
	sm_json_text(&json, "kind", fields[KIND]);
	sm_json_text(&json, "level", fields[LEVEL]);
	sm_json_text(&json, "event", fields[EVENT]);
	for (int i = FIRST_PAIR; i + 1 < n; i += 2)
		write_value(&json, fields[i], fields[i + 1]);
	sm_json_end_object(&json);
	sm_json_end(&json);
}

static void print_event(char **fields, int n)
{
	int64_t ms = strtoll(fields[TIME], NULL, 10);
	time_t seconds = (time_t)(ms / 1000);
	struct tm local;
	char clock[16];

	localtime_r(&seconds, &local);
	strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	printf("%s.%03d  %-7s  %s", clock, (int)(ms % 1000), fields[KIND], fields[EVENT]);
	for (int i = FIRST_PAIR; i + 1 < n; i += 2)
		printf("  %s=%s", fields[i], fields[i + 1]);
	putchar('\n');
}

static void tell(const struct wanted *wanted, char *line)
{
	char *fields[FIELDS_MAX], *field;
	int n = 0;

	while (n < FIELDS_MAX && (field = strsep(&line, "\t")))
		fields[n++] = field;
	if (n < FIRST_PAIR || !is_wanted(wanted, fields, n) || sm_terms.is_quiet)
		return;
	if (sm_terms.json != SM_TERMS_TEXT)
		write_event(fields, n);
	else
		print_event(fields, n);
}

static enum exit_code follow(const struct sm_conf *conf, const struct sm_request *request, const struct wanted *wanted)
{
	SM_SCOPE_CLOSE int fd = -1;
	struct sm_client_reply reply;
	struct sm_client_socket socket;
	enum sm_status status = sm_talk_socket(conf, &socket);

	if (status == SM_OK)
		status = sm_client_open_stream(&socket, request, sm_clock_now_ns() + CONNECT_NS, &fd);
	while (status == SM_OK || status == SM_SILENT) {
		status = sm_client_next(fd, INT64_MAX, &reply);
		if (status == SM_OK && reply.kind == SM_FRAME_EVENT) {
			char *line = strndup(reply.content, reply.size);

			if (line)
				tell(wanted, line);
			free(line);
		} else if (status == SM_OK) {
			fputs("srvmesh: srvmeshd is busy: others follow already\n", stderr);
			status = SM_FULL;
		}
		if (status == SM_OK || status == SM_FULL)
			free(reply.bytes);
		if (fflush(stdout) != 0)
			return EXIT_NO; /* nobody reads any more */
	}
	if (status == SM_INVALID)
		sm_talk_tell_distrust(conf);
	else if (status == SM_REFUSED)
		fprintf(stderr, "srvmesh: no srvmeshd answers at %s\n", conf->host.socket[0] ? conf->host.socket : "any socket");
	else if (status != SM_FULL)
		fputs("srvmesh: srvmeshd has ended\n", stderr);
	return EXIT_NO_DAEMON;
}

static bool read_wanted(const struct sm_call *call, struct wanted *ret)
{
	ret->n = 0;
	for (int i = 0; i < call->n_words; i++) {
		if (i == NAMES_MAX || sm_pattern_parse(call->words[i], strlen(call->words[i]), ret->patterns[i]) != SM_OK) {
			fprintf(stderr, "srvmesh: \"%s\" is neither a name nor a pattern of names such as *.mesh\n",
			        call->words[i]);
			return false;
		}
		ret->n++;
	}
	return true;
}

static enum exit_code run_monitor(const struct sm_call *call)
{
	struct sm_request request = {.format = SM_FORMAT, .kind = SM_FRAME_MONITOR, .level = SM_LEVEL_STAYS};
	static struct wanted wanted;
	struct sm_conf *conf;
	enum exit_code code;

	if (!read_wanted(call, &wanted))
		return EXIT_USAGE;
	if (call->options[LAST]) {
		char *end;
		unsigned long n = strtoul(call->options[LAST], &end, 10);

		if (*end != '\0' || call->options[LAST][0] == '\0' || call->options[LAST][0] == '-') {
			fprintf(stderr, "srvmesh: --last: \"%s\" is no number\n", call->options[LAST]);
			return EXIT_USAGE;
		}
		request.n_last = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
	}
	conf = sm_talk_conf();
	code = follow(conf, &request, &wanted);
	sm_conf_free(conf);
	return code;
}

const struct sm_command sm_command_monitor = {
	"monitor", "[NAME|GLOB...] [--last N]", "what happens, as it happens", true, 0, NAMES_MAX, SM_COMPLETE_NAMES,
	monitor_options, run_monitor,
};
