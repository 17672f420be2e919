/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/metadata.h"

#include "mesh/name.h"

#include <string.h>

static bool has_key(const uint8_t *string, size_t length, const struct sm_pair *pair)
{
	if (length < pair->key_length || (length > pair->key_length && string[pair->key_length] != '='))
		return false;
	for (size_t i = 0; i < pair->key_length; i++)
		if (sm_name_fold((char)string[i]) != pair->text[i])
			return false;
	return true;
}

/* The value behind the key, or, of a key alone, "true". */
static bool has_value(const uint8_t *string, size_t length, const struct sm_pair *pair)
{
	const char *value = pair->text + pair->key_length + 1;
	size_t value_length = pair->length - pair->key_length - 1U;

	if (length == pair->key_length)
		return value_length == 4 && memcmp(value, "true", 4) == 0;
	return length == pair->length && memcmp(string + pair->key_length + 1, value, value_length) == 0;
}

bool sm_metadata_has(const uint8_t *strings, size_t size, const struct sm_pair *pair)
{
	size_t at = 0;

	while (pair->is_known && at < size && strings[at] < size - at) {
		if (has_key(strings + at + 1, strings[at], pair))
			return has_value(strings + at + 1, strings[at], pair);
		at += 1U + strings[at];
	}
	return false;
}

size_t sm_metadata_whole(const uint8_t *strings, size_t size, size_t max)
{
	size_t at = 0;

	while (at < size && strings[at] < size - at && at + 1 + strings[at] <= max)
		at += 1U + strings[at];
	return at;
}
