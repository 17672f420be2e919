/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Has a file changed since it was read? One stat a file, no descriptor, no thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#define SM_WATCH_PATH_MAX 256
#define SM_WATCH_FILES_MAX 68 /* the file, its directory of drop-ins, 64 drop-ins, resolv.conf, gai.conf */

struct sm_watch {
	size_t n;
	/* "/" as it was: after a chroot the same paths are other files, and the configuration stays what it was */
	dev_t root_device;
	ino_t root_inode;
	struct {
		char path[SM_WATCH_PATH_MAX];
		dev_t device; /* all zero: the file was not there */
		ino_t inode;
		off_t size;
		struct timespec modified, changed;
	} files[SM_WATCH_FILES_MAX];
};

/* Notes the file as it is now, there or not. Call it before reading: a change in between is then seen next time. More
 * files than SM_WATCH_FILES_MAX, or longer paths, are not watched. */
void sm_watch_add(struct sm_watch *watch, const char *path);
bool sm_watch_has_changed(const struct sm_watch *watch);
