/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel says of destinations: which source address it would use (connect of a datagram socket, which sends
 * nothing, and getsockname), and what that address is (netlink). As glibc's getaddrinfo asks it. */
#pragma once

#include "mesh/answer.h"
#include "mesh/rank.h"

/* Gives every address of the answer its rank. What the system refuses to say counts as unreachable or unknown, as it does
 * for glibc. Takes some 10 µs an address, and waits for nothing. */
void sm_source_rank(const struct sm_policies *policies, struct sm_answer *answer);
