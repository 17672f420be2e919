/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel says of destinations: which source address it would use (connect of a datagram socket, which sends
 * nothing, and getsockname), and what that address is (netlink). As glibc's getaddrinfo asks it. */
#pragma once

#include "base/status.h"
#include "mesh/answer.h"
#include "mesh/rank.h"

/* The host's own addresses and links, as they were when it was learnt; and two sockets, open as long as it is. */
struct sm_network;

/* Some 100 µs. What the system refuses to say counts as unknown, as it does for glibc. SM_MEMORY: this process lacks what it
 * takes to ask, such as a free descriptor. */
enum sm_status sm_network_learn(struct sm_network **ret) SM_MUST_CHECK;
void sm_network_free(struct sm_network *network);

/* A socket that becomes readable when addresses or links change; -1: the system has none. */
int sm_network_watch(void);
/* Takes up what it says; true: something has changed. */
bool sm_network_has_changed(int fd);

/* Gives every address of the answer its rank. Takes some 10 µs an address, and waits for nothing. */
void sm_source_rank(const struct sm_policies *policies, const struct sm_network *network, struct sm_answer *answer);
