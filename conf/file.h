/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads small text files and lists drop-ins, without stdio, and never waits for a pipe or a device. */
#pragma once

#include "base/status.h"

#include <limits.h>
#include <stddef.h>
#include <sys/stat.h>

#define SM_FILE_MAX (1U << 20)
#define SM_DROPINS_MAX 64

/* The whole file, owned by the caller (free). SM_MISS: there is none. SM_FULL: larger than SM_FILE_MAX. SM_REFUSED: it
 * exists but cannot be read. SM_INVALID: it is neither a regular file nor /dev/null, which counts as an empty file.
 * SM_EXHAUSTED: something is lacking in this process or at the moment (memory, a free descriptor, or the file is being
 * written): a later try may succeed. */
enum sm_status sm_file_read(const char *path, char **ret, size_t *ret_size) SM_MUST_CHECK;
/* The same, and what the file was before it was read; all zero where it could not be opened. */
enum sm_status sm_file_read_with_stat(const char *path, struct stat *ret_stat, char **ret, size_t *ret_size) SM_MUST_CHECK;

struct sm_dropins {
	size_t n;
	char (*names)[NAME_MAX + 1]; /* the caller's to free, whatever was returned; NULL: there are none */
};

/* The names of `*.conf` in a directory, in byte order; none if the directory does not exist. SM_FULL: there are more
 * than SM_DROPINS_MAX, and *ret has the first ones. SM_REFUSED: not readable. SM_EXHAUSTED: as above. *ret_stat is what the
 * directory was before it was read; all zero where it could not be opened. */
enum sm_status sm_file_dropins(const char *directory, struct stat *ret_stat, struct sm_dropins *ret) SM_MUST_CHECK;
