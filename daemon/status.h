/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The answer to a status request: lines of "name=value", with counters since the start and current values. */
#pragma once

#include "cache/owner.h"
#include "daemon/counters.h"
#include "daemon/limits.h"
#include "daemon/shared.h"
#include "daemon/targets.h"

#define SM_STATUS_MAX 2048

struct sm_status_sources {
	int64_t began_ns;
	const struct sm_counters *counters;
	const struct sm_limits *limits;
	const struct sm_owner *owner;
	const struct sm_targets *targets;
	const struct sm_shared *shared;
};

/* Returns the size; no NUL. */
size_t sm_status_text(const struct sm_status_sources *from, char ret[SM_STATUS_MAX]);
