/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/timers.h"

static void close_ended(struct sm_timers *timers)
{
	struct sm_timer *timer;

	while ((timer = TAILQ_FIRST(&timers->ended))) {
		TAILQ_REMOVE(&timers->ended, timer, link);
		uv_close((uv_handle_t *)&timer->uv, timers->on_closed);
	}
}

static void on_waited(uv_check_t *check)
{
	close_ended(check->data);
}

void sm_timers_start(struct sm_timers *timers, uv_loop_t *loop, uv_close_cb on_closed)
{
	timers->loop = loop;
	timers->on_closed = on_closed;
	TAILQ_INIT(&timers->ended);
	uv_check_init(loop, &timers->waited);
	timers->waited.data = timers;
	uv_check_start(&timers->waited, on_waited);
}

void sm_timers_stop(struct sm_timers *timers)
{
	close_ended(timers);
	uv_close((uv_handle_t *)&timers->waited, NULL);
}

void sm_timers_begin(struct sm_timers *timers, struct sm_timer *timer, void *data)
{
	uv_timer_init(timers->loop, &timer->uv);
	timer->uv.data = data;
}

void sm_timers_end(struct sm_timers *timers, struct sm_timer *timer)
{
	uv_timer_stop(&timer->uv);
	TAILQ_INSERT_TAIL(&timers->ended, timer, link);
}
