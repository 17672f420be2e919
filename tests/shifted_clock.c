/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* To preload: the wall clock of a program is SHIFTED_CLOCK_S seconds ahead, and no other clock; or its time since boot as many
 * as the file SHIFTED_BOOT says, as after a suspend, or its time awake as many as the file SHIFTED_AWAKE says. (libfaketime leaves semaphores
 * behind where programs are killed, and then waits for them.) */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long seconds_of(const char *path)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	char text[32] = "";
	ssize_t size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

	if (fd >= 0)
		close(fd);
	return size > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	const char *shift = getenv("SHIFTED_CLOCK_S");
	int code = (int)syscall(SYS_clock_gettime, clock, ret);

	if (code == 0 && clock == CLOCK_REALTIME && shift)
		ret->tv_sec += atol(shift);
	if (code == 0 && clock == CLOCK_BOOTTIME)
		ret->tv_sec += seconds_of(getenv("SHIFTED_BOOT"));
	if (code == 0 && (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE))
		ret->tv_sec += seconds_of(getenv("SHIFTED_AWAKE"));
	return code;
}
