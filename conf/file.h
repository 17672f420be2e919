/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading small text files and listing drop-ins, without stdio, never waiting for a pipe or a device. */
#pragma once

#include "base/status.h"

#include <limits.h>
#include <stddef.h>

#define SM_FILE_MAX (1U << 20)
#define SM_DROPINS_MAX 64

/* The whole file, owned by the caller (free). SM_MISS: there is none. SM_FULL: above SM_FILE_MAX. SM_REFUSED: it is there
 * and cannot be read. SM_INVALID: it is not a regular file, nor
 * /dev/null, which is an empty one. SM_MEMORY: it is this process or this moment that lacks something (memory, a free
 * descriptor, a file being written): another time may be better. */
enum sm_status sm_file_read(const char *path, char **ret, size_t *ret_size) SM_MUST_CHECK;

struct sm_dropins {
	size_t n;
	char names[SM_DROPINS_MAX][NAME_MAX + 1];
};

/* The names of `*.conf` in a directory, in byte order; none when there is no directory. SM_FULL: there are more than
 * SM_DROPINS_MAX, and *ret has the first ones. SM_REFUSED: not readable. SM_MEMORY: as above. */
enum sm_status sm_file_dropins(const char *directory, struct sm_dropins *ret) SM_MUST_CHECK;
