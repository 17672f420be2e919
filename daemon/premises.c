/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/premises.h"

#include "base/clock.h"
#include "cache/map.h"
#include "cache/trust.h"
#include "daemon/log.h"

#include <stdio.h>

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
