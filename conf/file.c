/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files. */
#include "conf/file.h"

#include "base/scope.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define READS_MAX 100 /* that signals interrupt, or that bring a part each */

/* The status for an errno. An error that is not about the file is about this process or the moment: SM_EXHAUSTED. */
static enum sm_status status_of(int error)
{
	switch (error) {
	case ENOENT:
		return SM_MISS;
	case EINTR:
	case EAGAIN:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return SM_EXHAUSTED;
	}
	return SM_REFUSED;
}

/* A link to /dev/null in place of a file counts as an empty file. */
static bool is_null_device(const struct stat *status)
{
	return S_ISCHR(status->st_mode) && status->st_rdev == makedev(1, 3);
}

static enum sm_status open_regular(const char *path, struct stat *ret_stat, int *ret)
{
	SM_SCOPE_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return status_of(errno);
	if (fstat(fd, ret_stat) != 0)
		return status_of(errno);
	if (!S_ISREG(ret_stat->st_mode) && !is_null_device(ret_stat))
		return SM_INVALID;
	if (ret_stat->st_size > SM_FILE_MAX)
		return SM_FULL;
	*ret = fd;
	fd = -1;
	return SM_OK;
}

/* Up to `size` bytes, and one more if there is one. A read of a file that brings less than was asked for has reached its end. */
static enum sm_status read_all(int fd, char *text, size_t size, size_t *ret)
{
	size_t done = 0;

	for (int tries = 0; done <= size; tries++) {
		ssize_t got = read(fd, text + done, size + 1 - done);

		if (got < 0 && errno == EINTR && tries < READS_MAX)
			continue;
		if (got < 0)
			return status_of(errno);
		if (got == 0)
			break;
		done += (size_t)got;
		if (done == size)
			break;
	}
	*ret = done;
	return SM_OK;
}

enum sm_status sm_file_read_with_stat(const char *path, struct stat *ret_stat, char **ret, size_t *ret_size)
{
	SM_SCOPE_CLOSE int fd = -1;
	SM_SCOPE_FREE char *text = NULL;
	size_t size, done = 0;
	enum sm_status status;

	memset(ret_stat, 0, sizeof(*ret_stat));
	status = open_regular(path, ret_stat, &fd);
	if (status != SM_OK)
		return status;
	size = (size_t)ret_stat->st_size;
	text = malloc(size + 1);
	if (!text)
		return SM_EXHAUSTED;
	status = read_all(fd, text, size, &done);
	if (status != SM_OK)
		return status;
	if (done != size)
		return SM_EXHAUSTED; /* another size than a moment ago: the file is being written */
	text[done] = '\0';
	*ret_size = done;
	*ret = text;
	text = NULL;
	return SM_OK;
}

enum sm_status sm_file_read(const char *path, char **ret, size_t *ret_size)
{
	struct stat ignored;

	return sm_file_read_with_stat(path, &ignored, ret, ret_size);
}

static bool is_dropin(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > 5 && length <= NAME_MAX && strcmp(name + length - 5, ".conf") == 0;
}

/* Inserts a name in byte order. If there are too many names, the first ones are kept. */
static enum sm_status insert(struct sm_dropins *dropins, const char *name)
{
	size_t at = dropins->n;

	if (!dropins->names)
		dropins->names = malloc(SM_DROPINS_MAX * sizeof(dropins->names[0]));
	if (!dropins->names)
		return SM_EXHAUSTED;
	while (at > 0 && strcmp(dropins->names[at - 1], name) > 0)
		at--;
	if (at == SM_DROPINS_MAX)
		return SM_OK;
	if (dropins->n < SM_DROPINS_MAX)
		dropins->n++;
	memmove(dropins->names[at + 1], dropins->names[at], (dropins->n - at - 1) * sizeof(dropins->names[0]));
	memcpy(dropins->names[at], name, strlen(name) + 1);
	return SM_OK;
}

/* Inserts those among some entries of the directory, and counts them. */
static enum sm_status take(const char *entries, size_t size, struct sm_dropins *dropins, size_t *n)
{
	enum sm_status status = SM_OK;

	for (size_t at = 0; at < size && status == SM_OK;) {
		const struct dirent64 *entry = (const void *)(entries + at);

		if (is_dropin(entry->d_name)) {
			status = insert(dropins, entry->d_name);
			(*n)++;
		}
		at += entry->d_reclen;
	}
	return status;
}

/* By the system call: opendir(3) would take 32 KiB for a list that is mostly empty, in every process. */
static enum sm_status list(int fd, struct sm_dropins *ret)
{
	_Alignas(struct dirent64) char entries[1024];
	enum sm_status status = SM_OK;
	size_t n = 0;

	while (status == SM_OK) {
		long size = syscall(SYS_getdents64, fd, entries, sizeof(entries));

		if (size < 0)
			return status_of(errno);
		if (size == 0)
			return n > SM_DROPINS_MAX ? SM_FULL : SM_OK;
		status = take(entries, (size_t)size, ret, &n);
	}
	return status;
}

enum sm_status sm_file_dropins(const char *path, struct stat *ret_stat, struct sm_dropins *ret)
{
	SM_SCOPE_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);

	memset(ret_stat, 0, sizeof(*ret_stat));
	*ret = (struct sm_dropins){.n = 0};
	if (fd < 0)
		return status_of(errno) == SM_MISS ? SM_OK : status_of(errno);
	return fstat(fd, ret_stat) == 0 ? list(fd, ret) : status_of(errno);
}
