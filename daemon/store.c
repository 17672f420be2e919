/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection to the store: made, greeted, kept, made again.
 *
 *   connected ─► HELLO 3 ─► SUBSCRIBE, LRANGE ─► ready
 *                   │ RESP 2 alone: AUTH                    a second connection: AUTH, SUBSCRIBE; then LRANGE once more
 *                   └────────────► LRANGE ─► ready */
#include "daemon/store.h"

#include "base/clock.h"
#include "base/random.h"
#include "daemon/log.h"
#include "daemon/pipeline.h"
#include "mesh/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CONNECT_NS SM_NS_PER_S
#define DEAF_NS (5 * SM_NS_PER_S)
#define READ_MAX (2U * SM_RESP_REPLY_MAX)
#define WRITE_MAX (8U << 20)

static void wake_later(struct sm_store *store);

/* ---- words */

const char *sm_store_word(const struct sm_store *store)
{
	switch (store->state) {
	case SM_STORE_OFF:
		return "off";
	case SM_STORE_AWAY:
	case SM_STORE_GREETING:
		return "down";
	case SM_STORE_READY:
		break;
	}
	return store->breaker.is_slow ? "slow" : "up";
}

void sm_store_road(const struct sm_store *store, char ret[SM_PATH_MAX + 16])
{
	const struct sm_road *road = &store->conf.roads[store->road];
	char address[SM_TEXT_ENDPOINT_MAX];

	if (road->path[0] != '\0') {
		snprintf(ret, SM_PATH_MAX + 16, "unix:%s", road->path);
		return;
	}
	sm_text_server(&road->server, address);
	snprintf(ret, SM_PATH_MAX + 16, "%s", address);
}

static void log_road(struct sm_store *store, enum sm_log_level level, const char *event, const char *key, const char *value)
{
	char road[SM_PATH_MAX + 16];

	sm_store_road(store, road);
	sm_log(level, event, "server", road, key, value, NULL);
}

/* ---- the greeting: both connections log in, and the first one reads what was published before */

static enum sm_status log_in(struct sm_store *store, struct sm_stream *stream, int64_t now_ns)
{
	const char *words[3] = {"AUTH"};
	uint32_t n = 1;

	if (store->password[0] == '\0')
		return SM_OK;
	if (store->conf.username[0] != '\0')
		words[n++] = store->conf.username;
	words[n++] = store->password;
	return sm_pipeline_send(store, stream, SM_STORE_LOG_IN, words, n, now_ns);
}

static enum sm_status subscribe(struct sm_store *store, struct sm_stream *stream, int64_t now_ns)
{
	const char *const words[] = {"SUBSCRIBE", store->messages};

	return sm_pipeline_send(store, stream, SM_STORE_SUBSCRIBE, words, 2, now_ns);
}

static enum sm_status list_messages(struct sm_store *store, int64_t now_ns)
{
	const char *const words[] = {"LRANGE", store->messages, "-" SM_STORE_MESSAGES, "-1"};

	return sm_pipeline_send(store, store->stream, SM_STORE_LIST, words, 4, now_ns);
}

static enum sm_status greet(struct sm_store *store, int64_t now_ns)
{
	const char *words[5] = {"HELLO", "3"};
	uint32_t n = 2;

	if (store->password[0] != '\0') {
		words[n++] = "AUTH";
		words[n++] = store->conf.username[0] != '\0' ? store->conf.username : "default";
		words[n++] = store->password;
	}
	return sm_pipeline_send(store, store->stream, SM_STORE_HELLO, words, n, now_ns);
}

static const struct sm_stream_user listener;

static enum sm_status answer_hello(struct sm_store *store, const struct sm_resp_item *answer, int64_t now_ns)
{
	bool is_old = answer->kind == SM_RESP_ERROR && (sm_resp_begins(answer, "NOPROTO") || sm_resp_begins(answer, "ERR"));

	if (answer->kind == SM_RESP_ERROR && !is_old) {
		sm_store_log_error(store, answer);
		return SM_REFUSED;
	}
	if (!is_old)
		return subscribe(store, store->stream, now_ns) == SM_OK ? list_messages(store, now_ns) : SM_REFUSED;
	if (!store->listening &&
	    sm_stream_begin(&listener, store, CONNECT_NS, READ_MAX, WRITE_MAX, &store->listening) != SM_OK)
		return SM_REFUSED;
	return log_in(store, store->stream, now_ns) == SM_OK ? list_messages(store, now_ns) : SM_REFUSED;
}

static void ready(struct sm_store *store, const struct sm_resp_reply *list)
{
	bool is_first = store->state == SM_STORE_GREETING;

	store->state = SM_STORE_READY;
	store->lists_ns = sm_clock_now_ns() + DEAF_NS;
	if (is_first) {
		log_road(store, SM_LOG_INFO, "the shared store is reached", "protocol", store->listening ? "RESP 2" : "RESP 3");
		store->is_told_away = false;
	}
	for (uint32_t i = 1; i < list->n_items; i++)
		if (list->items[i].kind == SM_RESP_TEXT)
			store->events->on_message(store->context, i == 1 ? SM_STORE_OLDEST : SM_STORE_KEPT, list->items[i].bytes,
			                          list->items[i].size);
	store->events->on_ready(store->context, list->items[0].number >= atoi(SM_STORE_MESSAGES));
}

static enum sm_status answer_list(struct sm_store *store, const struct sm_resp_reply *reply)
{
	if (reply->items[0].kind == SM_RESP_ERROR) {
		sm_store_log_error(store, &reply->items[0]);
		if (store->state == SM_STORE_GREETING && !sm_resp_begins(&reply->items[0], "WRONGTYPE"))
			return SM_REFUSED;
	}
	ready(store, reply);
	return SM_OK;
}

/* ---- what comes */

/* "message", channel, message. */
static void take_push(struct sm_store *store, const struct sm_resp_reply *reply)
{
	const struct sm_resp_item *items = reply->items;

	if (reply->n_items == 4 && sm_resp_begins(&items[1], "message") && items[3].kind == SM_RESP_TEXT)
		store->events->on_message(store->context, SM_STORE_PUBLISHED, items[3].bytes, items[3].size);
}

static bool is_push(const struct sm_resp_reply *reply)
{
	return reply->items[0].kind == SM_RESP_PUSH;
}

/* An answer of the greeting, or of a job. */
static enum sm_status take_answer(struct sm_store *store, const struct sm_resp_reply *reply, int64_t now_ns)
{
	const struct sm_store_sent *sent = sm_pipeline_next(store);
	enum sm_store_command command;

	if (!sent)
		return SM_CORRUPT; /* to nothing that was asked */
	command = sent->command;
	if (command < SM_STORE_HELLO) {
		sm_pipeline_answer(store, &reply->items[0], now_ns);
		return SM_OK;
	}
	sm_pipeline_pop(store);
	if (command == SM_STORE_HELLO)
		return answer_hello(store, &reply->items[0], now_ns);
	if (command == SM_STORE_LIST)
		return answer_list(store, reply);
	if (reply->items[0].kind == SM_RESP_ERROR)
		sm_store_log_error(store, &reply->items[0]);
	/* without messages the store is still of use; without a login it is not, and will say so */
	return SM_OK;
}

static enum sm_status on_bytes(void *context, const uint8_t *bytes, size_t size, int64_t now_ns, size_t *ret_used)
{
	static struct sm_resp_reply reply;
	struct sm_store *store = context;
	const struct sm_store_sent *sent;
	enum sm_status status = sm_resp_read(bytes, size, &reply, ret_used);

	if (status != SM_OK)
		return status;
	if (!is_push(&reply))
		return take_answer(store, &reply, now_ns);
	sent = sm_pipeline_next(store);
	if (sent && sent->command == SM_STORE_SUBSCRIBE && reply.n_items > 1 && sm_resp_begins(&reply.items[1], "subscribe")) {
		sm_pipeline_pop(store);
		store->hears = true;
	} else {
		take_push(store, &reply);
	}
	return SM_OK;
}

static void on_open(void *context, int64_t now_ns)
{
	struct sm_store *store = context;

	store->state = SM_STORE_GREETING;
	store->hears = false;
	sm_breaker_begin(&store->breaker, (uint64_t)now_ns);
	if (greet(store, now_ns) != SM_OK)
		sm_stream_break(store->stream, now_ns);
}

/* Another road next time. */
static void on_end(void *context, int why, int64_t now_ns)
{
	struct sm_store *store = context;

	(void)now_ns;
	if (!store->is_told_away)
		log_road(store, SM_LOG_WARNING, "the shared store is not reached", "error",
		         why ? strerror(why) : "it closes the connection, is silent, or refuses us");
	store->is_told_away = true;
	store->state = SM_STORE_AWAY;
	store->road = (store->road + 1) % store->conf.n_roads;
	sm_stream_end(store->listening);
	store->listening = NULL;
	sm_pipeline_lose_all(store);
}

static const struct sm_stream_user user = {.on_open = on_open, .on_bytes = on_bytes, .on_end = on_end};

/* ---- the second connection */

static void on_listening(void *context, int64_t now_ns)
{
	struct sm_store *store = context;

	store->listens_ns = now_ns;
	if (log_in(store, store->listening, now_ns) != SM_OK || subscribe(store, store->listening, now_ns) != SM_OK)
		sm_stream_break(store->listening, now_ns);
}

static enum sm_status on_heard(void *context, const uint8_t *bytes, size_t size, int64_t now_ns, size_t *ret_used)
{
	static struct sm_resp_reply reply;
	struct sm_store *store = context;
	enum sm_status status = sm_resp_read(bytes, size, &reply, ret_used);

	if (status != SM_OK)
		return status;
	if (reply.items[0].kind == SM_RESP_ERROR)
		sm_store_log_error(store, &reply.items[0]);
	if (reply.n_items > 1 && sm_resp_begins(&reply.items[1], "subscribe")) {
		sm_stream_is_good(store->listening);
		store->hears = true;
		/* what was published before this moment */
		return list_messages(store, now_ns) == SM_OK ? SM_OK : SM_REFUSED;
	}
	take_push(store, &reply);
	return SM_OK;
}

static void on_deaf(void *context, int why, int64_t now_ns)
{
	((struct sm_store *)context)->hears = false;
	(void)why;
	(void)now_ns;
}

static const struct sm_stream_user listener = {.on_open = on_listening, .on_bytes = on_heard, .on_end = on_deaf};

/* ---- the loop */

static void watch(struct sm_store *store, struct sm_stream *stream)
{
	struct pollfd wanted = stream ? sm_stream_poll(stream) : (struct pollfd){.fd = -1};
	struct epoll_event event = {
		.events = (wanted.events & POLLIN ? EPOLLIN : 0U) | (wanted.events & POLLOUT ? EPOLLOUT : 0U),
		.data.fd = wanted.fd,
	};

	/* a closed descriptor leaves the epoll by itself */
	if (wanted.fd >= 0 && epoll_ctl(store->sockets_fd, EPOLL_CTL_MOD, wanted.fd, &event) != 0)
		epoll_ctl(store->sockets_fd, EPOLL_CTL_ADD, wanted.fd, &event);
}

static void connect_if_due(struct sm_store *store, struct sm_stream *stream, int64_t now_ns)
{
	const struct sm_road *road = &store->conf.roads[store->road];
	const struct sm_stream_end to = {.path = road->path[0] != '\0' ? road->path : NULL, .server = &road->server};

	sm_stream_connect(stream, &to, now_ns);
}

static void process(struct sm_store *store, int fd, short revents)
{
	int64_t now_ns = sm_clock_now_ns();

	if (store->stream && (fd < 0 || sm_stream_poll(store->stream).fd == fd))
		sm_stream_process(store->stream, revents, now_ns);
	if (store->listening && (fd < 0 || sm_stream_poll(store->listening).fd == fd))
		sm_stream_process(store->listening, revents, now_ns);
}

static void on_sockets_ready(uv_poll_t *poll, int status, int events)
{
	struct sm_store *store = poll->data;
	struct epoll_event found[2];
	int n = epoll_wait(store->sockets_fd, found, 2, 0);

	(void)status;
	(void)events;
	for (int i = 0; i < n; i++)
		process(store, found[i].data.fd, (short)(found[i].events & (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP)));
	wake_later(store);
}

static void on_waking(uv_timer_t *timer)
{
	wake_later(timer->data);
}

/* A store that does not tell what hosts publish is asked for it now and then. Returns when. */
static int64_t overcome_deafness(struct sm_store *store, int64_t now_ns)
{
	enum sm_status status = SM_OK;

	if (store->state != SM_STORE_READY || store->hears)
		return INT64_MAX;
	if (store->listening && sm_stream_is_open(store->listening) && now_ns >= store->listens_ns + CONNECT_NS)
		sm_stream_break(store->listening, now_ns);
	if (now_ns >= store->lists_ns) {
		status = list_messages(store, now_ns);
		store->lists_ns = now_ns + DEAF_NS;
	}
	(void)status; /* what does not fit now does the next time */
	return store->lists_ns;
}

/* Does what is due, and sets the timer for what is not. */
static void wake_later(struct sm_store *store)
{
	int64_t now_ns = sm_clock_now_ns(), wakes_ns;

	if (store->state == SM_STORE_OFF)
		return;
	connect_if_due(store, store->stream, now_ns);
	if (store->listening && sm_stream_is_open(store->stream))
		connect_if_due(store, store->listening, now_ns);
	wakes_ns = overcome_deafness(store, now_ns);
	process(store, -1, 0);
	wakes_ns = sm_sooner(wakes_ns, sm_pipeline_look(store, now_ns));
	wakes_ns = sm_sooner(wakes_ns, sm_stream_wakes_ns(store->stream));
	if (store->listening)
		wakes_ns = sm_sooner(wakes_ns, sm_stream_wakes_ns(store->listening));
	watch(store, store->stream);
	watch(store, store->listening);
	if (wakes_ns == INT64_MAX)
		uv_timer_stop(&store->waking);
	else
		sm_loop_wake(&store->waking, on_waking, wakes_ns, now_ns);
}

void sm_store_before_waiting(struct sm_store *store)
{
	if (store->state != SM_STORE_OFF && sm_stream_poll(store->stream).events & POLLOUT)
		wake_later(store);
}

enum sm_breaker_way sm_store_way(struct sm_store *store, int64_t now_ns)
{
	return store->state == SM_STORE_READY ? sm_breaker_way(&store->breaker, now_ns) : SM_BREAKER_PASS;
}

/* ---- starting and stopping */

void sm_store_start(struct sm_store *store)
{
	store->sockets_fd = -1;
	uv_timer_init(store->loop, &store->waking);
	store->waking.data = store;
}

void sm_store_stop(struct sm_store *store)
{
	sm_store_close(store);
	uv_close((uv_handle_t *)&store->waking, NULL);
	if (store->sockets_fd < 0)
		return;
	uv_close((uv_handle_t *)&store->sockets, NULL);
	close(store->sockets_fd);
}

/* Hosts that share nothing have no descriptor for it. */
static enum sm_status begin_to_wait(struct sm_store *store)
{
	int fd = store->sockets_fd < 0 ? epoll_create1(EPOLL_CLOEXEC) : -1;

	if (store->sockets_fd >= 0)
		return SM_OK;
	if (fd < 0 || uv_poll_init(store->loop, &store->sockets, fd) != 0) {
		if (fd >= 0)
			close(fd);
		return SM_EXHAUSTED;
	}
	store->sockets_fd = fd;
	store->sockets.data = store;
	uv_poll_start(&store->sockets, UV_READABLE, on_sockets_ready);
	return SM_OK;
}

enum sm_status sm_store_open(struct sm_store *store, const struct sm_shared_conf *conf, const char *password)
{
	sm_store_close(store);
	store->conf = *conf;
	snprintf(store->password, sizeof(store->password), "%s", password);
	snprintf(store->messages, sizeof(store->messages), "%s:flushes", conf->namespace);
	store->road = store->n_told = 0;
	store->is_told_away = false;
	if (begin_to_wait(store) != SM_OK ||
	    sm_stream_begin(&user, store, CONNECT_NS, READ_MAX, WRITE_MAX, &store->stream) != SM_OK)
		return SM_EXHAUSTED;
	store->state = SM_STORE_AWAY;
	sm_loop_wake(&store->waking, on_waking, 0, 0);
	return SM_OK;
}

void sm_store_close(struct sm_store *store)
{
	store->state = SM_STORE_OFF;
	uv_timer_stop(&store->waking);
	sm_stream_end(store->stream);
	sm_stream_end(store->listening);
	store->stream = store->listening = NULL;
	sm_pipeline_lose_all(store);
	explicit_bzero(store->password, sizeof(store->password));
}
