/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* strspn and strcspn. libc has several versions of both: they would be bound in every process, and lie far from all else of libc
 * that its first lookup needs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* `set`: one to three characters, in full view of the compiler, which makes a comparison of each. */
static inline bool sm_is_one_of(char c, const char *set)
{
	return c && (c == set[0] || (set[1] && (c == set[1] || c == set[2])));
}

/* How many of the first characters are in `set`. */
static inline size_t sm_span(const char *text, const char *set)
{
	size_t n = 0;

	while (sm_is_one_of(text[n], set))
		n++;
	return n;
}

/* And how many are not. */
static inline size_t sm_span_without(const char *text, const char *set)
{
	size_t n = 0;

	while (text[n] && !sm_is_one_of(text[n], set))
		n++;
	return n;
}
