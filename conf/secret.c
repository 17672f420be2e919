/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/secret.h"

#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static enum sm_status refuse(enum sm_status status, const char *text, const char **why)
{
	*why = text;
	return status;
}

static enum sm_status open_file(const char *path, int *ret, const char **why)
{
	*ret = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*ret >= 0)
		return SM_OK;
	if (errno == EACCES || errno == EPERM)
		return refuse(SM_REFUSED, "may not be read by this user", why);
	if (errno == ENOENT)
		return refuse(SM_INVALID, "does not exist; expected a file that srvmesh shared-key has made, or a password", why);
	return refuse(SM_INVALID, "cannot be opened", why);
}

static const char *fault_of(const struct stat *is, const struct sm_secret_reader *reader)
{
	if (!S_ISREG(is->st_mode))
		return "is not a regular file";
	if (is->st_uid != 0 && is->st_uid != reader->uid)
		return "belongs to another user; expected root, or the user of srvmeshd";
	if (is->st_mode & (S_IRWXO | S_IWGRP | S_IXGRP))
		return "is open to others; expected mode 0640 or less";
	if ((is->st_mode & S_IRGRP) && is->st_gid != 0 && is->st_gid != reader->gid)
		return "can be read by another group; expected the group of srvmeshd, or mode 0600";
	return NULL;
}

static enum sm_status read_secret(const char *path, const struct sm_secret_reader *reader, void *ret, size_t size,
                                  size_t *ret_size, const char **why)
{
	SM_SCOPE_CLOSE int fd = -1;
	const char *fault;
	struct stat is;
	ssize_t got;
	enum sm_status status = open_file(path, &fd, why);
	char more;

	if (status != SM_OK)
		return status;
	if (fstat(fd, &is) != 0)
		return refuse(SM_INVALID, "cannot be looked at", why);
	fault = fault_of(&is, reader);
	if (fault)
		return refuse(SM_INVALID, fault, why);
	got = read(fd, ret, size);
	if (got < 0)
		return refuse(SM_INVALID, "cannot be read", why);
	*ret_size = (size_t)got;
	return *ret_size == size && read(fd, &more, 1) != 0 ? refuse(SM_FULL, "is too large", why) : SM_OK;
}

enum sm_status sm_secret_key(const char *path, const struct sm_secret_reader *reader, uint8_t ret[SM_SECRET_KEY_SIZE],
                             const char **why)
{
	size_t size = 0;
	enum sm_status status = read_secret(path, reader, ret, SM_SECRET_KEY_SIZE, &size, why);

	if (status == SM_FULL || (status == SM_OK && size != SM_SECRET_KEY_SIZE))
		return refuse(SM_INVALID, "is no key; expected 32 bytes, as srvmesh shared-key makes them", why);
	return status;
}

enum sm_status sm_secret_text(const char *path, const struct sm_secret_reader *reader, char ret[SM_SECRET_MAX + 1],
                              const char **why)
{
	size_t size = 0;
	enum sm_status status = read_secret(path, reader, ret, SM_SECRET_MAX, &size, why);

	if (status != SM_OK)
		return status;
	ret[size] = '\0';
	ret[strcspn(ret, "\r\n")] = '\0';
	return ret[0] == '\0' ? refuse(SM_INVALID, "has no first line; expected a password", why) : SM_OK;
}
