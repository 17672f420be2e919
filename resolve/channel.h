/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The transport of c-ares: UDP with EDNS0, and TCP where an answer is truncated.
 *
 * A connection never outlives a lookup, so that every lookup has source ports of its own. A late answer is welcome until
 * the connection is closed. */
#pragma once

#include "base/random.h"
#include "resolve/inbox.h"
#include "wire/transport.h"

#include <stdint.h>

#define SM_EDNS_SIZE 1232 /* crosses every network unfragmented (DNS flag day 2020) */

extern const struct sm_transport sm_channel_transport;

#define SM_CHANNELS_IDLE_MAX 128 /* some 75 KiB each */

/* The same, for a process of ours: channels of c-ares, which cost much to make, are kept between lookups; their sockets are not.
 * For one thread. */
struct sm_channel_pool {
	struct sm_transport transport;
	void *idle[SM_CHANNELS_IDLE_MAX];
	uint32_t n_idle;
	struct sm_random_reserve random;
	uint8_t room[SM_INBOX_ROOM]; /* of all inboxes for datagrams */
};

void sm_channel_pool_start(struct sm_channel_pool *pool);
/* Keeps at most so many. */
void sm_channel_pool_shrink(struct sm_channel_pool *pool, uint32_t n);
/* After all connections of the transport have been closed. */
void sm_channel_pool_stop(struct sm_channel_pool *pool);
