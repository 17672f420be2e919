/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is kept of an answer, and for how long: the host map as jobs use it. */
#pragma once

#include "cache/owner.h"

/* The renewal of the name has failed, or takes too long for a client: marks the kept answer as good enough for now, and
 * returns its record, valid until the owner's next call. SM_MISS: there is no answer that may still serve. */
enum sm_status sm_keeping_old(struct sm_owner *owner, const struct sm_rule *rule, const struct sm_name *name,
                              const void **ret, size_t *ret_size) SM_MUST_CHECK;

/* What is kept of the name and may still serve, decoded into the arena; NULL: nothing. */
const struct sm_answer *sm_keeping_servable(struct sm_owner *owner, const struct sm_name *name, struct sm_arena *arena);

/* Does the kept record leave out all of these families, so that it is of no use to a client that wants them? */
bool sm_keeping_lacks(struct sm_owner *owner, const struct sm_name *name, uint8_t families);

/* Of the kept record, however old: that the name had no SRV, that it was cut, and which families it has. */
struct sm_kept_marks {
	bool is_plain, is_cut;
	uint8_t families;
};
struct sm_kept_marks sm_keeping_marks(struct sm_owner *owner, const struct sm_name *name);

/* The answer of a job. */
struct sm_job_answer {
	const struct sm_rule *rule;
	const struct sm_name *name;
	const struct sm_answer *answer;
	int64_t answered_ns; /* its lifetime begins then */
	uid_t uid;           /* at whose expense it is kept */
	bool is_bad;         /* servers have answered, but badly */
	bool is_outdated;    /* it was asked for before a flush: the next lookup asks again */
};

struct sm_kept_answer {
	const void *record; /* valid until the owner's next call */
	size_t size;
	bool is_old; /* the answer was a failure, and does not replace what may still serve; or it renews the addresses alone */
};

/* SM_FULL: it exceeds all bounds. */
enum sm_status sm_keeping_answer(struct sm_owner *owner, const struct sm_job_answer *of,
                                 struct sm_kept_answer *ret) SM_MUST_CHECK;
