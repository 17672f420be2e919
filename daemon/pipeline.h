/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands to the store, and their answers, in order; for daemon/store.c alone. */
#pragma once

#include "daemon/store.h"

/* Sends a command of `n` words, each NUL-terminated, over `stream`; its answer is awaited in order if that is store->stream.
 * SM_FULL: too much is under way. */
enum sm_status sm_pipeline_send(struct sm_store *store, struct sm_stream *stream, enum sm_store_command command,
                                const char *const *words, uint32_t n, int64_t now_ns) SM_MUST_CHECK;

/* Which command the next answer is of; NULL: none is under way. */
const struct sm_store_sent *sm_pipeline_next(const struct sm_store *store);
/* The answer to it, if it is one of a job, or one that does not matter. */
void sm_pipeline_answer(struct sm_store *store, const struct sm_resp_item *answer, int64_t now_ns);
/* The answer to it is dealt with. */
struct sm_store_sent sm_pipeline_pop(struct sm_store *store);

/* Commands that have had no answer for `timeout` are failures. When to look next; INT64_MAX: nothing is under way. */
int64_t sm_pipeline_look(struct sm_store *store, int64_t now_ns);
/* The connection is gone. */
void sm_pipeline_lose_all(struct sm_store *store);

/* An error that the log does not have yet. */
void sm_store_log_error(struct sm_store *store, const struct sm_resp_item *answer);
