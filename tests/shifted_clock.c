/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* To preload: the wall clock of a program is SHIFTED_CLOCK_S seconds ahead, and no other clock. (libfaketime leaves semaphores
 * behind where programs are killed, and then waits for them.) */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	const char *shift = getenv("SHIFTED_CLOCK_S");
	int code = (int)syscall(SYS_clock_gettime, clock, ret);

	if (code == 0 && clock == CLOCK_REALTIME && shift)
		ret->tv_sec += atol(shift);
	return code;
}
