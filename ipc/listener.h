/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's side of its sockets. Nothing here waits. */
#pragma once

#include "base/sockaddr.h"
#include "ipc/frame.h"

#include <stdbool.h>
#include <sys/types.h>

struct sm_listener {
	int requests; /* SOCK_SEQPACKET, listening */
	int hints;    /* SOCK_DGRAM; -1: none */
	/* the socket files that we created, and remove at the end if they are still the same files */
	struct {
		char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* empty: not created by us */
		dev_t device;
		ino_t inode;
	} files[2];
};

/* Creates both sockets; replaces files that a dead daemon left. SM_REFUSED: a process listens there, or no
 * permission. */
enum sm_status sm_listener_open(const char *path, struct sm_listener *ret) SM_MUST_CHECK;
/* Takes over `n` descriptors, numbered from 3, as passed by sd_listen_fds(3), and listens there: clients see this process's
 * user from then on, and not the service manager's. SM_INVALID: they are not ours. */
enum sm_status sm_listener_take(int n, struct sm_listener *ret) SM_MUST_CHECK;
void sm_listener_close(struct sm_listener *listener);

/* Who asks, as the kernel says (SO_PEERCRED). */
struct sm_peer {
	uid_t uid;
	uid_t account; /* whom it counts as; the same, unless the caller knows better */
	pid_t pid; /* 0: not known, as from another pid namespace */
};

/* SM_MISS: no client is waiting. SM_EXHAUSTED: a client is waiting, but no descriptor is free for it. */
enum sm_status sm_listener_accept(const struct sm_listener *listener, int *ret_fd, struct sm_peer *ret) SM_MUST_CHECK;
/* SM_MISS: no hint is waiting. SM_CORRUPT: a datagram that is not a valid hint. SM_REFUSED: one that does not say who has sent
 * it. */
enum sm_status sm_listener_hint(const struct sm_listener *listener, struct sm_request *ret,
                                struct sm_peer *ret_from) SM_MUST_CHECK;

/* The request of an accepted connection. SM_MISS: nothing has arrived yet. SM_REFUSED: the client is gone.
 * SM_CORRUPT: not a valid request. */
enum sm_status sm_listener_receive(int fd, struct sm_request *ret) SM_MUST_CHECK;
/* Has the client closed the connection? */
bool sm_listener_is_gone(int fd);
/* Does a connection wait to be accepted? To ask costs less than to accept none. */
bool sm_listener_has_more(const struct sm_listener *listener);
/* Sends a reply from frame *part on, which moves on with what was sent; it begins at 0. SM_FULL: the rest has to wait until
 * the client has taken some of it; call again when `fd` is writable. SM_REFUSED: the client is gone. */
enum sm_status sm_listener_reply(int fd, const struct sm_frame_reply *reply, uint32_t *part) SM_MUST_CHECK;

/* Notifies the service manager, as sd_notify(3) does; `socket_path` is NOTIFY_SOCKET, or NULL: there is none to
 * notify. */
void sm_listener_notify(const char *socket_path, const char *state);
