/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel says about destinations: the source address it would use (connect of a datagram socket, which sends
 * nothing, and getsockname), and the properties of that address (netlink). glibc's getaddrinfo asks in the same way. */
#pragma once

#include "base/status.h"
#include "mesh/answer.h"
#include "mesh/rank.h"

/* The host's own addresses and links at the time of sm_network_learn, and two sockets that stay open until it is
 * freed. */
struct sm_network;

/* Takes some 100 µs. What the system refuses to tell counts as unknown, as in glibc. SM_EXHAUSTED: this process lacks
 * something, such as a free descriptor. */
enum sm_status sm_network_learn(struct sm_network **ret) SM_MUST_CHECK;
void sm_network_free(struct sm_network *network);

/* The families of which this host has an address of global or unique-local scope; both where it has none. */
uint8_t sm_network_families(const struct sm_network *network);

/* From now on, or no longer, what the kernel says of a destination is kept for SM_SOURCE_KEPT_NS; what is kept is forgotten in
 * any case. For a process that watches the routes, and one thread. Where there is no memory, nothing is kept. */
#define SM_SOURCE_KEPT_NS (10 * 1000000000LL)
void sm_network_remember(struct sm_network *network, bool remembers);

/* A socket that becomes readable when addresses or links change; -1: the system has none. */
int sm_network_watch(void);
/* The same for routes. They may change very often: srvmeshd reads it once a second at most. */
int sm_network_watch_routes(void);
/* Reads the messages of such a socket; true: something has changed. */
bool sm_network_has_changed(int fd);

/* Has the kernel a source address for this destination? Takes some microseconds, and never waits. */
bool sm_source_reaches(const struct sm_network *network, const struct sm_address *destination);
/* Gives every address of the answer its rank. Takes some 10 µs for each address, and never waits. */
void sm_source_rank(const struct sm_policies *policies, const struct sm_network *network, struct sm_answer *answer);
