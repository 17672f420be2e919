/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the command does about [shared]: it looks at its files, and makes keys. */
#pragma once

#include "cli/exit.h"
#include "conf/complaints.h"
#include "conf/keys.h"

/* Complains of everything for which srvmeshd would not share, at `path`. */
void sm_shared_check(const struct sm_shared_conf *shared, struct sm_complaints *complaints, const char *path);

/* Makes a file with a new key, for root and the group of srvmeshd. A file that is there is left alone. */
enum exit_code sm_shared_make_key(const char *path);
