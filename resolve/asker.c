/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tries. What arrives is only copied while the transport is on the stack, and read in sm_asker_take. */
#include "resolve/asker.h"

#include "base/clock.h"
#include "base/random.h"
#include "wire/message.h"

#include <stdlib.h>
#include <string.h>

struct sm_asked {
	struct sm_asker *asker;
	struct sm_question question;
	const struct sm_rule *rule;
	bool is_open;
	enum sm_status outcome; /* SM_OK: a try is running */
	uint8_t server;    /* of the current try */
	uint8_t next;      /* the server whose turn is next */
	uint8_t failed;    /* servers that said their last word, a bit each */
	uint8_t n_silent;  /* tries that silence has ended */
	int64_t try_ends_ns;
	uint8_t *message; /* what came and is not yet read; owned */
	size_t message_size;
	uint8_t heard_from;
};

/* One sending of a question to one server. It stays where it is until the server is heard or its connection closed. */
struct try {
	struct sm_asked *asked;
	uint8_t server;
};

void sm_asker_init(struct sm_asker *asker, const struct sm_transport *transport, struct sm_arena *arena, uint64_t seed)
{
	asker->transport = transport;
	asker->arena = arena;
	asker->seed = seed;
	asker->n_connections = asker->n_asked = asker->asked_room = 0;
	asker->asked = NULL;
	asker->has_heard = asker->is_exhausted = false;
}

void sm_asker_clear(struct sm_asker *asker)
{
	for (uint32_t i = 0; i < asker->n_connections; i++)
		asker->transport->close(asker->connections[i].connection);
	for (uint32_t i = 0; i < asker->n_asked; i++)
		free(asker->asked[i]->message);
	sm_asker_init(asker, asker->transport, asker->arena, asker->seed);
}

static bool same_server(const struct sm_server *a, const struct sm_server *b)
{
	return a->port == b->port && memcmp(&a->address, &b->address, sizeof(a->address)) == 0;
}

/* The connection to a server; NULL: the server cannot be reached. */
static struct sm_connection *connection_to(struct sm_asker *asker, const struct sm_server *server)
{
	uint32_t n = asker->n_connections;

	for (uint32_t i = 0; i < n; i++)
		if (same_server(&asker->connections[i].server, server))
			return asker->connections[i].is_dead ? NULL : asker->connections[i].connection;
	if (n == SM_CONNECTIONS_MAX ||
	    asker->transport->open(asker->transport, server, &asker->connections[n].connection) != SM_OK)
		return NULL;
	asker->connections[n].server = *server;
	asker->connections[n].is_dead = false;
	asker->n_connections++;
	return asker->connections[n].connection;
}

static void fail(struct sm_asked *asked, uint8_t server)
{
	asked->failed |= (uint8_t)(1U << server);
}

/* A failed socket affects every open question on it, but only one of them gets the error: the kernel reports an ICMP
 * error once, to the next send or receive. */
static void fail_everywhere(struct sm_asker *asker, const struct sm_server *server)
{
	for (uint32_t i = 0; i < asker->n_connections; i++)
		if (same_server(&asker->connections[i].server, server))
			asker->connections[i].is_dead = true;
	for (uint32_t i = 0; i < asker->n_asked; i++)
		for (uint8_t k = 0; k < asker->asked[i]->rule->n_servers; k++)
			if (same_server(&asker->asked[i]->rule->servers[k], server))
				fail(asker->asked[i], k);
}

/* A first look at a message that is not yet decoded. */
static bool can_settle(const uint8_t *message, size_t size)
{
	int rcode = size > 3 ? message[3] & 0x0f : -1;

	return rcode == SM_RCODE_NOERROR || rcode == SM_RCODE_NXDOMAIN;
}

/* May run inside the transport's ask, process or close: it only notes. */
static void hear(void *context, enum sm_status status, const uint8_t *message, size_t size, int64_t now_ns)
{
	const struct try *try = context;
	struct sm_asked *asked = try->asked;
	uint8_t *copy;

	(void)now_ns; /* a late answer is as good as any */
	asked->asker->has_heard |= status == SM_OK;
	if (status == SM_REFUSED)
		fail_everywhere(asked->asker, &asked->rule->servers[try->server]);
	if (asked->message && can_settle(asked->message, asked->message_size))
		return; /* a good message is already waiting to be read */
	copy = status == SM_OK ? malloc(size) : NULL;
	asked->asker->is_exhausted |= status == SM_OK && !copy;
	if (!copy) {
		fail(asked, try->server);
		return;
	}
	memcpy(copy, message, size);
	if (asked->message)
		fail(asked, asked->heard_from); /* a bad message, replaced before it was read */
	free(asked->message);
	asked->message = copy;
	asked->message_size = size;
	asked->heard_from = try->server;
}

/* timeout × backoff^n, plus up to a quarter, so that many clients that failed together do not retry together. The first
 * try waits exactly as configured. */
static int64_t wait_ns(const struct sm_asked *asked)
{
	int64_t wait = asked->rule->timeout_ms * SM_NS_PER_MS, longest = asked->rule->deadline_ms * SM_NS_PER_MS;
	int64_t jitter;

	if (asked->n_silent == 0)
		return wait;
	for (uint8_t i = 0; i < asked->n_silent && wait < longest; i++)
		wait = wait * asked->rule->backoff_permille / 1000;
	jitter = (int64_t)(sm_random_step(&asked->asker->seed) % 1024);
	return wait + wait / 4 * jitter / 1024;
}

static bool has_failed(const struct sm_asked *asked, uint32_t server)
{
	return asked->failed & 1U << server;
}

/* The next server in turn that may still be asked. */
static enum sm_status choose_server(struct sm_asked *asked)
{
	uint32_t n = asked->rule->n_servers;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t server = (asked->next + i) % n;

		if (has_failed(asked, server))
			continue;
		asked->server = (uint8_t)server;
		asked->next = (uint8_t)((server + 1) % n);
		return SM_OK;
	}
	return SM_REFUSED;
}

static void send_try(struct sm_asked *asked, int64_t now_ns)
{
	struct sm_asker *asker = asked->asker;
	struct sm_connection *connection = connection_to(asker, &asked->rule->servers[asked->server]);
	struct try *try = sm_arena_take(asker->arena, sizeof(*try), _Alignof(struct try));

	if (!connection || !try) {
		fail(asked, asked->server);
		return;
	}
	*try = (struct try){.asked = asked, .server = asked->server};
	asker->transport->ask(connection, asked->question.name, asked->question.type, 0, hear, try, now_ns);
}

/* Sends to the next server that accepts the question; a server that fails at once does not count as a try. */
static enum sm_status start_try(struct sm_asked *asked, int64_t now_ns)
{
	if (asked->n_silent >= asked->rule->attempts)
		return SM_SILENT;
	do {
		if (choose_server(asked) != SM_OK)
			return SM_REFUSED;
		send_try(asked, now_ns);
	} while (has_failed(asked, asked->server));
	asked->try_ends_ns = now_ns + wait_ns(asked);
	return SM_OK;
}

enum sm_status sm_asker_ask(struct sm_asker *asker, uint32_t number, const struct sm_question *question,
                            const struct sm_rule *rule, int64_t now_ns)
{
	struct sm_asked **all = sm_arena_room(asker->arena, asker->asked, number, &asker->asked_room, sizeof(*all));
	struct sm_asked *asked = sm_arena_take(asker->arena, sizeof(*asked), _Alignof(struct sm_asked));

	if (!all || !asked)
		return SM_EXHAUSTED;
	*asked = (struct sm_asked){
		.asker = asker,
		.question = *question,
		.rule = rule,
		.is_open = true,
		.try_ends_ns = now_ns,
	};
	asker->asked = all;
	asker->asked[number] = asked;
	asker->n_asked = number + 1;
	asked->outcome = start_try(asked, now_ns);
	return SM_OK;
}

enum sm_status sm_asker_socket_status(const struct sm_asker *asker)
{
	enum sm_status status = asker->n_connections > 0 ? SM_REFUSED : SM_EXHAUSTED;

	if (asker->n_asked == 0)
		return SM_OK; /* there was no question to send */
	for (uint32_t i = 0; i < asker->n_connections; i++) {
		enum sm_status one = asker->transport->socket_status(asker->connections[i].connection);

		if (one == SM_OK)
			return SM_OK;
		if (one != SM_REFUSED)
			status = SM_EXHAUSTED;
	}
	return status;
}

size_t sm_asker_fds(const struct sm_asker *asker, struct pollfd *ret)
{
	size_t n = 0;

	for (uint32_t i = 0; i < asker->n_connections; i++)
		n += asker->transport->fds(asker->connections[i].connection, ret + n);
	return n;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t sm_asker_wakes_ns(const struct sm_asker *asker)
{
	int64_t wakes_ns = INT64_MAX;

	for (uint32_t i = 0; i < asker->n_connections; i++)
		wakes_ns = sooner(wakes_ns, asker->transport->wakes_ns(asker->connections[i].connection));
	for (uint32_t i = 0; i < asker->n_asked; i++)
		if (asker->asked[i]->is_open)
			wakes_ns = sooner(wakes_ns, asker->asked[i]->try_ends_ns);
	return wakes_ns;
}

void sm_asker_process(struct sm_asker *asker, const struct pollfd *fds, size_t n, int64_t now_ns)
{
	for (uint32_t i = 0; i < asker->n_connections; i++)
		asker->transport->process(asker->connections[i].connection, fds, n, now_ns);
}

/* Reads the received message. If it does not settle the question, its server is not asked again. */
static enum sm_status read_message(struct sm_asked *asked, struct sm_arena *room, struct sm_reply *ret)
{
	enum sm_status status;

	if (!asked->message)
		return SM_MISS;
	sm_arena_clear(room);
	status = sm_message_decode(asked->message, asked->message_size, asked->question.name, asked->question.type, room, ret);
	free(asked->message);
	asked->message = NULL;
	asked->asker->is_exhausted |= status == SM_EXHAUSTED;
	if (status == SM_OK && sm_message_settles(ret))
		return SM_OK;
	fail(asked, asked->heard_from);
	return SM_MISS;
}

/* Starts the next try if the current one is over. SM_OK: a try is running. */
static enum sm_status move_on(struct sm_asked *asked, int64_t now_ns)
{
	if (asked->outcome != SM_OK)
		return asked->outcome;
	if (has_failed(asked, asked->server))
		return start_try(asked, now_ns);
	if (now_ns < asked->try_ends_ns)
		return SM_OK;
	asked->n_silent++;
	return start_try(asked, now_ns);
}

enum sm_status sm_asker_take(struct sm_asker *asker, int64_t now_ns, struct sm_arena *room, struct sm_reply *ret,
                             uint32_t *ret_number)
{
	for (uint32_t i = 0; i < asker->n_asked; i++) {
		struct sm_asked *asked = asker->asked[i];

		if (!asked->is_open)
			continue;
		*ret_number = i;
		if (read_message(asked, room, ret) == SM_OK) {
			asked->is_open = false;
			return SM_OK;
		}
		asked->outcome = move_on(asked, now_ns);
		if (asked->outcome != SM_OK) {
			asked->is_open = false;
			return asked->outcome;
		}
	}
	return SM_MISS;
}
