/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors in a foreign process: opening sockets, and waiting for them. */
#pragma once

#include "base/status.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

/* A socket that is close-on-exec, does not block, and is never descriptor 0, 1 or 2. The program may have closed these,
 * and its next write to "stderr" must not become a packet. -1 with errno, as socket(2). */
int sm_descriptor_socket(int domain, int type, int protocol);

/* Polls for at most `ns` (negative: does not wait), and then sets *now_ns to the time of the clock, but advances it at
 * least by the time waited: a program may have replaced the clock by one that stands still. An interruption by a signal
 * is SM_OK without events. SM_REFUSED (a sandbox), SM_EXHAUSTED (RLIMIT_NOFILE): the system does not let us wait, and the
 * caller must not poll again in a busy loop. */
enum sm_status sm_descriptor_wait(struct pollfd *fds, size_t n, int64_t ns, int64_t *now_ns) SM_MUST_CHECK;
