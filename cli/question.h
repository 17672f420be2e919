/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One question to one server, without failover or memory: to see what that server says. */
#pragma once

#include "mesh/reply.h"
#include "mesh/rule.h"

enum sm_question_outcome {
	SM_QUESTION_GOOD,       /* it has the name, */
	SM_QUESTION_NO_NAME,    /* or says that it does not exist */
	SM_QUESTION_SILENT,
	SM_QUESTION_UNREACHABLE, /* nobody listens, or there is no way */
	SM_QUESTION_REFUSED,     /* REFUSED or NOTIMP */
	SM_QUESTION_REFERRAL,    /* it has not the name, and does not ask for us */
	SM_QUESTION_BAD,         /* SERVFAIL, or it cannot be understood */
};

/* *ret_has: with GOOD, has the name records of this type? */
enum sm_question_outcome sm_question_ask(const struct sm_server *server, const char *name, enum sm_rr_type type,
                                         int64_t timeout_ns, bool *ret_has);
