/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The quiet probe: does an endpoint answer a SYN? The server's accept() is not woken: the kernel delays the last ACK of the
 * handshake by some 200 ms (TCP_QUICKACK off), and before that the socket is closed with a RST (SO_LINGER 0). A plain connect and
 * close would wake the server each time, fill its log, and lock this host out of a MySQL server (max_connect_errors). So
 * sm_probe_process must be called within 100 ms of a socket becoming writable.
 *
 * A second SYN goes out from another socket 300 ms after the first: one lost packet is no failure, nor is one path of several. */
#pragma once

#include "health/health.h"

#include <stdint.h>

#define SM_PROBE_SOCKETS 2

struct sm_probe {
	struct sm_endpoint endpoint;
	int fds[SM_PROBE_SOCKETS]; /* -1: not open */
	int64_t second_ns; /* when the second SYN goes out; INT64_MAX: it has */
	int64_t until_ns;
};

/* Sends the first SYN. SM_REASON_NEW: the probe is under way; else what came of it, and it is over. */
enum sm_health_reason sm_probe_begin(const struct sm_endpoint *endpoint, uint32_t timeout_ms, int64_t now_ns,
                                     struct sm_probe *ret);
/* When a socket is ready, or sm_probe_wakes_ns has come. As above. */
enum sm_health_reason sm_probe_process(struct sm_probe *probe, int64_t now_ns);
int64_t sm_probe_wakes_ns(const struct sm_probe *probe);
/* Gives it up. */
void sm_probe_close(struct sm_probe *probe);
