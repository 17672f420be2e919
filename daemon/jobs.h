/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names being resolved: one job a name, however many wait for it. */
#pragma once

#include "daemon/daemon.h"

struct sm_job;

/* Somebody who waits. He is told WORKING any number of times, then one last word, after which he waits no more. */
struct sm_waiter {
	TAILQ_ENTRY(sm_waiter) link;
	struct sm_job *job; /* NULL: he does not wait */
	uint8_t families;   /* that he asked for */
	void (*tell)(struct sm_waiter *waiter, enum sm_frame_kind kind, const void *body, size_t size);
};

enum sm_status sm_jobs_start(struct sm_daemon *daemon) SM_MUST_CHECK;
void sm_jobs_stop(struct sm_daemon *daemon);

/* Begins the job of a name, or joins it. `waiter` may be NULL. SM_FULL: a limit is reached. SM_MEMORY. */
enum sm_status sm_jobs_ask(struct sm_daemon *daemon, const struct sm_rule *rule, const struct sm_request *request, uid_t uid,
                           struct sm_waiter *waiter) SM_MUST_CHECK;
/* He does not wait any longer; the job goes on. */
void sm_jobs_leave(struct sm_waiter *waiter);

/* The name's renewal takes too long for him who waits: marks what there is as good enough for now, and returns the record,
 * good until the next call of cache/owner.h. SM_MISS: there is nothing that may still serve. */
enum sm_status sm_jobs_settle_for_stale(struct sm_daemon *daemon, const struct sm_rule *rule, const struct sm_name *name,
                                        const void **ret, size_t *ret_size) SM_MUST_CHECK;

/* Commits what has finished, then tells all who wait for it. */
void sm_jobs_flush(struct sm_daemon *daemon);
