/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Slices INI lines. Ignores indentation; accepts CRLF and a byte-order mark. */
#include "conf/ini.h"

#include <stdbool.h>
#include <string.h>

struct slice {
	const char *at, *end;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trimmed(struct slice slice)
{
	while (slice.at < slice.end && is_blank(*slice.at))
		slice.at++;
	while (slice.at < slice.end && is_blank(slice.end[-1]))
		slice.end--;
	return slice;
}

static struct slice without_comment(struct slice slice)
{
	for (const char *c = slice.at; c < slice.end; c++)
		if ((*c == '#' || *c == ';') && (c == slice.at || is_blank(c[-1])))
			slice.end = c;
	return slice;
}

struct sm_ini sm_ini_of(const char *text, size_t size)
{
	struct sm_ini ini = {.at = text, .end = text + size};

	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		ini.at += 3;
	return ini;
}

static struct slice next_line(struct sm_ini *ini)
{
	const char *newline = memchr(ini->at, '\n', (size_t)(ini->end - ini->at));
	struct slice line = {.at = ini->at, .end = newline ? newline : ini->end};

	ini->at = newline ? newline + 1 : ini->end;
	ini->line++;
	return trimmed(without_comment(line));
}

static struct sm_ini_line line_of(enum sm_ini_kind kind, uint32_t number, struct slice first, struct slice second)
{
	first = trimmed(first);
	second = trimmed(second);
	return (struct sm_ini_line){
		.kind = kind,
		.line = number,
		.first = first.at,
		.first_length = (size_t)(first.end - first.at),
		.second = second.at,
		.second_length = (size_t)(second.end - second.at),
	};
}

static struct sm_ini_line section_of(struct slice line, uint32_t number)
{
	struct slice inner = trimmed((struct slice){.at = line.at + 1, .end = line.end - 1});
	const char *gap = inner.at;

	while (gap < inner.end && !is_blank(*gap))
		gap++;
	return line_of(SM_INI_SECTION, number, (struct slice){inner.at, gap}, (struct slice){gap, inner.end});
}

struct sm_ini_line sm_ini_next(struct sm_ini *ini)
{
	while (ini->at < ini->end) {
		struct slice line = next_line(ini);
		const char *equals;

		if (line.at == line.end)
			continue;
		if (*line.at == '[' && line.end[-1] == ']')
			return section_of(line, ini->line);
		equals = memchr(line.at, '=', (size_t)(line.end - line.at));
		if (equals && equals > line.at && *line.at != '[')
			return line_of(SM_INI_KEY, ini->line, (struct slice){line.at, equals},
			               (struct slice){equals + 1, line.end});
		return line_of(SM_INI_OTHER, ini->line, line, (struct slice){line.end, line.end});
	}
	return (struct sm_ini_line){.kind = SM_INI_END, .line = ini->line};
}
