/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sockets and poll. */
#include "base/descriptor.h"

#include "base/clock.h"
#include "base/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* To a number above 2. */
static int move(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3), saved = errno;

	close(fd);
	errno = saved;
	return moved;
}

int sm_descriptor_socket(int domain, int type, int protocol)
{
	int fd = socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

	if (fd >= 0 && fd <= 2)
		fd = move(fd);
	if (fd >= 0)
		sm_inside_note_socket(fd);
	return fd;
}

enum sm_status sm_descriptor_wait(struct pollfd *fds, size_t n, int64_t ns, int64_t *now_ns)
{
	struct timespec timeout = {.tv_sec = ns > 0 ? ns / SM_NS_PER_S : 0, .tv_nsec = ns > 0 ? ns % SM_NS_PER_S : 0};
	int ready = ppoll(fds, n, &timeout, NULL), error = errno;
	int64_t clock_ns = sm_clock_now_ns(), least_ns = ready == 0 && ns > 0 ? *now_ns + ns : *now_ns;

	*now_ns = clock_ns > least_ns ? clock_ns : least_ns;
	if (ready >= 0)
		return SM_OK;
	for (size_t i = 0; i < n; i++)
		fds[i].revents = 0;
	if (error == EINTR)
		return SM_OK;
	return error == EPERM || error == ENOSYS ? SM_REFUSED : SM_EXHAUSTED;
}
