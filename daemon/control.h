/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an administrator asks srvmeshd, with the command: to tell, and to do. */
#pragma once

#include "daemon/connections.h"
#include "daemon/figures.h"
#include "daemon/flush.h"
#include "daemon/metrics.h"
#include "daemon/monitor.h"

struct sm_control {
	struct sm_figures_sources from; /* set by main.c, as all of it */
	struct sm_reload *reload;
	struct sm_targets *targets;
	struct sm_flush_work *flush_work;
	struct sm_monitor *monitor;
	struct sm_metrics *metrics;
	struct sm_kept_text servers; /* the reply to SERVERS */
};

/* Any request but a lookup or hint. */
void sm_control_ask(struct sm_control *control, struct sm_client *client);
