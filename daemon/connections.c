/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Most connections are answered and closed as soon as they are accepted. A client that waits costs a timer, and is watched
 * for its end only if the job takes long. A reply that is larger than the socket's buffer goes out as the client takes it. */
#include "daemon/connections.h"

#include "daemon/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ACCEPTS_AT_ONCE 16 /* between them jobs go on: a storm of requests must not hold up the answers of servers, */
#define HINTS_AT_ONCE 32  /* nor a storm of hints */
#define PAUSE_MS 100    /* before it accepts again, when there are no descriptors */
#define SILENCE_MS 5000 /* that a client may have between connecting and asking */
#define TAKING_MS 5000  /* that a client may have for a reply */
#define LARGE_TEXT 16384 /* bytes */

/* ---- the end of a client */

static void free_client(struct sm_client *client)
{
	free((void *)client->reply.content);
	free(client);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct sm_client *client = handle->data;

	if (--client->n_handles == 0)
		free_client(client);
}

void sm_client_close(struct sm_client *client)
{
	struct sm_connections *connections = client->connections;

	connections->events->on_client_close(connections->context, client);
	if (client->has_large_text)
		sm_limits_give(connections->limits, SM_LIMITED_TEXTS, client->peer.account);
	sm_limits_give(connections->limits, SM_LIMITED_CLIENTS, client->peer.account);
	if (client->is_watched)
		uv_close((uv_handle_t *)&client->poll, on_handle_closed);
	close(client->fd);
	if (client->has_timer)
		sm_timers_end(&connections->timers, &client->timer);
	else if (client->n_handles == 0)
		free_client(client);
}

/* ---- replies */

static void watch_client(struct sm_client *client, int events);
static void start_timer(struct sm_client *client, uint32_t ms);

/* Keeps what did not go out; the copy is good until the client is freed. */
static enum sm_status keep_reply(struct sm_client *client, const struct sm_frame_reply *reply)
{
	bool is_large = reply->kind == SM_FRAME_TEXT && reply->size > LARGE_TEXT;
	void *copy;

	if (is_large && !sm_limits_take(client->connections->limits, SM_LIMITED_TEXTS, client->peer.account))
		return SM_FULL;
	client->has_large_text = is_large;
	copy = malloc(reply->size);
	if (!copy)
		return SM_EXHAUSTED;
	memcpy(copy, reply->content, reply->size);
	client->reply = *reply;
	client->reply.content = copy;
	return SM_OK;
}

void sm_client_reply(struct sm_client *client, enum sm_frame_kind kind, const void *content, size_t size)
{
	const struct sm_frame_reply reply = {client->request.format, kind, content, size};

	if (sm_listener_reply(client->fd, &reply, &client->reply_part) != SM_FULL || client->reply_part == 0 ||
	    keep_reply(client, &reply) != SM_OK) {
		sm_client_close(client);
		return;
	}
	client->connections->events->on_client_close(client->connections->context, client); /* it waits for no job now */
	watch_client(client, UV_READABLE | UV_WRITABLE);
	start_timer(client, TAKING_MS);
}

static void send_rest(struct sm_client *client)
{
	if (sm_listener_reply(client->fd, &client->reply, &client->reply_part) != SM_FULL)
		sm_client_close(client);
}

void sm_client_sign(struct sm_client *client)
{
	const struct sm_frame_reply sign = {client->request.format, SM_FRAME_WORKING, NULL, 0};
	uint32_t part = 0;
	enum sm_status status = sm_listener_reply(client->fd, &sign, &part);

	(void)status; /* a client that is gone is noticed by the watch */
	watch_client(client, UV_READABLE);
}

/* ---- waiting */

static void read_request(struct sm_client *client);

/* A request; or, from a client that waits, its end: it has nothing more to say. */
static void on_client_event(uv_poll_t *poll, int status, int events)
{
	struct sm_client *client = poll->data;

	if (client->reply.content && status == 0 && !(events & UV_READABLE))
		send_rest(client);
	else if (client->follower && status == 0 && !(events & UV_READABLE))
		client->connections->events->on_client_writable(client->connections->context, client);
	else if (client->is_read)
		sm_client_close(client);
	else
		read_request(client);
}

static void on_client_time(uv_timer_t *timer)
{
	struct sm_client *client = timer->data;

	if (client->is_read && !client->reply.content)
		client->connections->events->on_client_time(client->connections->context, client);
	else
		sm_client_close(client);
}

static void watch_client(struct sm_client *client, int events)
{
	if (!client->is_watched) {
		if (uv_poll_init(client->connections->loop, &client->poll, client->fd) != 0)
			return;
		client->poll.data = client;
		client->is_watched = true;
		client->n_handles++;
	}
	uv_poll_start(&client->poll, events, on_client_event);
}

static void start_timer(struct sm_client *client, uint32_t ms)
{
	if (!client->has_timer) {
		sm_timers_begin(&client->connections->timers, &client->timer, client);
		client->has_timer = true;
		client->n_handles++;
	}
	uv_update_time(client->connections->loop);
	uv_timer_start(&client->timer.uv, on_client_time, ms, 0);
}

enum sm_status sm_client_event(struct sm_client *client, const char *text, size_t size)
{
	const struct sm_frame_reply reply = {client->request.format, SM_FRAME_EVENT, text, size};
	uint32_t part = 0;
	enum sm_status status = sm_listener_reply(client->fd, &reply, &part);

	watch_client(client, UV_READABLE | (status == SM_FULL ? UV_WRITABLE : 0));
	return status;
}

void sm_client_follow(struct sm_client *client)
{
	if (client->has_timer)
		uv_timer_stop(&client->timer.uv);
	watch_client(client, UV_READABLE);
}

bool sm_client_is_trusted(const struct sm_client *client)
{
	return client->peer.uid == 0 || client->peer.uid == geteuid();
}

void sm_client_wait(struct sm_client *client, uint32_t ms)
{
	start_timer(client, ms);
}

/* ---- reading */

static void read_request(struct sm_client *client)
{
	struct sm_connections *connections = client->connections;
	enum sm_status status = sm_listener_receive(client->fd, &client->request);

	if (status == SM_MISS) {
		if (!client->has_timer)
			start_timer(client, SILENCE_MS); /* the time goes on, whatever wakes us */
		watch_client(client, UV_READABLE);
		return;
	}
	connections->counters->malformed += status == SM_CORRUPT;
	if (status != SM_OK) {
		sm_client_close(client); /* without a word: a client of a newer format asks again in an older one */
		return;
	}
	client->is_read = true;
	connections->events->on_request(connections->context, client);
}

/* ---- accepting */

/* What the client asks is taken from the queue first: a connection that is closed with something unread is reset. A format
 * that cannot be known yet is the oldest, which all clients understand. */
static void turn_away(struct sm_connections *connections, int fd)
{
	struct sm_request request;
	struct sm_frame_reply busy = {SM_FORMAT_1, SM_FRAME_BUSY, NULL, 0};
	enum sm_status status = sm_listener_receive(fd, &request);
	uint32_t part = 0;

	if (status == SM_OK)
		busy.format = request.format;
	connections->counters->busy++;
	status = sm_listener_reply(fd, &busy, &part);
	(void)status;
	close(fd);
}

static void welcome(struct sm_connections *connections, int fd, struct sm_peer peer)
{
	struct sm_client *client;

	if (!sm_limits_take(connections->limits, SM_LIMITED_CLIENTS, peer.account)) {
		turn_away(connections, fd);
		return;
	}
	client = malloc(sizeof(*client));
	if (!client) {
		sm_limits_give(connections->limits, SM_LIMITED_CLIENTS, peer.account);
		close(fd);
		return;
	}
	*client = (struct sm_client){.connections = connections, .peer = peer, .fd = fd};
	read_request(client);
}

static void on_connection(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
	struct sm_connections *connections = timer->data;

	uv_poll_start(&connections->requests, UV_READABLE, on_connection);
}

/* Are more of them likely to be in the queue? To look costs a call; if it is not looked at, the loop comes back. */
static bool is_crowded(const struct sm_connections *connections)
{
	return connections->limits->used[SM_LIMITED_CLIENTS] > 1;
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct sm_connections *connections = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		struct sm_peer peer;
		int fd;
		enum sm_status accepted = sm_listener_accept(&connections->listener, &fd, &peer);

		if (accepted == SM_EXHAUSTED) {
			sm_log_rarely(SM_LOG_WARNING, "no descriptor for a client", NULL);
			uv_poll_stop(poll);
			uv_timer_start(&connections->pause, on_pause_over, PAUSE_MS, 0);
		}
		if (accepted != SM_OK)
			return;
		peer.account = sm_accounts_of(connections->accounts, peer.uid);
		welcome(connections, fd, peer);
		if (!is_crowded(connections) || !sm_listener_has_more(&connections->listener))
			return;
	}
}

static void on_hints(uv_poll_t *poll, int status, int events)
{
	struct sm_connections *connections = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < HINTS_AT_ONCE; i++) {
		struct sm_request hint;
		struct sm_peer from;
		enum sm_status received = sm_listener_hint(&connections->listener, &hint, &from);

		if (received == SM_MISS)
			return;
		from.account = sm_accounts_of(connections->accounts, from.uid);
		if (received == SM_OK)
			connections->events->on_hint(connections->context, &hint, from);
		else
			connections->counters->malformed++;
	}
}

enum sm_status sm_connections_start(struct sm_connections *connections)
{
	uv_timer_init(connections->loop, &connections->pause);
	connections->pause.data = connections->requests.data = connections->hints.data = connections;
	sm_timers_start(&connections->timers, connections->loop, on_handle_closed);
	if (uv_poll_init(connections->loop, &connections->requests, connections->listener.requests) != 0)
		return SM_EXHAUSTED;
	uv_poll_start(&connections->requests, UV_READABLE, on_connection);
	if (connections->listener.hints < 0)
		return SM_OK;
	if (uv_poll_init(connections->loop, &connections->hints, connections->listener.hints) != 0)
		return SM_EXHAUSTED;
	uv_poll_start(&connections->hints, UV_READABLE, on_hints);
	return SM_OK;
}

void sm_connections_end(struct sm_connections *connections)
{
	sm_timers_stop(&connections->timers);
}

void sm_connections_stop(struct sm_connections *connections)
{
	uv_close((uv_handle_t *)&connections->pause, NULL);
	uv_close((uv_handle_t *)&connections->requests, NULL);
	if (connections->listener.hints >= 0)
		uv_close((uv_handle_t *)&connections->hints, NULL);
}
