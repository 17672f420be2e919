/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Watching files by their stat data. */
#include "conf/watch.h"

#include <string.h>
#include <sys/stat.h>

static struct stat stat_of(const char *path)
{
	struct stat found;

	if (stat(path, &found) != 0)
		memset(&found, 0, sizeof(found));
	return found;
}

void sm_watch_add(struct sm_watch *watch, const char *path)
{
	size_t length = strlen(path);
	struct stat now;

	if (watch->n == SM_WATCH_FILES_MAX || length >= SM_WATCH_PATH_MAX)
		return;
	if (watch->n == 0) {
		now = stat_of("/");
		watch->root_device = now.st_dev;
		watch->root_inode = now.st_ino;
	}
	now = stat_of(path);
	memcpy(watch->files[watch->n].path, path, length + 1);
	watch->files[watch->n].device = now.st_dev;
	watch->files[watch->n].inode = now.st_ino;
	watch->files[watch->n].size = now.st_size;
	watch->files[watch->n].modified = now.st_mtim;
	watch->files[watch->n].changed = now.st_ctim;
	watch->n++;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool sm_watch_has_changed(const struct sm_watch *watch)
{
	struct stat root = stat_of("/");

	if (root.st_dev != watch->root_device || root.st_ino != watch->root_inode)
		return false;
	for (size_t i = 0; i < watch->n; i++) {
		struct stat now = stat_of(watch->files[i].path);

		if (now.st_dev != watch->files[i].device || now.st_ino != watch->files[i].inode)
			return true;
		if (now.st_size != watch->files[i].size || !same_time(now.st_mtim, watch->files[i].modified) ||
		    !same_time(now.st_ctim, watch->files[i].changed))
			return true;
	}
	return false;
}
