/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of commands, and what is made of it: help and completion. */
#include "cli/commands.h"
#include "cli/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELP_COLUMN 33
#define NAME_LENGTH_MAX 64

const struct sm_command *const sm_commands[] = {
	&sm_command_lookup,     &sm_command_explain,     &sm_command_run,         &sm_command_compare,  &sm_command_who,
	&sm_command_cache_list, &sm_command_cache_show,  &sm_command_cache_flush, &sm_command_servers,  &sm_command_health,
	&sm_command_status,     &sm_command_monitor,     &sm_command_metrics,     &sm_command_doctor,
	&sm_command_check_config,
	&sm_command_show_config, &sm_command_reload,     &sm_command_log_level,   &sm_command_disable,  &sm_command_enable,
	&sm_command_shared_key, &sm_command_help_of,     &sm_command_complete,    NULL,
};

const struct sm_option sm_common_options[] = {
	{"json", 'j', "[=short|pretty|off]", "print JSON", SM_COMPLETE_NOTHING},
	{"no-legend", 0, NULL, "without headings and notes", SM_COMPLETE_NOTHING},
	{"color", 0, "=auto|always|never", "colour on words of state", SM_COMPLETE_NOTHING},
	{"config", 0, "=FILE", "instead of the files of this host", SM_COMPLETE_FILES},
	{"quiet", 'q', NULL, "print nothing but errors", SM_COMPLETE_NOTHING},
	{"help", 'h', NULL, "print this", SM_COMPLETE_NOTHING},
	{"version", 'V', NULL, "print the release", SM_COMPLETE_NOTHING},
	{NULL, 0, NULL, NULL, SM_COMPLETE_NOTHING},
};

/* How many of the words are the command's name; 0: it is another one. */
static int name_length(const struct sm_command *command, char *const *words, int n)
{
	char both[NAME_LENGTH_MAX];

	if (n > 0 && strcmp(command->name, words[0]) == 0)
		return 1;
	if (n < 2 || (size_t)snprintf(both, sizeof(both), "%s %s", words[0], words[1]) >= sizeof(both))
		return 0;
	return strcmp(command->name, both) == 0 ? 2 : 0;
}

const struct sm_command *sm_command_find(char *const *words, int n, int *ret_n_words)
{
	for (size_t i = 0; sm_commands[i]; i++) {
		*ret_n_words = name_length(sm_commands[i], words, n);
		if (*ret_n_words > 0)
			return sm_commands[i];
	}
	*ret_n_words = 1;
	return strcmp(words[0], "cache") == 0 && (n == 1 || words[1][0] == '-') ? &sm_command_cache_list : NULL;
}

/* ---- help */

static bool is_told(const struct sm_command *command)
{
	return command->name[0] != '_';
}

/* "  left part        help", the help on a line of its own where the left part is long. */
static void print_entry(const char *left, const char *help)
{
	if (strlen(left) + 4 > HELP_COLUMN)
		printf("  %s\n%*s%s\n", left, HELP_COLUMN, "", help);
	else
		printf("  %-*s%s\n", HELP_COLUMN - 2, left, help);
}

static void print_options(const struct sm_option *options)
{
	for (const struct sm_option *option = options; option && option->name; option++) {
		char left[128], letter[8] = "";

		if (option->letter)
			snprintf(letter, sizeof(letter), "-%c, ", option->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, option->name,
		         option->argument && strchr("[=", option->argument[0]) == NULL ? " " : "",
		         option->argument ? option->argument : "");
		print_entry(left, option->help);
	}
}

static void help_of_all(void)
{
	puts("usage: srvmesh COMMAND [OPTIONS] ...\n");
	for (size_t i = 0; sm_commands[i]; i++) {
		char left[128];

		if (!is_told(sm_commands[i]))
			continue;
		snprintf(left, sizeof(left), "%s %s", sm_commands[i]->name, sm_commands[i]->words);
		print_entry(left, sm_commands[i]->help);
	}
	puts("\nEvery command takes:");
	print_options(sm_common_options);
	puts("\nExit: 0 yes, 1 no, 2 usage, 3 no srvmeshd, 4 try again.  More: srvmesh(1)");
}

void sm_command_help(const struct sm_command *command)
{
	if (!command) {
		help_of_all();
		return;
	}
	printf("usage: srvmesh %s %s\n\n  %s\n", command->name, command->words, command->help);
	if (command->needs_daemon)
		puts("  It asks srvmeshd.");
	if (command->options)
		putchar('\n');
	print_options(command->options);
	puts("\nEvery command takes:");
	print_options(sm_common_options);
}

static enum exit_code run_help(const struct sm_call *call)
{
	const struct sm_command *command = NULL;
	int n;

	if (call->n_words > 0)
		command = sm_command_find(call->words, call->n_words, &n);
	if (call->n_words > 0 && !command) {
		fprintf(stderr, "srvmesh: there is no command \"%s\"\n", call->words[0]);
		return EXIT_USAGE;
	}
	sm_command_help(command);
	return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_NO;
}

const struct sm_command sm_command_help_of = {
	"help", "[COMMAND]", "what there is, or what COMMAND takes", false, 0, 2, SM_COMPLETE_COMMANDS, NULL, run_help,
};
