/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests: what is asked, and the quickest correct way to answer it: from the cache, by a job, with what is past its TTL. */
#pragma once

#include "daemon/connections.h"
#include "daemon/control.h"
#include "daemon/flush.h"
#include "daemon/jobs.h"
#include "daemon/pulse.h"
#include "daemon/reload.h"
#include "daemon/targets.h"
#include "daemon/turns.h"
#include "daemon/upstream.h"

/* Hints that an account may still send. */
struct sm_hint_rate {
	int64_t counted_ns;
	uint32_t n_left;
};

struct sm_requests {
	bool is_stopping; /* set by main.c, as all of it: */ /* hints begin no more jobs */
	struct sm_control *control;
	struct sm_owner *owner;
	struct sm_jobs *jobs;
	struct sm_reload *reload;
	const struct sm_upstream *upstream;
	struct sm_targets *targets;
	struct sm_flush_work *flush_work;
	struct sm_counters *counters;
	struct sm_pulse *pulse;

	struct sm_turns turns; /* requests that wait for their jobs to begin */
	uv_idle_t taking_turns;
	struct sm_hint_rate hint_rates[SM_ACCOUNT_PLACES];
};

void sm_requests_start(struct sm_requests *requests, uv_loop_t *loop);
void sm_requests_stop(struct sm_requests *requests);
/* Goes on with jobs that are due, and begins jobs, in turns of one for each account; main.c calls this before the loop waits. */
void sm_requests_before_waiting(struct sm_requests *requests);

/* For connections whose context is a struct sm_requests. */
extern const struct sm_client_events sm_requests_events;
