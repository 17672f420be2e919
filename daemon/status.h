/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The answer to a status request: lines of "name=value", with counters since the start and current values. */
#pragma once

#include "daemon/daemon.h"

#define SM_STATUS_MAX 2048

/* Returns the size; no NUL. */
size_t sm_status_text(const struct sm_daemon *daemon, char ret[SM_STATUS_MAX]);
