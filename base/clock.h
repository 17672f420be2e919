/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one clock of deadlines and lifetimes. */
#pragma once

#include <stdint.h>

#define SM_NS_PER_MS 1000000LL
#define SM_NS_PER_S 1000000000LL

/* Nanoseconds since boot, suspended time included (CLOCK_BOOTTIME): entries age while a laptop sleeps, and no change
 * of the wall clock reaches them. Answered by the vDSO, without a system call. */
int64_t sm_clock_now_ns(void);

/* Nanoseconds since 1970, as the times of files are told (CLOCK_REALTIME). It may be set, and jump. */
int64_t sm_clock_wall_ns(void);
