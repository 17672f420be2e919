/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lines of an INI text: `[kind name]`, `key = value`, comments. Pure.
 *
 * We have our own parser because inih 55, as packaged, silently cuts section names at 49 and lines at 199 bytes, but a
 * service name may have 253. inih also takes an indented key as a continuation of the value above it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sm_ini {
	const char *at, *end;
	uint32_t line;
};

enum sm_ini_kind {
	SM_INI_END,
	SM_INI_SECTION, /* first: the kind, second: the name after it, or "" */
	SM_INI_KEY,     /* first: the key, second: the value, without its comment */
	SM_INI_OTHER,   /* neither; first: the line */
};

/* `first` and `second` are slices of the text, trimmed, not NUL-terminated. */
struct sm_ini_line {
	enum sm_ini_kind kind;
	uint32_t line; /* from 1 */
	const char *first, *second;
	size_t first_length, second_length;
};

struct sm_ini sm_ini_of(const char *text, size_t size);
/* The next line that is neither blank nor a comment (# or ; at the start, or after a blank). */
struct sm_ini_line sm_ini_next(struct sm_ini *ini);
