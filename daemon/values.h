/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The values of the tier, as this host seals and opens them. */
#pragma once

#include "daemon/job.h"
#include "daemon/shared.h"

/* Something shared is from the future; said once. */
void sm_values_note_ahead(struct sm_shared *shared);

/* Milliseconds since 1970. */
int64_t sm_values_wall_ms(void);

/* What a job can do with what is kept under `key`: `bytes`, or NULL. The answer's arrays live in `arena`, and its names in static
 * memory until the next call. */
enum sm_course_found sm_values_read(struct sm_shared *shared, const struct sm_job *job, const char *key, const void *bytes,
                                    size_t size, int64_t left_ms, struct sm_arena *arena, struct sm_answer *ret,
                                    struct sm_times *ret_times);

/* Shares the job's reply with other hosts, if it may be. */
void sm_values_share(struct sm_shared *shared, const struct sm_job *job);
