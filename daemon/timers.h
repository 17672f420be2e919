/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Timers that come and go with what they are for: clients, jobs. Their handles are closed when the loop has waited, for else it
 * would turn once more for that. */
#pragma once

#include "daemon/loop.h"

#include <sys/queue.h>

struct sm_timer {
	uv_timer_t uv;
	TAILQ_ENTRY(sm_timer) link; /* of those that have ended */
};

struct sm_timers {
	uv_loop_t *loop;
	uv_check_t waited;
	TAILQ_HEAD(, sm_timer) ended;
	uv_close_cb on_closed; /* of each: frees what it was for */
};

void sm_timers_start(struct sm_timers *timers, uv_loop_t *loop, uv_close_cb on_closed);
/* Closes those that have ended; none comes any more. */
void sm_timers_stop(struct sm_timers *timers);

void sm_timers_begin(struct sm_timers *timers, struct sm_timer *timer, void *data);
/* It is stopped now. */
void sm_timers_end(struct sm_timers *timers, struct sm_timer *timer);
