/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections: accepted, read, answered, closed; and hints, which are datagrams. What is asked, and what is the answer, is
 * daemon/requests.h's. */
#pragma once

#include "daemon/accounts.h"
#include "daemon/counters.h"
#include "daemon/limits.h"
#include "daemon/loop.h"
#include "daemon/timers.h"
#include "ipc/listener.h"

#include <sys/queue.h>

/* A client: one connection, one request, one reply. It is freed by sm_client_close or its final reply. */
struct sm_client {
	struct sm_connections *connections;
	struct sm_wanted *wanted; /* what it waits for, of daemon/requests.c; NULL: nothing yet */
	TAILQ_ENTRY(sm_client) asking; /* in a list of daemon/targets.c, where is_asking */
	bool is_asking;
	struct sm_request request;
	struct sm_peer peer;
	int fd;
	bool is_read; /* the request is complete */
	struct sm_follower *follower; /* of daemon/monitor.c; NULL: it does not follow events */
	bool is_watched, has_timer;
	int n_handles;
	uv_poll_t poll;
	struct sm_timer timer;
	struct sm_frame_reply reply; /* that the client has not yet taken all of; its content is owned */
	uint32_t reply_part;
	bool has_large_text; /* counted in SM_LIMITED_TEXTS */
};

/* What connections tell. */
struct sm_client_events {
	/* The request is complete, in client->request. It must be answered at once or later. */
	void (*on_request)(void *context, struct sm_client *client);
	/* The time of sm_client_wait is over. */
	void (*on_client_time)(void *context, struct sm_client *client);
	/* The client is about to be freed: forget it. */
	void (*on_client_close)(void *context, struct sm_client *client);
	void (*on_hint)(void *context, const struct sm_request *hint, struct sm_peer from);
	/* What sm_client_event could not send before may go out now. */
	void (*on_client_writable)(void *context, struct sm_client *client);
};

struct sm_connections {
	uv_loop_t *loop; /* set by main.c, as all up to `context` */
	struct sm_limits *limits;
	const struct sm_accounts *accounts;
	struct sm_counters *counters;
	const struct sm_client_events *events;
	void *context; /* of the events */

	struct sm_listener listener;
	uv_poll_t requests, hints;
	uv_timer_t pause; /* before it accepts again, when descriptors run out */
	struct sm_timers timers; /* of clients */
};

/* Serves connections->listener until sm_connections_stop. SM_EXHAUSTED. */
enum sm_status sm_connections_start(struct sm_connections *connections) SM_MUST_CHECK;
/* Accepts no more clients; serves the connected ones. */
void sm_connections_stop(struct sm_connections *connections);
/* When there are none left. */
void sm_connections_end(struct sm_connections *connections);

/* Watches the connection for its end, and calls on_client_time after `ms`. */
void sm_client_wait(struct sm_client *client, uint32_t ms);
/* A sign of life: the request takes time. */
void sm_client_sign(struct sm_client *client);
/* The final reply: a record or text of the client's format, or NULL. It is copied where it cannot be sent at once. */
void sm_client_reply(struct sm_client *client, enum sm_frame_kind kind, const void *content, size_t size);
void sm_client_close(struct sm_client *client);
/* The client stays connected, and gets events from now on; its time does not end. */
void sm_client_follow(struct sm_client *client);
/* Sends a frame that is not the final one. SM_FULL: the client has to take some first; on_client_writable will be called.
 * SM_REFUSED: it is gone; its end is noticed by itself. */
enum sm_status sm_client_event(struct sm_client *client, const char *text, size_t size) SM_MUST_CHECK;
/* May it see what concerns other users, and change what concerns all: is it root, or srvmeshd's own user? */
bool sm_client_is_trusted(const struct sm_client *client);
