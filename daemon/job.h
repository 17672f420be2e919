/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A job, as daemon/jobs.c and daemon/answers.c share it: the one leads it from its question to its end, the other makes
 * replies of what it knows. */
#pragma once

#include "base/clock.h"
#include "daemon/jobs.h"
#include "daemon/shared.h"
#include "resolve/lookup.h"

TAILQ_HEAD(waiters, sm_waiter);

struct sm_job {
	TAILQ_ENTRY(sm_job) link; /* in one of the four lists */
	struct sm_jobs *jobs;
	struct sm_settings *settings;
	const struct sm_rule *rule;
	struct sm_name name;
	struct sm_peer peer; /* that asked first */
	int64_t began_ns;
	bool is_renewal;     /* nobody waited for it when it began */
	struct sm_lookup *lookup;
	struct waiters waiters;
	uint8_t needs; /* families that clients want alone */
	struct sm_sharing sharing;
	int64_t settled_ns[SM_IPV4_AND_IPV6]; /* by family: when all its addresses became known; 0: not yet */
	bool has_signed, is_finished, is_listening;
	bool may_be_shared; /* its reply is what DNS has just said */
	bool is_settled;  /* its reply is set, and DNS need not answer */
	bool is_behind;   /* its answer is used, and it asks for a family that glue made superfluous */
	uint8_t behind_families;
	bool is_complete; /* it ended with an answer of the name, which is kept */
	int64_t answered_ns; /* the first time */
	int64_t sign_ns;
	enum sm_frame_kind kind; /* of the final reply */
	void *body;
	size_t body_size;

	struct sm_timer timer;
	struct sm_turn due; /* its time has come */
};

#define SM_JOB_DEADLINE_PERCENT 95 /* of a client's own: so that a failure still reaches it in time */

/* For a lookup that begins now. */
static inline int64_t sm_job_deadline_ns(const struct sm_rule *rule)
{
	return sm_clock_now_ns() + rule->deadline_ms * SM_NS_PER_MS / 100 * SM_JOB_DEADLINE_PERCENT;
}

/* A client that wants one family alone gets it, even if it is left out otherwise. */
static inline uint8_t sm_job_needs(const struct sm_request *request)
{
	return request->families == SM_IPV4_AND_IPV6 ? 0 : request->families;
}

/* What the job's lookup works with; its name, rule and needs are set. */
struct sm_lookup_means sm_job_means(struct sm_job *job, bool is_scout);

/* The one of this name that clients can join; NULL: none. */
struct sm_job *sm_jobs_find(struct sm_jobs *jobs, const struct sm_name *name);
/* From here on it is found. false: no memory. */
bool sm_job_enter_name(struct sm_job *job);

/* It goes on in the next turn of the loop. */
void sm_job_poke(struct sm_job *job);
/* Goes on as far as it can. */
void sm_job_step(struct sm_job *job);

/* Is the rule by which it asks still the name's? */
bool sm_job_is_current(const struct sm_job *job);
/* The lookup has ended: keeps its answer, and sets the final reply, unless the job is settled. */
void sm_job_conclude(struct sm_job *job);
/* Sets the final reply, whatever DNS would say; the job ends with its next step. */
void sm_job_settle(struct sm_job *job, enum sm_frame_kind kind, const void *body, size_t size);
/* The same, where no server can be asked: what is old is given again, if anything is. */
void sm_job_settle_in_vain(struct sm_job *job);
/* Gives all clients that wait what is old, if anything is; the job goes on. */
void sm_job_tell_old(struct sm_job *job);
/* Gives all clients that wait a record; the job goes on. */
void sm_job_tell(struct sm_job *job, const void *record, size_t size);
/* A record of a failure that is not kept. Returns its size; 0: it does not fit. */
size_t sm_job_failure(const struct sm_name *name, void *ret, size_t size);
/* Answers the clients that wait for one family alone, if it is time; returns when to call it again. */
int64_t sm_job_serve_early(struct sm_job *job, int64_t now_ns);
