/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Watches files by their stat data. */
#include "conf/watch.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRESH_NS (200 * SM_NS_PER_MS)
#define UNSETTLED_MAX_NS (2 * SM_NS_PER_S)

/* All zero: the file does not exist. false: that is not known. */
static bool stat_of(const char *path, struct stat *ret)
{
	if (stat(path, ret) == 0)
		return true;
	memset(ret, 0, sizeof(*ret));
	return errno == ENOENT;
}

static void note_root(struct sm_watch *watch, const struct stat *root)
{
	watch->root_device = root->st_dev;
	watch->root_inode = root->st_ino;
}

void sm_watch_begin(struct sm_watch *watch)
{
	struct stat root;

	(void)stat_of("/", &root);
	note_root(watch, &root);
	watch->unsettled_ns = 0;
	watch->last = NULL;
	watch->is_incomplete = false;
}

void sm_watch_end(struct sm_watch *watch)
{
	while (watch->last) {
		struct sm_file_seen *file = watch->last;

		watch->last = file->before;
		free(file);
	}
}

static void note(struct sm_watch *watch, const char *path, const struct stat *is, bool is_unread)
{
	size_t length = strlen(path);
	struct sm_file_seen *file;

	if (length >= SM_WATCH_PATH_MAX)
		return;
	file = malloc(sizeof(*file) + length + 1);
	if (!file) {
		watch->is_incomplete = true;
		return;
	}
	file->before = watch->last;
	file->is_unread = is_unread;
	file->device = is->st_dev;
	file->inode = is->st_ino;
	file->size = is->st_size;
	file->modified = is->st_mtim;
	file->changed = is->st_ctim;
	memcpy(file->path, path, length + 1);
	watch->last = file;
}

enum sm_status sm_watch_read(struct sm_watch *watch, const char *path, char **ret, size_t *ret_size)
{
	struct stat is;
	enum sm_status status = sm_file_read_with_stat(path, &is, ret, ret_size);

	if (is.st_ino == 0 && status != SM_MISS)
		(void)stat_of(path, &is);
	note(watch, path, &is, status == SM_REFUSED);
	return status;
}

enum sm_status sm_watch_dropins(struct sm_watch *watch, const char *directory, struct sm_dropins *ret)
{
	struct stat is;
	enum sm_status status = sm_file_dropins(directory, &is, ret);

	if (is.st_ino == 0 && status != SM_OK)
		(void)stat_of(directory, &is); /* else it was not there */
	note(watch, directory, &is, status == SM_REFUSED);
	return status;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_same(const struct sm_file_seen *file, const struct stat *now)
{
	return now->st_dev == file->device && now->st_ino == file->inode && now->st_size == file->size &&
	       same_time(now->st_mtim, file->modified) && same_time(now->st_ctim, file->changed);
}

static bool can_be_opened(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool is_fresh(const struct stat *now, int64_t wall_ns)
{
	int64_t modified_ns = now->st_mtim.tv_sec * SM_NS_PER_S + now->st_mtim.tv_nsec;

	return modified_ns <= wall_ns && wall_ns - modified_ns < FRESH_NS;
}

static enum sm_watch_state state_of(const struct sm_file_seen *file, int64_t wall_ns)
{
	struct stat now;

	if (!stat_of(file->path, &now))
		return SM_WATCH_SAME;
	if (is_same(file, &now))
		return file->is_unread && can_be_opened(file->path) ? SM_WATCH_CHANGED : SM_WATCH_SAME;
	if (now.st_ino == 0 || (now.st_size == 0 && file->size > 0))
		return SM_WATCH_FADING;
	return is_fresh(&now, wall_ns) ? SM_WATCH_FRESH : SM_WATCH_CHANGED;
}

enum sm_watch_state sm_watch_look(struct sm_watch *watch, int64_t now_ns)
{
	enum sm_watch_state state = SM_WATCH_SAME;
	int64_t wall_ns = sm_clock_wall_ns();
	struct stat root;

	if (!stat_of("/", &root))
		return SM_WATCH_SAME;
	if (watch->root_inode == 0)
		note_root(watch, &root); /* it could not be looked at when the files were read */
	if (root.st_dev != watch->root_device || root.st_ino != watch->root_inode)
		return SM_WATCH_SAME;
	for (const struct sm_file_seen *file = watch->last; file; file = file->before) {
		enum sm_watch_state one = state_of(file, wall_ns);

		if (one > state)
			state = one; /* keep the more doubtful state */
	}
	if (state != SM_WATCH_FRESH && state != SM_WATCH_FADING) {
		watch->unsettled_ns = 0;
		return state;
	}
	if (watch->unsettled_ns == 0)
		watch->unsettled_ns = now_ns;
	return now_ns - watch->unsettled_ns < UNSETTLED_MAX_NS ? state : SM_WATCH_CHANGED;
}
