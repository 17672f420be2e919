/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The event loop: libuv. srvmeshd has one thread and one loop; nothing blocks but commits to memory. */
#pragma once

#include "base/clock.h"

#include <uv.h>

/* Calls `on_time` once, at the moment `at_ns` of sm_clock_now_ns, or a millisecond later. */
static inline void sm_loop_wake(uv_timer_t *timer, uv_timer_cb on_time, int64_t at_ns, int64_t now_ns)
{
	uv_update_time(timer->loop);
	uv_timer_start(timer, on_time, at_ns > now_ns ? (uint64_t)((at_ns - now_ns) / SM_NS_PER_MS + 1) : 0, 0);
}
