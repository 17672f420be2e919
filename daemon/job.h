/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A job, as daemon/jobs.c and daemon/answers.c share it: the one leads it from its question to its end, the other makes
 * replies of what it knows. */
#pragma once

#include "daemon/jobs.h"
#include "resolve/lookup.h"

TAILQ_HEAD(waiters, sm_waiter);

struct sm_job {
	TAILQ_ENTRY(sm_job) link; /* in one of the four lists */
	struct sm_jobs *jobs;
	struct sm_settings *settings;
	const struct sm_rule *rule;
	struct sm_name name;
	uid_t uid;
	struct sm_lookup *lookup;
	struct waiters waiters;
	int64_t settled_ns[SM_IPV4_AND_IPV6]; /* by family: when all its addresses became known; 0: not yet */
	bool has_signed, is_finished, is_listening;
	bool is_behind;   /* its answer is used, and it asks for a family that glue made superfluous */
	uint8_t behind_families;
	bool is_complete; /* it ended with an answer of the name, which is kept */
	int64_t answered_ns; /* the first time */
	int64_t sign_ns;
	enum sm_frame_kind kind; /* of the final reply */
	void *body;
	size_t body_size;

	uv_timer_t timer;
};

/* The lookup has ended: keeps its answer, and sets the final reply. */
void sm_job_conclude(struct sm_job *job);
/* Answers the clients that wait for one family alone, if it is time; returns when to call it again. */
int64_t sm_job_serve_early(struct sm_job *job, int64_t now_ns);
