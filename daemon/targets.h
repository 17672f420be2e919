/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The health of targets: which endpoints are watched, because names in use lead there, and what processes hear of them. What is
 * down is marked in the records of the host map, in passes over all of them, a few at a time: one pass writes all that has
 * changed, and counts the names of each endpoint on its way. */
#pragma once

#include "daemon/connections.h"
#include "daemon/endpoints.h"
#include "daemon/prober.h"
#include "daemon/reload.h"
#include "daemon/upstream.h"

TAILQ_HEAD(sm_asking, sm_client);

struct sm_targets {
	uv_loop_t *loop; /* set by main.c, as up to `upstream` */
	struct sm_owner *owner;
	struct sm_reload *reload;
	const struct sm_upstream *upstream;

	struct sm_prober prober;
	struct sm_name *names;      /* of each watched endpoint, a name that leads there */
	struct sm_asking asking;    /* clients that wait for a pass to end */
	struct sm_endpoints_text text; /* the table, for all that ask within a second */
	uint64_t n_turned_away;     /* as the log knows it */
	bool is_adopting;           /* the first pass: marks in records are from before the start */
	bool is_passing, is_wanted; /* a pass is under way; another one is to come */
	struct sm_name at;          /* the last name of the pass */
	bool has_begun;             /* it has one */
	int64_t slices_ns;          /* what the pass has taken so far */
	int64_t wanted_ns;          /* since when it was wanted */
	uint32_t n_written;         /* records */
	int64_t ended_ns, pause_ns; /* of the last pass */
	int64_t due_ns;             /* the next one */
	uv_idle_t passing;
	uv_timer_t pausing;
};

/* SM_EXHAUSTED. */
enum sm_status sm_targets_start(struct sm_targets *targets) SM_MUST_CHECK;
void sm_targets_stop(struct sm_targets *targets);
/* The configuration is another one, or the map's file is. */
void sm_targets_follow(struct sm_targets *targets);
void sm_targets_network_changed(struct sm_targets *targets);
/* To be called just before the loop waits. */
void sm_targets_before_waiting(struct sm_targets *targets);

/* A new answer of a name: its targets are watched from now on, and what is known to be down is marked in it. The marks live until
 * the next call. */
void sm_targets_mark(struct sm_targets *targets, const struct sm_rule *rule, const struct sm_name *name,
                     struct sm_answer *answer);

/* The table of endpoints, as text, to a client, as soon as the numbers of names are a few seconds old at most: a line for each,
 * fields behind tabs: endpoint, number of names, one of them, state, milliseconds since when, why, milliseconds to the next
 * probe or "-". */
void sm_targets_list(struct sm_targets *targets, struct sm_client *client);
/* The client has waited long enough: it gets the table as it is. */
void sm_targets_list_now(struct sm_targets *targets, struct sm_client *client);
struct sm_targets_usage {
	uint64_t n_probes;      /* since health was switched on */
	uint32_t n_watched, n_down;
	uint64_t n_turned_away; /* endpoints that are not watched, as far as the last pass has counted */
};
struct sm_targets_usage sm_targets_usage(const struct sm_targets *targets);
/* The client is gone. */
void sm_targets_forget(struct sm_targets *targets, struct sm_client *client);
