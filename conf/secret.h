/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of secrets, which the configuration names: keys, passwords. Only srvmeshd and the command read them, never a process
 * that looks up names. */
#pragma once

#include "base/status.h"
#include "conf/keys.h"

#include <stddef.h>
#include <sys/types.h>

#define SM_SECRET_KEY_SIZE 32
#define SM_SECRET_MAX 512

/* Whose files they may be, besides root's: srvmeshd's. */
struct sm_secret_reader {
	uid_t uid;
	gid_t gid;
};

/* A file of secrets is regular, belongs to root or to the reader, and nobody else can read or write it: at most mode 0640, and
 * then of root's group or the reader's. SM_REFUSED: this process may not read it. SM_FULL, SM_INVALID: it is no such file. Where
 * the status is not SM_OK, *why says it, to follow the path. */

/* A key of SM_SECRET_KEY_SIZE bytes. */
enum sm_status sm_secret_key(const char *path, const struct sm_secret_reader *reader, uint8_t ret[SM_SECRET_KEY_SIZE],
                             const char **why) SM_MUST_CHECK;
/* The first line of a file, as text. */
enum sm_status sm_secret_text(const char *path, const struct sm_secret_reader *reader, char ret[SM_SECRET_MAX + 1],
                              const char **why) SM_MUST_CHECK;
