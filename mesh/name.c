/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domain names: parsing, and the suffix test, which every lookup runs, also for names that are not ours. */
#include "mesh/name.h"

#include <string.h>

#define LETTER(upper, lower) [upper] = lower, [lower] = lower
const char sm_name_folded[256] = {
	LETTER('A', 'a'), LETTER('B', 'b'), LETTER('C', 'c'), LETTER('D', 'd'), LETTER('E', 'e'), LETTER('F', 'f'),
	LETTER('G', 'g'), LETTER('H', 'h'), LETTER('I', 'i'), LETTER('J', 'j'), LETTER('K', 'k'), LETTER('L', 'l'),
	LETTER('M', 'm'), LETTER('N', 'n'), LETTER('O', 'o'), LETTER('P', 'p'), LETTER('Q', 'q'), LETTER('R', 'r'),
	LETTER('S', 's'), LETTER('T', 't'), LETTER('U', 'u'), LETTER('V', 'v'), LETTER('W', 'w'), LETTER('X', 'x'),
	LETTER('Y', 'y'), LETTER('Z', 'z'), ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',
	['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['-'] = '-', ['_'] = '_', ['.'] = '.',
};

enum sm_status sm_name_parse(const char *text, size_t length, struct sm_name *ret)
{
	struct sm_name name;
	size_t label = 0;

	if (length > 0 && text[length - 1] == '.')
		length--;
	if (length == 0 || length > SM_NAME_MAX)
		return SM_INVALID;
	for (size_t i = 0; i < length; i++) {
		char c = sm_name_folded[(uint8_t)text[i]];

		name.text[i] = c;
		if (c == '.' ? label == 0 : !c || label == SM_LABEL_MAX)
			return SM_INVALID;
		label = c == '.' ? 0 : label + 1;
	}
	if (label == 0)
		return SM_INVALID;
	name.text[length] = '\0';
	name.length = (uint8_t)length;
	memcpy(ret->text, name.text, length + 1);
	ret->length = name.length;
	return SM_OK;
}

bool sm_name_under(const char *text, size_t length, const struct sm_name *suffix)
{
	const char *tail;

	if (length > 0 && text[length - 1] == '.')
		length--;
	if (length < suffix->length)
		return false;
	tail = text + length - suffix->length;
	for (size_t i = suffix->length; i > 0; i--)
		if (sm_name_fold(tail[i - 1]) != suffix->text[i - 1])
			return false;
	return tail == text || tail[-1] == '.';
}

uint32_t sm_name_hash(const char *text)
{
	uint32_t hash = 2166136261U;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619U;
	return hash;
}

bool sm_name_is_srv_owner(const struct sm_name *name)
{
	const char *dot = strchr(name->text, '.');
	const char *second = dot ? strchr(dot + 1, '.') : NULL;

	return name->text[0] == '_' && second && dot[1] == '_';
}
