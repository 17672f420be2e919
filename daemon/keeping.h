/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is kept of an answer, and for how long: the host map as jobs use it. */
#pragma once

#include "cache/owner.h"

/* The renewal of the name has failed, or takes too long for a client: marks the kept answer as good enough for now, and
 * returns its record, valid until the owner's next call. SM_MISS: there is no answer that may still serve. */
enum sm_status sm_keeping_old(struct sm_owner *owner, const struct sm_rule *rule, const struct sm_name *name,
                              const void **ret, size_t *ret_size) SM_MUST_CHECK;

struct sm_kept_answer {
	const void *record; /* valid until the owner's next call */
	size_t size;
	bool is_old; /* the answer was a failure, and does not replace what may still serve */
};

/* Keeps the answer of a finished job at the expense of `uid`. `is_bad`: servers have answered, but badly. SM_FULL: it exceeds
 * all bounds. */
enum sm_status sm_keeping_answer(struct sm_owner *owner, const struct sm_rule *rule, const struct sm_name *name, uid_t uid,
                                 const struct sm_answer *answer, bool is_bad, struct sm_kept_answer *ret) SM_MUST_CHECK;
