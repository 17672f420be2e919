/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/premises.h"

#include "base/clock.h"
#include "cache/map.h"
#include "cache/owner.h"
#include "cache/trust.h"
#include "daemon/log.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_AGAIN_NS (10 * SM_NS_PER_S)

static bool is_trusted(const char *directory)
{
	struct stat above, file;
	char path[SM_MAP_PATH_MAX];

	if (sm_trust_directory(directory, false, &above) != SM_OK)
		return false;
	snprintf(path, sizeof(path), "%s/%s", directory, SM_MAP_FILE);
	return lstat(path, &file) != 0 || sm_trust_file(&above, &file);
}

void sm_premises_explain(const char *directory, char *ret, size_t size)
{
	static const char *const files[] = {"", "/" SM_OWNER_LOCK_FILE, "/" SM_MAP_FILE};
	char path[SM_MAP_PATH_MAX];
	struct stat file;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%.100s%s", directory, files[i]);
		if (lstat(path, &file) != 0)
			continue;
		if (i == 0 && !S_ISDIR(file.st_mode))
			snprintf(ret, size, "%s is not a directory: remove it, or name another one in [cache]", path);
		else if (file.st_uid != geteuid())
			snprintf(ret, size, "%s belongs to user %u, and srvmeshd runs as user %u: %s, or run srvmeshd as user %u",
			         path, file.st_uid, geteuid(), i == 0 ? "change its owner" : "remove it", file.st_uid);
		else if (file.st_mode & (S_IWGRP | S_IWOTH))
			snprintf(ret, size, "%s can be written by other users: chmod go-w", path);
		else
			continue;
		return;
	}
	snprintf(ret, size, "another srvmeshd owns it, or it cannot be written");
}

void sm_premises_look(struct sm_premises *premises, const char *directory, int64_t now_ns)
{
	bool was_distrusted = premises->is_distrusted;

	if (premises->looked_ns != 0 && now_ns - premises->looked_ns < LOOK_AGAIN_NS)
		return;
	premises->looked_ns = now_ns;
	premises->is_distrusted = !is_trusted(directory);
	if (premises->is_distrusted && !was_distrusted)
		sm_log(SM_LOG_WARNING, "programs will not use the host map: others can write it or a directory above it", "path",
		       directory, NULL);
	else if (!premises->is_distrusted && was_distrusted)
		sm_log(SM_LOG_INFO, "programs use the host map again", "path", directory, NULL);
}
