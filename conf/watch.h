/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Has a file changed since it was read, and is the change complete? One stat for each file, no descriptor, no
 * thread.
 *
 * Many tools rewrite a file in place, or remove it for a moment. So a file that vanished or became empty has two
 * seconds to come back, and a file written within the last 200 ms counts as incomplete. */
#pragma once

#include "base/status.h"
#include "conf/file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define SM_WATCH_PATH_MAX 256

/* One file as it was. */
struct sm_file_seen {
	struct sm_file_seen *before; /* the one that was added before it; NULL: it is the first */
	bool is_unread; /* it exists, but cannot be read */
	dev_t device;   /* all zero: the file was not there */
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
	char path[];
};

struct sm_watch {
	struct sm_file_seen *last; /* the one that was added last; NULL: there is none */
	bool is_incomplete;      /* there was no memory for one */
	/* "/" at the time of reading: after a chroot the same paths are other files, and the configuration then
	 * stays */
	dev_t root_device;
	ino_t root_inode;
	int64_t unsettled_ns; /* since when there is a change that may be incomplete; 0: there is none */
};

enum sm_watch_state {
	SM_WATCH_SAME,
	SM_WATCH_CHANGED,
	SM_WATCH_FRESH,  /* changed within the last 200 ms: look again */
	SM_WATCH_FADING, /* gone or empty for less than 2 s: look again */
};

void sm_watch_begin(struct sm_watch *watch);
void sm_watch_end(struct sm_watch *watch);
/* Records the file as it was before it is read, also if it does not exist, and reads it (conf/file.h): a change in between is
 * seen next time. If it cannot be opened, it counts as changed as soon as it can be. Paths that are too long are not watched;
 * without memory, see is_incomplete. */
enum sm_status sm_watch_read(struct sm_watch *watch, const char *path, char **ret, size_t *ret_size) SM_MUST_CHECK;
/* The same for a directory of drop-ins, which it lists. */
enum sm_status sm_watch_dropins(struct sm_watch *watch, const char *directory, struct sm_dropins *ret) SM_MUST_CHECK;
/* A file on which stat fails (other than with ENOENT) counts as unchanged. `now_ns`: sm_clock_now_ns. */
enum sm_watch_state sm_watch_look(struct sm_watch *watch, int64_t now_ns);
