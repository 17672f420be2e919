/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The metrics as text: OpenMetrics, or the older text format of Prometheus, which differs in the names of families and which
 * promtool and the node exporter read. Counters never go back; labels are of what the configuration names, never of what is
 * looked up. */
#pragma once

#include "daemon/figures.h"
#include "daemon/kept.h"

enum sm_metrics_format { SM_METRICS_PROMETHEUS, SM_METRICS_OPENMETRICS, SM_METRICS_FORMATS };

struct sm_metrics {
	const struct sm_figures_sources *from; /* set by main.c */
	struct sm_kept_text pages[SM_METRICS_FORMATS];
};

/* NULL: no memory; else good until it is called again. */
const char *sm_metrics_text(struct sm_metrics *metrics, enum sm_metrics_format format, size_t *ret_size);
