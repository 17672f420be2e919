/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors in somebody else's process: opening sockets, and waiting for them. */
#pragma once

#include "base/status.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

/* A socket that is close-on-exec, does not block, and is none of 0, 1, 2, which may be closed in the host: its next write to
 * "stderr" must not become a packet. -1 with errno, as socket(2). */
int sm_descriptor_socket(int domain, int type, int protocol);

/* Polls for at most `ns` (negative: not at all), and then tells the time in *now_ns: by the clock, but not less than what
 * was waited, for a host may have put a clock that stands still in its place. An interruption by a signal is SM_OK without
 * events. SM_REFUSED (a sandbox), SM_MEMORY (RLIMIT_NOFILE): the system will not let us wait; turning in a circle would
 * be no way to wait. */
enum sm_status sm_descriptor_wait(struct pollfd *fds, size_t n, int64_t ns, int64_t *now_ns) SM_MUST_CHECK;
