/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/pattern.h"

enum sm_status sm_pattern_parse(const char *text, size_t length, char ret[SM_NAME_MAX + 1])
{
	char pattern[SM_NAME_MAX + 1];

	if (length > 1 && text[length - 1] == '.')
		length--;
	if (length == 0 || length > SM_NAME_MAX)
		return SM_INVALID;
	for (size_t i = 0; i < length; i++) {
		pattern[i] = sm_name_fold(text[i]);
		if (pattern[i] != '.' && pattern[i] != '*' && pattern[i] != '?' && !sm_name_allows(pattern[i]))
			return SM_INVALID;
	}
	for (size_t i = 0; i < length; i++)
		ret[i] = pattern[i];
	ret[length] = '\0';
	return SM_OK;
}

/* Where the text does not go on as the pattern says, the last `*` takes one character more. An earlier one need not: what it
 * could take, the last one can. */
bool sm_pattern_matches(const char *pattern, const struct sm_name *name)
{
	const char *text = name->text, *star = NULL, *taken = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			taken = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++taken;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
