/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does the time of srvmeshd go on as it should? Its loop turns at least once a second. Where it did not turn for longer, the
 * machine was suspended or paused, and everything has expired together. */
#pragma once

#include "daemon/log.h"
#include "mesh/lifetime.h"

struct sm_pulse {
	int64_t beat_ns;   /* 0: none yet */
	int64_t jumped_ns; /* 0: never */
};

/* To be called with each turn, and before anything kept is judged. */
static inline void sm_pulse_beat(struct sm_pulse *pulse, int64_t now_ns)
{
	int64_t gap_ns = pulse->beat_ns ? now_ns - pulse->beat_ns : 0;

	pulse->beat_ns = now_ns;
	if (gap_ns < SM_JUMP_NS)
		return;
	pulse->jumped_ns = now_ns;
	sm_log_number(SM_LOG_INFO, "the clock has jumped: what is old is given at once, and renewed over five seconds", "seconds",
	              (uint64_t)(gap_ns / 1000000000));
}
