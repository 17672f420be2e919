/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh _complete WORD...: what may stand in the place of the last word, a line each, for the shells' completion. A line that
 * is only "@files" asks the shell for files. */
#include "cli/commands.h"
#include "cli/hostmap.h"
#include "cli/talk.h"

#include <stdio.h>
#include <string.h>

#define NAMES_MAX 500

static void offer(const char *text, const char *begin)
{
	if (strncmp(text, begin, strlen(begin)) == 0)
		puts(text);
}

static void offer_name(void *context, const struct sm_name *name, const void *record, size_t size)
{
	(void)record;
	(void)size;
	offer(name->text, context);
}

static void offer_names(const struct sm_conf *conf, const char *begin)
{
	struct sm_mapped mapped;

	for (uint32_t i = 0; i < conf->rules.n_rules; i++)
		if (conf->rules.rules[i].is_exact)
			offer(conf->rules.rules[i].name.text, begin);
	if (sm_hostmap_open(conf, &mapped) != SM_OK)
		return;
	sm_hostmap_each(&mapped, offer_name, (void *)begin, NAMES_MAX);
	sm_reader_unmap(&mapped);
}

static void offer_sections(const struct sm_conf *conf, const char *begin)
{
	for (uint32_t i = 0; i < conf->rules.n_rules; i++)
		offer(conf->rules.rules[i].name.text, begin);
}

/* The first word of a command, or the second one of those that have two. */
static void offer_commands(const char *first, const char *begin)
{
	char before[64] = "";

	for (size_t i = 0; sm_commands[i]; i++) {
		const char *name = sm_commands[i]->name, *blank = strchr(name, ' ');
		char word[64];

		if (name[0] == '_' || (first && (!blank || strncmp(name, first, strlen(first)) != 0 ||
		                                 name[strlen(first)] != ' ')))
			continue;
		snprintf(word, sizeof(word), "%.*s", first || !blank ? 60 : (int)(blank - name), first ? blank + 1 : name);
		if (strcmp(word, before) != 0)
			offer(word, begin);
		snprintf(before, sizeof(before), "%s", word);
	}
}

static void offer_options(const struct sm_option *options, const char *begin)
{
	for (; options && options->name; options++) {
		char word[64];

		snprintf(word, sizeof(word), "--%s%s", options->name, options->argument &&
		         options->argument[0] == '=' ? "=" : "");
		offer(word, begin);
	}
}

static void offer_operands(enum sm_completion what, const char *begin)
{
	static const char *const levels[] = {"error", "warning", "info", "debug"};
	struct sm_conf *conf;

	switch (what) {
	case SM_COMPLETE_NOTHING:
		return;
	case SM_COMPLETE_FILES:
		puts("@files");
		return;
	case SM_COMPLETE_COMMANDS:
		offer_commands(NULL, begin);
		return;
	case SM_COMPLETE_LEVELS:
		for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
			offer(levels[i], begin);
		return;
	case SM_COMPLETE_NAMES:
	case SM_COMPLETE_SECTIONS:
		break;
	}
	conf = sm_talk_conf();
	if (what == SM_COMPLETE_NAMES)
		offer_names(conf, begin);
	else
		offer_sections(conf, begin);
	sm_conf_free(conf);
}

static enum exit_code run(const struct sm_call *call)
{
	const char *begin = call->n_words > 0 ? call->words[call->n_words - 1] : "";
	const struct sm_command *command = NULL;
	int n_words = 0, n = call->n_words > 0 ? call->n_words - 1 : 0;

	if (n > 0)
		command = sm_command_find(call->words, n, &n_words);
	if (begin[0] == '-') {
		offer_options(command ? command->options : NULL, begin);
		offer_options(sm_common_options, begin);
	} else if (n == 0) {
		offer_commands(NULL, begin);
	} else if (command && (n_words < n || !strchr(command->name, ' ') || n_words == 2)) {
		offer_operands(command->completion, begin);
	} else {
		offer_commands(call->words[0], begin); /* the second word of those that have two */
	}
	return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_NO;
}

const struct sm_command sm_command_complete = {
	"_complete", "[WORD...]", "what may stand for the last word", false, 0, -1, SM_COMPLETE_NOTHING, NULL, run,
};
