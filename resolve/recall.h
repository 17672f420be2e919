/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions for hosts' addresses that need not be sent, because somebody remembers the answer. The includers are resolve/lookup.c
 * and resolve/try.c. */
#pragma once

#include "resolve/try.h"

/* Would sm_asker_recall settle this question, and lead to no other? */
bool sm_asker_remembers(const struct sm_asker *asker, const struct sm_question *question, const struct sm_rule *rule,
                        int64_t now_ns);
/* Settles question `number`, as sm_asker_ask would put it, by what is remembered: *ret lives in `room`, its TTLs less by its age.
 * SM_MISS: nothing is. SM_EXHAUSTED. */
enum sm_status sm_asker_recall(struct sm_asker *asker, uint32_t number, const struct sm_question *question,
                               const struct sm_rule *rule, int64_t now_ns, struct sm_arena *room,
                               struct sm_reply *ret) SM_MUST_CHECK;
/* The message has settled the question. Glue is not remembered: nobody asked for it. */
void sm_asked_remember(const struct sm_asked *asked, const struct sm_try *try, const struct sm_reply *reply, int64_t now_ns);
