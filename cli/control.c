/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh metrics, log-level, reload. */
#include "cli/commands.h"
#include "cli/sheet.h"
#include "cli/talk.h"
#include "cli/terms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- metrics */

enum { OPENMETRICS };

static const struct sm_option metrics_options[] = {
	{"openmetrics", 0, NULL, "as OpenMetrics, not in the older format", SM_COMPLETE_NOTHING},
	{NULL, 0, NULL, NULL, SM_COMPLETE_NOTHING},
};

static enum exit_code run_metrics(const struct sm_call *call)
{
	enum exit_code code;
	char *text = sm_talk_kind(call->options[OPENMETRICS] ? SM_FRAME_OPENMETRICS : SM_FRAME_METRICS, &code);

	if (text && !sm_terms.is_quiet)
		fputs(text, stdout);
	free(text);
	return fflush(stdout) == 0 ? code : EXIT_NO;
}

const struct sm_command sm_command_metrics = {
	"metrics", "[--openmetrics]", "counters and times for Prometheus", true, 0, 0, SM_COMPLETE_NOTHING,
	metrics_options, run_metrics,
};

/* ---- what changes srvmeshd */

/* Prints the value of `key` behind `lead`, or the error that the text has. */
static enum exit_code tell_value(const char *text, const char *key, const char *lead)
{
	char error[128], value[64];
	struct sm_json json = sm_sheet_json();

	sm_talk_value(text, "error", error, sizeof(error));
	sm_talk_value(text, key, value, sizeof(value));
	if (error[0] != '\0') {
		fprintf(stderr, "srvmesh: %s\n", error);
		return EXIT_NO;
	}
	if (sm_terms.json != SM_TERMS_TEXT) {
		sm_json_begin_object(&json, NULL);
		if (value[0] >= '0' && value[0] <= '9')
			sm_json_number(&json, key, strtoll(value, NULL, 10));
		else
			sm_json_text(&json, key, value);
		sm_json_end_object(&json);
		sm_json_end(&json);
	} else if (!sm_terms.is_quiet) {
		printf("%s%s\n", lead, value);
	}
	return EXIT_GOOD;
}

static enum exit_code run_log_level(const struct sm_call *call)
{
	static const char *const words[] = {"error", "warning", "info", "debug"};
	struct sm_request request = {.format = SM_FORMAT, .kind = SM_FRAME_LOG_LEVEL, .level = SM_LEVEL_STAYS};
	enum exit_code code;
	char *text;

	for (uint8_t i = 0; call->n_words > 0 && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(call->words[0], words[i]) == 0)
			request.level = i;
	if (call->n_words > 0 && request.level == SM_LEVEL_STAYS) {
		fprintf(stderr, "srvmesh: \"%s\" is no level; expected error, warning, info or debug\n", call->words[0]);
		return EXIT_USAGE;
	}
	text = sm_talk_request(&request, &code);
	if (text)
		code = tell_value(text, "level", "");
	free(text);
	return fflush(stdout) == 0 ? code : EXIT_NO;
}

const struct sm_command sm_command_log_level = {
	"log-level", "[error|warning|info|debug]", "what srvmeshd logs, until its next reload", true, 0, 1,
	SM_COMPLETE_LEVELS, NULL, run_log_level,
};

static enum exit_code run_reload(const struct sm_call *call)
{
	enum exit_code code;
	char errors[16], *text = sm_talk_kind(SM_FRAME_RELOAD, &code);

	(void)call;
	if (text) {
		code = tell_value(text, "errors", "reloaded; errors: ");
		sm_talk_value(text, "errors", errors, sizeof(errors));
		if (code == EXIT_GOOD && strcmp(errors, "0") != 0) {
			fputs("srvmesh: the configuration has errors: srvmesh check-config names them\n", stderr);
			code = EXIT_NO;
		}
	}
	free(text);
	return fflush(stdout) == 0 ? code : EXIT_NO;
}

const struct sm_command sm_command_reload = {
	"reload", "", "have srvmeshd read its configuration now", true, 0, 0, SM_COMPLETE_NOTHING, NULL, run_reload,
};
