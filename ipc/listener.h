/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's side of its sockets. Nothing here waits. */
#pragma once

#include "ipc/address.h"
#include "ipc/frame.h"

#include <stdbool.h>
#include <sys/types.h>

struct sm_listener {
	int requests; /* SOCK_SEQPACKET, listening */
	int hints;    /* SOCK_DGRAM; -1: none */
	/* of the files of sockets that we have made, and shall remove if they are still those */
	struct {
		char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* empty: not ours */
		dev_t device;
		ino_t inode;
	} files[2];
};

/* Makes both sockets, in place of what a dead daemon left. SM_REFUSED: somebody listens there, or it is forbidden. */
enum sm_status sm_listener_open(const char *path, struct sm_listener *ret) SM_MUST_CHECK;
/* Takes over `n` descriptors from 3 on, as sd_listen_fds(3) hands them. SM_INVALID: they are not ours. */
enum sm_status sm_listener_take(int n, struct sm_listener *ret) SM_MUST_CHECK;
void sm_listener_close(struct sm_listener *listener);

/* SM_MISS: nobody waits. SM_MEMORY: somebody does, and there is no descriptor for him. */
enum sm_status sm_listener_accept(const struct sm_listener *listener, int *ret_fd, uid_t *ret_uid) SM_MUST_CHECK;
/* SM_MISS: none waits. SM_CORRUPT: one that is none. */
enum sm_status sm_listener_hint(const struct sm_listener *listener, struct sm_request *ret) SM_MUST_CHECK;

/* The request of an accepted connection. SM_MISS: not yet. SM_REFUSED: it is gone. SM_CORRUPT: no request. */
enum sm_status sm_listener_receive(int fd, struct sm_request *ret) SM_MUST_CHECK;
/* Sends a reply; who does not take it loses it. */
void sm_listener_reply(int fd, enum sm_frame_kind kind, const void *body, size_t size);

/* Tells who started us, as sd_notify(3) does; `socket_path` is NOTIFY_SOCKET, or NULL: nobody wants to know. */
void sm_listener_notify(const char *socket_path, const char *state);
