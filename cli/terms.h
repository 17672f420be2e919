/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the user wants to be answered: the options that every command takes. Set once, by main.c, before a command runs. */
#pragma once

#include <stdbool.h>

enum sm_terms_json { SM_TERMS_TEXT, SM_TERMS_SHORT, SM_TERMS_PRETTY };

struct sm_terms {
	enum sm_terms_json json;
	bool has_legend; /* headings, and lines that explain */
	bool has_color;
	bool is_quiet;   /* nothing but the exit code, and errors */
};

extern struct sm_terms sm_terms;
