/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Flushes: what is kept of the names that one covers is asked for again. A flush of this host begins at once; one of another host
 * within two seconds, at a random moment, so that the hosts do not come together.
 *
 * Two passes go through the records, in idle slices. After the first one an answer that the flush covers is old: the next lookup
 * waits for a new one, and gets the old one only where no server says anything. A denial is gone. The second one renews the names
 * that are in use, 64 at a time.
 *
 * A changed configuration takes the first pass alone: what was made under another rule is old, or gone. */
#pragma once

#include "daemon/connections.h"
#include "daemon/epochs.h"
#include "daemon/jobs.h"
#include "daemon/shared.h"

#define SM_FLUSH_RUNS_MAX 16
#define SM_FLUSH_RENEWALS_MAX 64

/* A flush whose passes are due, or under way. */
struct sm_flush_run {
	struct sm_flush_work *work;
	char pattern[SM_NAME_MAX + 1];
	int64_t taken_ns, begins_ns;
	struct sm_client *client; /* that waits for its end; NULL: none */
	struct sm_store_waiter waiter;
	uint32_t n_told; /* of the two messages to other hosts */
	const char *everywhere; /* what became of them, as the reply says it; NULL: not known yet */
	bool is_judging; /* by the rules in force: no flush, and nobody waits for it */
	bool is_marked; /* the first pass is over, */
	bool is_over;   /* and the second, too */
	uint32_t n_names;
};

struct sm_flush_renewal {
	struct sm_waiter waiter;
	struct sm_flush_work *work;
	bool is_used;
};

struct sm_flush_work {
	uv_loop_t *loop; /* set by main.c, as all up to `shared` */
	struct sm_owner *owner;
	const struct sm_reload *reload;
	struct sm_jobs *jobs;
	struct sm_shared *shared;

	uint32_t n_runs;
	struct sm_flush_run *runs[SM_FLUSH_RUNS_MAX + 1]; /* the first one is under way, where is_passing */
	bool is_stopping; /* set by main.c: nothing more is renewed */
	bool is_passing, has_begun;
	struct sm_name at;
	struct sm_flush_renewal renewals[SM_FLUSH_RENEWALS_MAX];
	uint32_t n_renewals;
	uint64_t seed, n_flushes;
	struct sm_epochs epochs;
	uv_timer_t pausing;
	uv_idle_t passing;
};

void sm_flush_start(struct sm_flush_work *work);
void sm_flush_stop(struct sm_flush_work *work);

/* A client asks for a flush; the reply is text, of lines `names=N` and `everywhere=no|told|unreachable|off`, or `error=WHY`. */
void sm_flush_ask(struct sm_flush_work *work, struct sm_client *client);
/* The time of sm_client_wait is over. */
void sm_flush_hurry(struct sm_flush_work *work, struct sm_client *client);
/* The client has gone. */
void sm_flush_forget(struct sm_flush_work *work, struct sm_client *client);
/* The configuration is another one, or srvmeshd has just started: by which one were the answers in the map made? */
void sm_flush_judge(struct sm_flush_work *work);
/* Another host has flushed. */
void sm_flush_follow(struct sm_flush_work *work, const struct sm_flush *flush);
