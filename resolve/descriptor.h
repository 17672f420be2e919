/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors in somebody else's process. */
#pragma once

/* A socket that is close-on-exec, does not block, and is none of 0, 1, 2, which may be closed in the host: its next write to
 * "stderr" must not become a packet. -1 with errno, as socket(2). */
int sm_descriptor_socket(int domain, int type, int protocol);
