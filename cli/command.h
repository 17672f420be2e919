/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands, in one table: usage, help, completion and the manual's test are made from it. */
#pragma once

#include "cli/exit.h"

#include <stdbool.h>
#include <stddef.h>

#define SM_OPTIONS_MAX 8

/* What may complete an operand or an option's argument. */
enum sm_completion { SM_COMPLETE_NOTHING, SM_COMPLETE_NAMES, SM_COMPLETE_FILES, SM_COMPLETE_SECTIONS, SM_COMPLETE_LEVELS,
                     SM_COMPLETE_COMMANDS };

struct sm_option {
	const char *name;     /* behind "--"; NULL after the last */
	char letter;          /* 0: none */
	const char *argument; /* NULL: it takes none */
	const char *help;
	enum sm_completion completion;
};

/* One command line, read. */
struct sm_call {
	int n_words; /* operands */
	char **words;
	const char *options[SM_OPTIONS_MAX]; /* by their place in the command's table; NULL: not given; "" without argument */
};

struct sm_command {
	const char *name;  /* one word or two */
	const char *words; /* what may follow, as usage says it */
	const char *help;  /* what it does, in a line */
	bool needs_daemon;
	int least, most;   /* operands; most -1: any number */
	enum sm_completion completion; /* of operands */
	const struct sm_option *options; /* NULL: none */
	enum exit_code (*run)(const struct sm_call *call); /* EXIT_USAGE: the usage is printed */
};

/* The table, NULL after the last; commands whose name begins with '_' are for scripts, and not told of. */
extern const struct sm_command *const sm_commands[];
/* Options that every command takes. */
extern const struct sm_option sm_common_options[];

/* The command that the words name; *ret_n_words is how many of them are its name. NULL: none. */
const struct sm_command *sm_command_find(char *const *words, int n, int *ret_n_words);
/* Prints the help of a command, or of all (NULL). */
void sm_command_help(const struct sm_command *command);
