/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tier between hosts, as jobs use it: what other hosts have resolved is read, and what this host resolves is written, sealed.
 * No job depends on it: DNS is asked in any case where it has nothing, is late, or fails. */
#pragma once

#include "cache/owner.h"
#include "daemon/reload.h"
#include "daemon/secrets.h"
#include "daemon/store.h"
#include "daemon/surroundings.h"
#include "daemon/targets.h"
#include "daemon/upstream.h"
#include "tier/course.h"
#include "tier/flushes.h"
#include "tier/seal.h"
#include "tier/value.h"

struct sm_job;
struct sm_waiter;
struct sm_flush_work;

/* What a job knows of the tier. */
struct sm_sharing {
	struct sm_store_waiter waiter;
	struct sm_course course;
	uint32_t n_keys; /* 0: it does not use the tier */
	char keys[SM_SEAL_KEYS_MAX][SM_STORE_KEY_MAX]; /* under each of our keys; written under the first */
	uint64_t flush;  /* the last flush that covered the name when the job began */
	uint32_t n_expected; /* values that are still to come */
	enum sm_course_found best;
	struct sm_times renewed; /* of a renewal: of the record that it renews */
	bool is_read;
	bool is_large;    /* what it renews: too large to be shared */
	bool is_patient;  /* it began without a client: its time begins when DNS is asked */
	bool may_not_ask; /* all servers are down: DNS is asked only if no other job has just seen whether they are back */
};

struct sm_shared {
	struct sm_owner *owner; /* set by main.c, as all up to `follow` */
	const struct sm_reload *reload;
	struct sm_surroundings *around;
	struct sm_upstream *upstream;
	struct sm_targets *targets;
	struct sm_jobs *jobs;
	struct sm_flush_work *flush_work;
	void (*follow)(struct sm_flush_work *work, const struct sm_flush *flush); /* another host has flushed */

	struct sm_store store;
	struct sm_seal *seal; /* NULL: there is no tier */
	char identity[9];     /* of its first key */
	struct sm_shared_conf conf; /* in force */
	struct sm_secrets secrets;
	struct sm_flushes flushes; /* also without a tier: flushes of this host alone */
	char view[SM_VIEW_MAX + 1];
	bool is_ahead_told;
	struct sm_flush oldest; /* in the store's list, if it was not known before */
	uint64_t n_hits, n_refused, n_late_flushes;
	uint64_t seed;
};

void sm_shared_start(struct sm_shared *shared);
void sm_shared_stop(struct sm_shared *shared);
/* The configuration may have changed. Everything that is wrong goes to the log, and there is no tier then. */
void sm_shared_follow(struct sm_shared *shared);

/* A job begins; `waiter` may be NULL. */
void sm_shared_begin(struct sm_shared *shared, struct sm_job *job, const struct sm_waiter *waiter);
/* A client waits for it from now on. */
void sm_shared_hurry(struct sm_shared *shared, struct sm_job *job);
/* May the job ask DNS, or is it settled? If not, it waits until job->sharing.course.wakes_ns, or is stepped before that. */
bool sm_shared_lets_ask(struct sm_shared *shared, struct sm_job *job, int64_t now_ns);
/* A flush has come since the job began: its answer may be from before. */
bool sm_shared_is_outdated(const struct sm_shared *shared, const struct sm_job *job);
void sm_shared_leave(struct sm_shared *shared, struct sm_job *job);
/* Could a job hear something from the tier, even if no server of DNS answers? */
bool sm_shared_may_know(const struct sm_shared *shared);

/* A flush of this host: it is taken at once, and returned. */
struct sm_flush sm_shared_flush(struct sm_shared *shared, const char *pattern);
/* Tells all other hosts; `waiter` hears of it twice. SM_FULL: they cannot be told at the moment. */
enum sm_status sm_shared_tell(struct sm_shared *shared, const struct sm_flush *flush,
                              struct sm_store_waiter *waiter) SM_MUST_CHECK;
