/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the command says of the files of [shared]. */
#pragma once

#include "conf/complaints.h"
#include "conf/keys.h"

/* Complains of everything for which srvmeshd would not share, at `path`. */
void sm_shared_check(const struct sm_shared_conf *shared, struct sm_complaints *complaints, const char *path);
