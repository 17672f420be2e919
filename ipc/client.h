/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks srvmeshd, from any program's process: one connection, one request, one reply; no descriptor stays open. */
#pragma once

#include "ipc/frame.h"

#include <stdbool.h>
#include <sys/types.h>

/* srvmeshd's socket, and the user who alone, beside root, may listen there. */
struct sm_client_socket {
	const char *path;
	uid_t owner;
};

/* Does that user listen at the other end of a connection, or root? */
bool sm_client_is_theirs(int fd, const struct sm_client_socket *socket);

struct sm_client_reply {
	enum sm_frame_kind kind; /* never WORKING */
	enum sm_format format;   /* that the daemon understood: ask it in this one from now on */
	const void *content;     /* the record or text, inside `bytes`; NULL: this kind has none */
	size_t size;
	void *bytes; /* owned by the caller, by free */
};

/* Asks, and waits: for a first sign of life until `sign_ns`, for the reply until `deadline_ns` (base/clock.h). A daemon
 * that ends the connection without a word does not know the format of the request, and is asked again in the one before.
 * *has_sign is set as soon as the daemon has shown that it is alive.
 * SM_SILENT: nothing came in time. SM_REFUSED: no daemon listens, or the system forbids us to ask. SM_CORRUPT: the
 * answer is not a valid reply. SM_EXHAUSTED: this process lacks memory or a descriptor. SM_INVALID: another user listens
 * there. */
enum sm_status sm_client_ask(const struct sm_client_socket *socket, const struct sm_request *request, int64_t sign_ns,
                             int64_t deadline_ns, bool *has_sign, struct sm_client_reply *ret) SM_MUST_CHECK;

/* Asks for a stream of events; *ret_fd is the connection, the caller's to close. As with sm_client_ask. */
enum sm_status sm_client_open_stream(const struct sm_client_socket *socket, const struct sm_request *request, int64_t until_ns,
                                     int *ret_fd) SM_MUST_CHECK;
/* The next event, or a final reply. SM_SILENT: nothing came until `until_ns`. SM_MISS: the daemon has ended the connection. */
enum sm_status sm_client_next(int fd, int64_t until_ns, struct sm_client_reply *ret) SM_MUST_CHECK;

/* Sends a datagram to the hint socket next to `socket_path`, without waiting. SM_REFUSED: it could not be sent. */
enum sm_status sm_client_hint(const char *socket_path, const struct sm_request *request) SM_MUST_CHECK;
