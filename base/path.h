/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths, without stdio. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* "DIRECTORY/NAME". false: it needs more than `size` bytes; then *ret is "". */
static inline bool sm_path_join(const char *directory, const char *name, char *ret, size_t size)
{
	size_t length = strlen(directory), more = strlen(name);

	ret[0] = '\0';
	if (length >= size || more >= size - length - 1)
		return false;
	memcpy(ret, directory, length);
	ret[length] = '/';
	memcpy(ret + length + 1, name, more + 1);
	return true;
}
