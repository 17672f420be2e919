/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The targets of an answer as a table: who is drawn how often, and why others are not. */
#pragma once

#include "cli/inquiry.h"
#include "cli/sheet.h"
#include "mesh/standing.h"

/* `health` is srvmeshd's table of endpoints (daemon/targets.h), or NULL: it says why a target is down. What
 * had to be given up is in *ret. */
struct sm_sheet *sm_targets_sheet(const struct sm_inquiry *inquiry, const char *health, struct sm_concessions *ret);
