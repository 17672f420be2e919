/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every number that srvmeshd tells of itself, in one table: `srvmesh status` and the metrics read it. */
#pragma once

#include "cache/owner.h"
#include "daemon/counters.h"
#include "daemon/limits.h"
#include "daemon/premises.h"
#include "daemon/reload.h"
#include "daemon/shared.h"
#include "daemon/targets.h"
#include "daemon/upstream.h"

/* Where they come from; set by main.c. */
struct sm_figures_sources {
	int64_t began_ns;
	const struct sm_counters *counters;
	const struct sm_limits *limits;
	const struct sm_owner *owner;
	const struct sm_targets *targets;
	const struct sm_shared *shared;
	const struct sm_upstream *upstream;
	const struct sm_reload *reload;
};

enum sm_figure_kind {
	SM_FIGURE_COUNTER, /* since the start; never goes back */
	SM_FIGURE_GAUGE,
};

struct sm_figure {
	const char *name;   /* in the status */
	const char *metric; /* behind "srvmesh_"; NULL: it is no metric by itself */
	const char *help;   /* what it is, a sentence */
	enum sm_figure_kind kind;
	uint64_t value;
};

#define SM_FIGURES_MAX 64

/* Returns how many there are. */
size_t sm_figures(const struct sm_figures_sources *from, struct sm_figure ret[SM_FIGURES_MAX]);

/* "off", or "up 10.0.0.9:6379 key 1a2b3c4d". */
#define SM_FIGURES_SHARED_MAX (SM_PATH_MAX + 64)
void sm_figures_shared(const struct sm_shared *shared, char ret[SM_FIGURES_SHARED_MAX]);

/* The answer to a status request: lines of "name=value". Returns the size. */
#define SM_STATUS_MAX 4096
size_t sm_figures_status(const struct sm_figures_sources *from, char ret[SM_STATUS_MAX]);
