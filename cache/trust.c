/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trust: one lstat for every directory below /. Not for / itself: a user who can write there can replace this code. */
#include "cache/trust.h"


#include <errno.h>
#include <string.h>
#include <unistd.h>

static bool others_can_write(const struct stat *file)
{
	return file->st_mode & (S_IWGRP | S_IWOTH);
}

static bool is_good_parent(const struct stat *parent, bool or_mine)
{
	if (!S_ISDIR(parent->st_mode))
		return false;
	if (others_can_write(parent) && !(parent->st_mode & S_ISVTX))
		return false;
	return parent->st_uid == 0 || (or_mine && parent->st_uid == geteuid());
}

static enum sm_status look_at_component(const char *path, struct stat *ret)
{
	if (lstat(path, ret) == 0)
		return SM_OK;
	return errno == ENOENT || errno == ENOTDIR ? SM_MISS : SM_REFUSED;
}

/* *ret_is_shared: other users can write to the direct parent of `path`. */
static enum sm_status check_parents(const char *path, bool or_mine, bool *ret_is_shared)
{
	char parent[SM_MAP_PATH_MAX];
	size_t length = strlen(path);
	struct stat file;

	if (length >= sizeof(parent) || path[0] != '/')
		return SM_REFUSED;
	memcpy(parent, path, length + 1);
	*ret_is_shared = false;
	for (bool is_last = true;; is_last = false) {
		enum sm_status status;

		while (parent[length] != '/')
			length--;
		if (length == 0)
			return SM_OK;
		parent[length] = '\0';
		status = look_at_component(parent, &file);
		if (status != SM_OK)
			return status;
		if (!is_good_parent(&file, or_mine))
			return SM_REFUSED;
		if (is_last)
			*ret_is_shared = others_can_write(&file);
	}
}

enum sm_status sm_trust_directory(const char *path, bool or_mine, struct stat *ret)
{
	struct stat directory;
	bool is_shared = false;
	enum sm_status status = look_at_component(path, &directory);

	if (status == SM_OK)
		status = check_parents(path, or_mine, &is_shared);
	if (status != SM_OK)
		return status;
	if (!S_ISDIR(directory.st_mode) || others_can_write(&directory))
		return SM_REFUSED;
	/* in a sticky directory that others can write, any user could have created it */
	if (is_shared && directory.st_uid != 0 && !(or_mine && directory.st_uid == geteuid()))
		return SM_REFUSED;
	*ret = directory;
	return SM_OK;
}

bool sm_trust_file(const struct stat *directory, const struct stat *file)
{
	return S_ISREG(file->st_mode) && file->st_uid == directory->st_uid && !others_can_write(file);
}

enum sm_status sm_trust_parent(const char *path, char ret[SM_MAP_PATH_MAX])
{
	const char *end = strrchr(path, '/');

	if (!end || end == path || (size_t)(end - path) >= SM_MAP_PATH_MAX)
		return SM_REFUSED;
	memcpy(ret, path, (size_t)(end - path));
	ret[end - path] = '\0';
	return SM_OK;
}

enum sm_status sm_trust_socket(const char *path, bool or_mine, uid_t *ret)
{
	char directory[SM_MAP_PATH_MAX];
	struct stat file;
	enum sm_status status = sm_trust_parent(path, directory);

	if (status == SM_OK)
		status = sm_trust_directory(directory, or_mine, &file);
	if (status == SM_OK)
		*ret = file.st_uid;
	return status;
}
