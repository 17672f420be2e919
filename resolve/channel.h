/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One conversation with one DNS server, by c-ares: UDP with EDNS0, TCP where an answer is truncated.
 *
 * It never outlives a lookup, so that every lookup has source ports of its own. It has no time-out: who asks decides
 * how long to wait, and a late answer is still welcome until the channel is closed. Not for two threads at once. */
#pragma once

#include "base/status.h"
#include "mesh/reply.h"
#include "mesh/rule.h"

#include <poll.h>

#define SM_CHANNEL_FDS_MAX 2 /* UDP and TCP */
#define SM_EDNS_SIZE 1232    /* what crosses every network unfragmented (DNS flag day 2020) */

struct sm_channel;

/* SM_OK: a message, borrowed for the call. SM_REFUSED: the server cannot be reached. SM_SILENT: it broke off this question's
 * TCP connection. SM_INVALID, SM_MEMORY: the question could not even be written. Called once for each question: from
 * sm_channel_ask, sm_channel_process, or at the latest (SM_REFUSED) sm_channel_close. */
typedef void sm_channel_hear(void *context, enum sm_status status, const uint8_t *message, size_t size);

/* SM_MEMORY. Opens no socket yet. */
enum sm_status sm_channel_open(const struct sm_server *server, struct sm_channel **ret) SM_MUST_CHECK;
void sm_channel_close(struct sm_channel *channel);

/* Sends one question, recursion desired, under a random id. `name` must live until it is heard of. */
void sm_channel_ask(struct sm_channel *channel, const char *name, enum sm_rr_type type, sm_channel_hear *hear,
                    void *context);

/* Was there never a socket? SM_OK: there was one. SM_REFUSED: the system forbids it (a seccomp filter, no such address
 * family). SM_MEMORY: this process lacks something, such as a free descriptor. */
enum sm_status sm_channel_socket_status(const struct sm_channel *channel);

/* What to poll: at most SM_CHANNEL_FDS_MAX entries, written to `ret`. */
size_t sm_channel_fds(const struct sm_channel *channel, struct pollfd *ret);
/* Takes up its own of the entries after a poll; the others may be anybody's. */
void sm_channel_process(struct sm_channel *channel, const struct pollfd *fds, size_t n);
