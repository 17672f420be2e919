/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The seam: all that the asker knows of how a question travels to a server, and a message back.
 *
 * Behind it are c-ares (resolve/channel.h), and in tests a transport without sockets. A transport has no time-out of its
 * own and reads no clock: the asker decides how long it waits, and time is an argument. Not for two threads at once. */
#pragma once

#include "base/status.h"
#include "mesh/reply.h"
#include "mesh/rule.h"

#include <poll.h>

#define SM_TRANSPORT_FDS_MAX 2 /* of one connection: UDP and TCP */

/* How a question is to be sent. */
enum sm_transport_flags {
	SM_ASK_STREAM = 1, /* by TCP from the start, not only where an answer is truncated */
	SM_ASK_PLAIN = 2,  /* without EDNS0 */
};

/* One server, for as long as one lookup talks to it; each transport defines its own. */
struct sm_connection;

/* SM_OK: a message, borrowed for the call. SM_REFUSED: the server cannot be reached. SM_SILENT: the server broke off the
 * connection that carried this question. SM_INVALID, SM_EXHAUSTED: the question could not even be sent, because this host has
 * no socket, no memory or no route. Called once for each question, from ask, process or close; `now_ns` is what that call was
 * given, and at a close the last time known. Before that SM_FULL may come: a message that was cut, with TC set; the whole is
 * being asked for by TCP. */
typedef void sm_transport_hear(void *context, enum sm_status status, const uint8_t *message, size_t size, int64_t now_ns);

/* Any number of asked questions share a connection. */
struct sm_transport {
	/* SM_EXHAUSTED. Opens no socket yet. `transport` is this very struct; it outlives the connection. */
	enum sm_status (*open)(const struct sm_transport *transport, const struct sm_server *server,
	                       struct sm_connection **ret);
	/* Ends what is under way: each of its questions hears SM_REFUSED or SM_SILENT first. NULL is accepted. */
	void (*close)(struct sm_connection *connection);

	/* Sends one question, recursion desired. `name` must live until `hear` is called. `flags`: enum sm_transport_flags. */
	void (*ask)(struct sm_connection *connection, const char *name, enum sm_rr_type type, unsigned flags,
	            sm_transport_hear *hear, void *context, int64_t now_ns);

	/* What to poll: at most SM_TRANSPORT_FDS_MAX entries, written to `ret`; and when to call process at the latest without
	 * an event (INT64_MAX: no need). */
	size_t (*fds)(const struct sm_connection *connection, struct pollfd *ret);
	int64_t (*wakes_ns)(const struct sm_connection *connection);
	/* Takes up its own of the entries after a poll; the others may belong to other connections. */
	void (*process)(struct sm_connection *connection, const struct pollfd *fds, size_t n, int64_t now_ns);

	/* Was there never a socket? SM_OK: there was one. SM_REFUSED: the system forbids it (a seccomp filter, no such address
	 * family). SM_EXHAUSTED: this process lacks something, such as a free descriptor. */
	enum sm_status (*socket_status)(const struct sm_connection *connection);
};
