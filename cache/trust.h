/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks that only the owner of its directory, or root, can have placed the host map, or srvmeshd's socket, there. */
#pragma once

#include "base/status.h"
#include "cache/map.h"

#include <stdbool.h>
#include <sys/stat.h>

/* `path` is absolute, at most SM_MAP_PATH_MAX bytes. Only the owner of the directory may be able to write to it.
 * Every directory above it, except /, must belong to root (or, with `or_mine`, to this process's user), and only its
 * owner may be able to write to it, or it is sticky. Directly below a sticky one the directory itself must belong to
 * root (or, with `or_mine`, to this process's user). No component is a symbolic link. SM_OK: *ret is the directory.
 * SM_MISS: there is none. SM_REFUSED: it cannot be trusted. */
enum sm_status sm_trust_directory(const char *path, bool or_mine, struct stat *ret) SM_MUST_CHECK;

/* The directory that the absolute path lies in. SM_REFUSED: that is /, or too long. */
enum sm_status sm_trust_parent(const char *path, char ret[SM_MAP_PATH_MAX]) SM_MUST_CHECK;
/* Whose socket is the one with this absolute path? Its directory is trusted as above; *ret is the directory's owner. Whoever
 * listens there must be that user, or root. */
enum sm_status sm_trust_socket(const char *path, bool or_mine, uid_t *ret) SM_MUST_CHECK;

/* Is `file` a regular file that belongs to the directory's owner, and that no other user can write? */
bool sm_trust_file(const struct stat *directory, const struct stat *file);
