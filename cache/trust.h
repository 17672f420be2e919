/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who could have put the host map there? Nobody but the owner of its directory, and root. */
#pragma once

#include "base/status.h"

#include <stdbool.h>
#include <sys/stat.h>

/* `path` is absolute, at most SM_MAP_PATH_MAX bytes. Good is a directory that its owner alone can write, and above it, but
 * for / itself, directories of root (or, where `or_mine`, of this process's user) that only their owner can write, or that
 * are sticky; right below a sticky one the directory has to be root's, or mine, itself. No symbolic links among them.
 * SM_OK: *ret is the directory. SM_MISS: there is none. SM_REFUSED: not to be trusted. */
enum sm_status sm_trust_directory(const char *path, bool or_mine, struct stat *ret) SM_MUST_CHECK;

/* Is `file` a regular file of the directory's owner, which nobody else can write? */
bool sm_trust_file(const struct stat *directory, const struct stat *file);
