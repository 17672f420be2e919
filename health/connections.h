/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The TCP connections of this host's network namespace, of all users, as the kernel lists them (sock_diag(7)). To list them
 * needs no privilege and sends no packet. Refusals last microseconds, and are not seen. */
#pragma once

#include "health/health.h"

#define SM_CONNECTIONS_FILTER_MAX 64 /* endpoints in one list of open connections */

struct sm_connection {
	struct sm_endpoint peer;
	uint64_t cookie;     /* the kernel's number for it, never used again */
	uint8_t retransmits; /* of what was sent last */
};

struct sm_connections_ear {
	void (*hear)(void *context, const struct sm_connection *connection);
	void *context;
};

/* Those whose first SYN is not answered yet. SM_FULL: they are more than fit into lists of 1 MiB, and some are left out.
 * SM_REFUSED: this kernel does not list them. SM_EXHAUSTED: not at the moment. */
enum sm_status sm_connections_waiting(const struct sm_connections_ear *ear) SM_MUST_CHECK;
/* Those to one of these endpoints, at most SM_CONNECTIONS_FILTER_MAX, that are open, or wait as above. SM_FULL: a list was longer
 * than 64 KiB, and is not whole; there is one for each family of socket and of address. */
enum sm_status sm_connections_to(const struct sm_endpoint *endpoints, uint32_t n, bool are_open,
                                 const struct sm_connections_ear *ear) SM_MUST_CHECK;

/* Reads a message of the kernel. SM_OK: more will follow. SM_MISS: it was the last. SM_REFUSED: it says that it has no such
 * list. SM_CORRUPT. Pure. */
enum sm_status sm_connections_read(const void *bytes, size_t size, const struct sm_connections_ear *ear) SM_MUST_CHECK;
/* The filter that makes the kernel list these endpoints alone; returns its size. Pure. */
#define SM_CONNECTIONS_FILTER_SIZE (SM_CONNECTIONS_FILTER_MAX * 32)
size_t sm_connections_filter(const struct sm_endpoint *endpoints, uint32_t n, uint8_t family,
                             uint8_t ret[SM_CONNECTIONS_FILTER_SIZE]);
