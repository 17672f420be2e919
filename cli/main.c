/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh: the command for the administrator, because the plugin cannot report errors. This file reads the command line; what
 * there is stands in cli/table.c. */
#include "cli/commands.h"
#include "cli/sheet.h"
#include "cli/terms.h"

#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONG_MAX_OPTIONS 24
#define LETTERS_MAX 64
#define OWN_BASE 1000 /* values of a command's own options, by their place */

struct sm_terms sm_terms = {.has_legend = true};

enum { JSON, NO_LEGEND, COLOR, CONFIG, QUIET, HELP, RELEASE };

/* What getopt_long needs for the common options, and behind them those of a command. */
struct known {
	struct option options[LONG_MAX_OPTIONS + 1];
	char letters[LETTERS_MAX];
};

static int argument_kind(const struct sm_option *option)
{
	return !option->argument ? no_argument : option->argument[0] == '[' ? optional_argument : required_argument;
}

static void learn(const struct sm_option *options, int base, size_t *n, struct known *known)
{
	for (int i = 0; options && options[i].name && *n < LONG_MAX_OPTIONS; i++) {
		char letter[4] = {options[i].letter, options[i].argument && options[i].argument[0] != '[' ? ':' : '\0'};

		known->options[(*n)++] = (struct option){options[i].name, argument_kind(&options[i]), NULL, base + i};
		if (options[i].letter)
			strncat(known->letters, letter, LETTERS_MAX - strlen(known->letters) - 1);
	}
}

/* The place of the option that getopt_long has returned: of a long one its value; of a letter it is looked for. */
static int place_of(int code, const struct sm_command *command)
{
	if (code >= 256)
		return code - 256;
	for (int i = 0; sm_common_options[i].name; i++)
		if (sm_common_options[i].letter == code)
			return i;
	for (int i = 0; command && command->options && command->options[i].name; i++)
		if (command->options[i].letter == code)
			return OWN_BASE + i;
	return -1;
}

static bool read_json(const char *word)
{
	if (!word)
		sm_terms.json = isatty(STDOUT_FILENO) ? SM_TERMS_PRETTY : SM_TERMS_SHORT;
	else if (strcmp(word, "short") == 0)
		sm_terms.json = SM_TERMS_SHORT;
	else if (strcmp(word, "pretty") == 0)
		sm_terms.json = SM_TERMS_PRETTY;
	else if (strcmp(word, "off") == 0)
		sm_terms.json = SM_TERMS_TEXT;
	else
		return false;
	return true;
}

static bool read_color(const char *word)
{
	if (strcmp(word, "auto") != 0 && strcmp(word, "always") != 0 && strcmp(word, "never") != 0)
		return false;
	if (strcmp(word, "auto") != 0)
		sm_terms.has_color = word[0] == 'a';
	return true;
}

static bool complain(const char *option, const char *word, const char *expected)
{
	fprintf(stderr, "srvmesh: --%s: \"%s\" is not valid; expected %s\n", option, word, expected);
	return false;
}

/* false: the command line is wrong, or all is done. */
static bool take_common(int place, const struct sm_command *command)
{
	switch (place) {
	case JSON:
		return read_json(optarg) || complain("json", optarg, "short, pretty or off");
	case NO_LEGEND:
		sm_terms.has_legend = false;
		return true;
	case COLOR:
		return read_color(optarg) || complain("color", optarg, "auto, always or never");
	case CONFIG:
		return setenv("SRVMESH_CONF", optarg, 1) == 0;
	case QUIET:
		sm_terms.is_quiet = true;
		return true;
	case HELP:
		sm_command_help(command);
		exit(fflush(stdout) == 0 ? EXIT_GOOD : EXIT_NO);
	case RELEASE:
		puts("srvmesh " PACKAGE_VERSION);
		exit(EXIT_GOOD);
	}
	return false;
}

/* Reads options up to the first word that is none (`stops`), or all of them. */
static bool read_options(int argc, char **argv, const struct sm_command *command, struct sm_call *call)
{
	struct known known = {.letters = ""};
	size_t n = 0;
	int code;

	if (!command)
		strcpy(known.letters, "+");
	learn(sm_common_options, 256, &n, &known);
	learn(command ? command->options : NULL, 256 + OWN_BASE, &n, &known);
	while ((code = getopt_long(argc, argv, known.letters, known.options, NULL)) != -1) {
		int place = code == '?' ? -1 : place_of(code, command);

		if (place < 0)
			return false;
		if (place >= OWN_BASE)
			call->options[place - OWN_BASE] = optarg ? optarg : "";
		else if (!take_common(place, command))
			return false;
	}
	return true;
}

static enum exit_code explain_usage(const struct sm_command *command)
{
	if (command)
		fprintf(stderr, "usage: srvmesh %s %s\n       srvmesh help %s\n", command->name, command->words, command->name);
	else
		fputs("usage: srvmesh COMMAND [OPTIONS] ...\n       srvmesh help\n", stderr);
	return EXIT_USAGE;
}

/* Options in front of the name of the command, its name, then options and operands in any order; what is behind "--" is never an
 * option. The words that are to be completed are none of our options. */
static enum exit_code run(int argc, char **argv)
{
	struct sm_call call = {.n_words = 0};
	static char own_name[] = "srvmesh";
	const struct sm_command *command;
	int n_words;
	enum exit_code code;

	if (!read_options(argc, argv, NULL, &call))
		return explain_usage(NULL);
	if (optind == argc)
		return explain_usage(NULL);
	command = sm_command_find(argv + optind, argc - optind, &n_words);
	if (!command) {
		fprintf(stderr, "srvmesh: there is no command \"%s%s%s\"\n", argv[optind], argc - optind > 1 ? " " : "",
		        argc - optind > 1 ? argv[optind + 1] : "");
		return explain_usage(NULL);
	}
	argc -= optind + n_words - 1;
	argv += optind + n_words - 1;
	argv[0] = own_name; /* for the complaints of getopt */
	optind = command == &sm_command_complete ? 1 : 0;
	if (command != &sm_command_complete && !read_options(argc, argv, command, &call))
		return explain_usage(command);
	call.words = argv + optind;
	call.n_words = argc - optind;
	if (call.n_words < command->least || (command->most >= 0 && call.n_words > command->most))
		return explain_usage(command);
	code = command->run(&call);
	return code == EXIT_USAGE ? explain_usage(command) : code;
}

int main(int argc, char **argv)
{
	const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");

	setlocale(LC_CTYPE, "");
	sm_terms.has_color = isatty(STDOUT_FILENO) && !(no_color && no_color[0] != '\0') && terminal && strcmp(terminal,
	                                                                                                       "dumb") != 0;
	return run(argc, argv);
}
