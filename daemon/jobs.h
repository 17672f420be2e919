/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names being resolved: one job for each name, for any number of waiting clients. */
#pragma once

#include "daemon/counters.h"
#include "daemon/hosts.h"
#include "daemon/limits.h"
#include "daemon/loop.h"
#include "daemon/memo.h"
#include "daemon/reload.h"
#include "daemon/renewals.h"
#include "daemon/surroundings.h"
#include "daemon/targets.h"
#include "daemon/thrift.h"
#include "daemon/timers.h"
#include "daemon/turns.h"
#include "daemon/upstream.h"
#include "ipc/listener.h"
#include "resolve/channel.h"

#include <sys/queue.h>

struct sm_job;
struct sm_shared;

/* A client that waits for a job. It gets WORKING any number of times, then one final reply, and then no longer
 * waits. */
struct sm_waiter {
	TAILQ_ENTRY(sm_waiter) link;
	struct sm_job *job; /* NULL: not waiting */
	uint8_t families;   /* that the client asked for */
	bool is_patient;    /* it is no client: the job may take its time, as one without waiters */
	/* `body`: a record of SM_FORMAT, or NULL */
	void (*tell)(struct sm_waiter *waiter, enum sm_frame_kind kind, const void *body, size_t size);
};

TAILQ_HEAD(sm_job_list, sm_job);

struct sm_jobs {
	uv_loop_t *loop; /* what the jobs use; set by main.c */
	struct sm_owner *owner;
	struct sm_limits *limits;
	struct sm_counters *counters;
	const struct sm_reload *reload;
	struct sm_surroundings *around;
	struct sm_upstream *upstream;
	struct sm_targets *targets;
	struct sm_shared *shared;
	struct sm_hosts hosts;

	struct sm_thrift thrift;
	struct sm_renewals renewals;
	struct sm_memo plain;  /* names that had no SRV, and are plain hosts: their addresses are asked together with the SRV */
	struct sm_memo barren; /* names whose other family, asked behind an answer, had nothing */
	void *by_name;               /* a tree (tsearch) */
	struct sm_job_list running;
	struct sm_job_list finished;  /* their replies go out after the commit */
	struct sm_job_list listening; /* told, and waiting for what silent servers may still say */
	uint32_t n_listening;
	struct sm_job_list behind; /* told, and asking for the family that glue made superfluous; no longer in by_name */
	uint32_t n_behind;
	/* whose time has come, in turns of the users: what arrives goes first, and nobody's jobs hold up another's */
	struct sm_turns due;
	struct sm_timers timers;
	uint64_t n_overtaken; /* servers, when the running jobs last heard of it */
	struct sm_channel_pool channels;
	int sockets_fd;              /* an epoll of the sockets of all jobs */
	uv_poll_t sockets;
};

/* Whom a renewal is for. */
extern const struct sm_peer sm_jobs_nobody;

enum sm_status sm_jobs_start(struct sm_jobs *jobs) SM_MUST_CHECK;
void sm_jobs_stop(struct sm_jobs *jobs);

/* Would sm_jobs_ask join a job that is there? */
bool sm_jobs_has(struct sm_jobs *jobs, const struct sm_request *request);

/* Starts the job of a name, or joins it if it is running. `waiter` may be NULL: it renews what is kept, as often as
 * daemon/renewals.h allows. `is_scout`: where all servers of the rule are
 * down, it only sees whether they are there again. SM_FULL: a limit is reached. SM_SILENT: a scout is not needed, because
 * another name has just asked. SM_MISS: it was renewed lately. SM_EXHAUSTED. */
enum sm_status sm_jobs_ask(struct sm_jobs *jobs, const struct sm_rule *rule, const struct sm_request *request,
                           struct sm_peer peer,
                           bool is_scout, struct sm_waiter *waiter) SM_MUST_CHECK;
/* The waiter stops waiting; the job goes on. */
void sm_jobs_leave(struct sm_waiter *waiter);

/* The name's renewal takes too long for a waiting client: reads what has come meanwhile, which may tell waiters; marks the
 * kept record as good enough for now, and returns it, valid until the next call of cache/owner.h. SM_MISS: there is no
 * record that may still serve, or it lacks all families that are wanted. */
enum sm_status sm_jobs_settle_for_stale(struct sm_jobs *jobs, const struct sm_rule *rule, const struct sm_request *request,
                                        const void **ret, size_t *ret_size) SM_MUST_CHECK;

/* Goes on with jobs whose time has come, for a moment; daemon/requests.c calls this before the loop waits. true: more are due. */
bool sm_jobs_go_on(struct sm_jobs *jobs);
/* Gives the system back what memory it can spare, and looks at the clocks; main.c calls this once a second. */
void sm_jobs_look(struct sm_jobs *jobs);
/* Commits the answers of finished jobs, then sends them to all clients that wait. */
void sm_jobs_flush(struct sm_jobs *jobs);
