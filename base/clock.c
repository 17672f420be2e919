/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The clock. Where a kernel or sandbox lacks CLOCK_BOOTTIME, CLOCK_MONOTONIC takes its place. */
#include "base/clock.h"

#include <time.h>

int64_t sm_clock_now_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_BOOTTIME, &now) != 0 && clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		return 0;
	return (int64_t)now.tv_sec * SM_NS_PER_S + now.tv_nsec;
}

int64_t sm_clock_ticks_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC_COARSE, &now) != 0)
		return sm_clock_now_ns();
	return (int64_t)now.tv_sec * SM_NS_PER_S + now.tv_nsec;
}

int64_t sm_clock_wall_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return 0;
	return (int64_t)now.tv_sec * SM_NS_PER_S + now.tv_nsec;
}

int64_t sm_clock_suspended_ns(void)
{
	struct timespec awake;

	if (clock_gettime(CLOCK_MONOTONIC, &awake) != 0)
		return 0;
	return sm_clock_now_ns() - ((int64_t)awake.tv_sec * SM_NS_PER_S + awake.tv_nsec);
}
