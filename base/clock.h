/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one clock of deadlines and lifetimes. */
#pragma once

#include <stdint.h>

#define SM_NS_PER_MS 1000000LL
#define SM_NS_PER_S 1000000000LL

/* Nanoseconds since boot, suspended time included (CLOCK_BOOTTIME): entries age while a laptop sleeps, and a change
 * of the wall clock does not affect them. The vDSO answers, without a system call. */
int64_t sm_clock_now_ns(void);

/* Nanoseconds since boot, without the time suspended, as of the kernel's last tick: some milliseconds old, and cheap, because the
 * processor's counter need not be read (CLOCK_MONOTONIC_COARSE). */
int64_t sm_clock_ticks_ns(void);

/* How long of that the machine was suspended. */
int64_t sm_clock_suspended_ns(void);

/* Of two moments. */
static inline int64_t sm_sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Nanoseconds since 1970, the clock of file times (CLOCK_REALTIME). The administrator may set it, so it can jump. */
int64_t sm_clock_wall_ns(void);

/* By how much that is ahead of the time since boot. It changes only where the wall clock is set, or the process comes into
 * another time namespace. */
static inline int64_t sm_clock_ahead_ns(void)
{
	return sm_clock_wall_ns() - sm_clock_now_ns();
}
