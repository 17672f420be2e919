/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* c-ares, made safe for use inside a foreign process: no configuration files, no environment (see also
 * resolve/confine.c), and sockets that are close-on-exec, never 0-2, and never raise SIGPIPE. */
#include "resolve/channel.h"

#include "base/descriptor.h"
#include "base/random.h"
#include "base/scope.h"
#include "base/sockaddr.h"
#include "resolve/inbox.h"
#include "wire/message.h"

#define CARES_NO_DEPRECATED /* 1.18 has only the functions that 1.34 calls deprecated */
#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* 1.34 would cache answers, and so our stand-ins; qcache_max_ttl 0 switches that off. */
#ifdef ARES_OPT_QUERY_CACHE
#define WITHOUT_CACHE ARES_OPT_QUERY_CACHE
#else
#define WITHOUT_CACHE 0
#endif
#define NEVER_MS 3600000 /* c-ares's own time-out: longer than any deadline of ours */
#define FLAG_TRUNCATED 0x02 /* in the third byte of a header */
#define TCP_TRIES 8      /* for servers that close the connection after each answer, although more questions are open */
#define READS_AT_ONCE 16 /* so that a flood of useless datagrams does not hold up the thread */

/* UDP and TCP are two c-ares channels: when a connection breaks, c-ares gives up all questions of its channel. */
struct leg {
	struct sm_connection *connection;
	ares_channel ares; /* NULL: not opened yet */
	uint32_t n_sockets;
	struct sm_inbox inbox;
};

struct sm_connection {
	struct sm_channel_pool *pool; /* NULL: a guest's */
	struct sm_server server;
	struct leg udp, tcp;
	enum sm_status socket_status;
	bool is_own_fault; /* this host has no socket, or no route: the server is not to blame */
	int64_t now_ns; /* of the call that is on the stack, or the last one */
};

/* An open question. */
struct hearing {
	struct leg *leg;
	const char *name;
	enum sm_rr_type type;
	bool is_plain;
	sm_transport_hear *hear;
	void *context;
};

static bool is_forbidding(int error)
{
	return error == EPERM || error == EACCES || error == ENOSYS || error == EAFNOSUPPORT;
}

static bool is_own_fault(int error)
{
	return error == ENETUNREACH || error == EHOSTUNREACH || error == ENETDOWN || error == EADDRNOTAVAIL || error == ENODEV ||
	       error == EINVAL || error == ENOBUFS || error == ENOMEM || is_forbidding(error);
}

static ares_socket_t open_socket(int domain, int type, int protocol, void *context)
{
	struct leg *leg = context;
	struct sm_connection *connection = leg->connection;
	int fd = sm_descriptor_socket(domain, type, protocol);

	sm_inbox_reconnect(&leg->inbox);
	connection->is_own_fault = fd < 0;
	leg->n_sockets += fd >= 0;
	if (fd >= 0)
		connection->socket_status = SM_OK;
	else if (connection->socket_status != SM_OK)
		connection->socket_status = is_forbidding(errno) ? SM_REFUSED : SM_EXHAUSTED;
	return fd;
}

static int close_socket(ares_socket_t fd, void *context)
{
	((struct leg *)context)->n_sockets--;
	return close(fd);
}

/* c-ares knows no zones, so the address gets its zone here. */
static int connect_socket(ares_socket_t fd, const struct sockaddr *address, ares_socklen_t size, void *context)
{
	struct sm_connection *connection = ((struct leg *)context)->connection;
	struct sockaddr_in6 zoned;
	int code;

	if (connection->server.zone[0] != '\0' && address->sa_family == AF_INET6 && size >= sizeof(zoned)) {
		memcpy(&zoned, address, sizeof(zoned));
		zoned.sin6_scope_id = sm_sockaddr_scope(connection->server.zone);
		code = connect(fd, (const struct sockaddr *)&zoned, sizeof(zoned));
	} else {
		code = connect(fd, address, size);
	}
	if (code != 0 && errno != EINPROGRESS)
		connection->is_own_fault = is_own_fault(errno);
	return code;
}

/* Reads until there is a stand-in for c-ares. Messages that answer no question of ours are not passed to c-ares; nor
 * is an empty datagram, which c-ares would take for the end of the connection. */
static ares_ssize_t receive(ares_socket_t fd, void *bytes, size_t size, int flags, struct sockaddr *from,
                            ares_socklen_t *from_size, void *context)
{
	struct sm_inbox *inbox = &((struct leg *)context)->inbox;
	ares_socklen_t from_room = from_size ? *from_size : 0;

	for (int i = 0;; i++) {
		size_t given = sm_inbox_give(inbox, bytes, size), room_size;
		void *room;
		ssize_t got;

		if (given > 0)
			return (ares_ssize_t)given;
		if (i == READS_AT_ONCE || sm_inbox_room(inbox, &room, &room_size) != SM_OK)
			break;
		if (from_size)
			*from_size = from_room;
		got = recvfrom(fd, room, room_size, flags, from, from_size);
		if (got < 0 || (got == 0 && inbox->is_stream))
			return got;
		if (got > 0)
			sm_inbox_read(inbox, (size_t)got);
	}
	errno = EAGAIN;
	return -1;
}

/* Records the bytes that the kernel accepted: the first `left` bytes of all parts together. */
static enum sm_status note_sent(struct sm_inbox *inbox, const struct iovec *parts, size_t left)
{
	enum sm_status status = SM_OK;

	for (; left > 0 && status == SM_OK; parts++) {
		size_t size = left < parts->iov_len ? left : parts->iov_len;

		status = sm_inbox_sent(inbox, parts->iov_base, size);
		left -= size;
	}
	return status;
}

static ares_ssize_t send_parts(ares_socket_t fd, const struct iovec *parts, int n, void *context)
{
	struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)n};
	struct leg *leg = context;
	ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);

	/* at this point an unreachable host may be what a router said of an earlier question */
	leg->connection->is_own_fault = sent < 0 && errno != EHOSTUNREACH && is_own_fault(errno);

	if (sent > 0 && note_sent(&leg->inbox, parts, (size_t)sent) != SM_OK) {
		errno = ENOMEM;
		return -1;
	}
	return sent;
}

static const struct ares_socket_functions socket_functions = {
	.asocket = open_socket,
	.aclose = close_socket,
	.aconnect = connect_socket,
	.arecvfrom = receive,
	.asendv = send_parts,
};

/* The any-address means this host, but its answers come from one of the host's addresses. */
static void set_address(const struct sm_address *address, struct ares_addr_port_node *node)
{
	if (address->family == SM_IPV4) {
		node->family = AF_INET;
		memcpy(&node->addr.addr4, address->bytes, 4);
		if (node->addr.addr4.s_addr == htonl(INADDR_ANY))
			node->addr.addr4.s_addr = htonl(INADDR_LOOPBACK);
		return;
	}
	node->family = AF_INET6;
	memcpy(&node->addr.addr6, address->bytes, 16);
	if (memcmp(&node->addr.addr6, &in6addr_any, 16) == 0)
		memcpy(&node->addr.addr6, &in6addr_loopback, 16);
}

static int init_ares(struct leg *leg)
{
	/* All options that c-ares would otherwise read from /etc/resolv.conf are set. */
	static char lookups[] = "b";
	struct in_addr nowhere = {.s_addr = htonl(INADDR_LOOPBACK)};
	struct ares_options options = {
		.flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES |
		         (leg->inbox.is_stream ? ARES_FLAG_USEVC : 0),
		.timeout = NEVER_MS,
		.tries = leg->inbox.is_stream ? TCP_TRIES : 1,
		.ndots = 1,
		.servers = &nowhere,
		.nservers = 1,
		.lookups = lookups,
		.ednspsz = SM_EDNS_SIZE,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_SERVERS |
	           ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SORTLIST | ARES_OPT_NOROTATE | ARES_OPT_EDNSPSZ |
	           WITHOUT_CACHE;

	return ares_init_options(&leg->ares, &options, mask);
}

static ares_channel take_idle(struct sm_channel_pool *pool)
{
	return pool && pool->n_idle > 0 ? pool->idle[--pool->n_idle] : NULL;
}

/* A channel without sockets or questions is as good as a new one. */
static void close_leg(struct leg *leg, struct sm_channel_pool *pool)
{
	if (leg->ares && pool && !leg->inbox.is_stream && pool->n_idle < SM_CHANNELS_IDLE_MAX) {
		ares_cancel(leg->ares);
		if (leg->n_sockets == 0) {
			pool->idle[pool->n_idle++] = leg->ares;
			leg->ares = NULL;
		}
	}
	if (leg->ares)
		ares_destroy(leg->ares);
	sm_inbox_clear(&leg->inbox);
}

static enum sm_status open_leg(struct sm_connection *connection, struct leg *leg)
{
	struct ares_addr_port_node node = {.udp_port = connection->server.port, .tcp_port = connection->server.port};

	if (leg->ares)
		return SM_OK;
	leg->connection = connection;
	leg->ares = leg->inbox.is_stream ? NULL : take_idle(connection->pool);
	if (!leg->ares && init_ares(leg) != ARES_SUCCESS) {
		leg->ares = NULL;
		return SM_EXHAUSTED;
	}
	ares_set_socket_functions(leg->ares, &socket_functions, leg);
	set_address(&connection->server.address, &node);
	if (ares_set_servers_ports(leg->ares, &node) == ARES_SUCCESS)
		return SM_OK;
	ares_destroy(leg->ares); /* its server is still nowhere */
	leg->ares = NULL;
	return SM_EXHAUSTED;
}

static void close_connection(struct sm_connection *connection)
{
	if (!connection)
		return;
	close_leg(&connection->udp, connection->pool);
	close_leg(&connection->tcp, connection->pool);
	free(connection);
}

static enum sm_status open_in(struct sm_channel_pool *pool, const struct sm_server *server, struct sm_connection **ret)
{
	struct sm_connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return SM_EXHAUSTED;
	connection->pool = pool;
	connection->server = *server;
	connection->socket_status = SM_EXHAUSTED;
	sm_inbox_init(&connection->udp.inbox, false, pool ? pool->room : NULL);
	sm_inbox_init(&connection->tcp.inbox, true, NULL);
	if (open_leg(connection, &connection->udp) != SM_OK) {
		close_connection(connection);
		return SM_EXHAUSTED;
	}
	*ret = connection;
	return SM_OK;
}

static enum sm_status open_connection(const struct sm_transport *transport, const struct sm_server *server,
                                      struct sm_connection **ret)
{
	(void)transport;
	return open_in(NULL, server, ret);
}

/* We choose the id: c-ares 1.18 would draw it from a generator that is seeded once, and badly in a chroot. */
static int create_query(const struct hearing *hearing, unsigned char **ret, int *ret_size)
{
	struct sm_channel_pool *pool = hearing->leg->connection->pool;
	uint16_t id;

	sm_random_take(pool ? &pool->random : NULL, &id, sizeof(id));
	return ares_create_query(hearing->name, ns_c_in, (int)hearing->type, id, 1, ret, ret_size,
	                         hearing->is_plain ? 0 : SM_EDNS_SIZE);
}

static void tell(const struct hearing *hearing, enum sm_status status, const uint8_t *message, size_t size)
{
	hearing->hear(hearing->context, status, message, size, hearing->leg->connection->now_ns);
}

static void send_question(struct hearing hearing);

/* Handles the received message of a question. */
static void use_message(struct hearing hearing, uint8_t *message, size_t size)
{
	struct sm_connection *connection = hearing.leg->connection;

	if (!hearing.leg->inbox.is_stream && !sm_message_is_whole(message, size)) {
		message[2] |= FLAG_TRUNCATED;
		tell(&hearing, SM_FULL, message, size);
		hearing.leg = &connection->tcp;
		if (open_leg(connection, &connection->tcp) == SM_OK)
			send_question(hearing);
		else
			tell(&hearing, SM_EXHAUSTED, NULL, 0);
	} else {
		tell(&hearing, SM_OK, message, size);
	}
}

static void heard(void *argument, int status, int timeouts, unsigned char *stand_in, int stand_in_size)
{
	SM_SCOPE_FREE uint8_t *message = NULL;
	struct hearing hearing = *(struct hearing *)argument;
	struct sm_inbox *inbox = &hearing.leg->inbox;
	size_t size;

	(void)timeouts;
	free(argument);
	if (status == ARES_SUCCESS && stand_in && stand_in_size > 0 &&
	    sm_inbox_take(inbox, stand_in, (size_t)stand_in_size, &message, &size) == SM_OK)
		use_message(hearing, message, size);
	else if (hearing.leg->connection->is_own_fault)
		tell(&hearing, SM_EXHAUSTED, NULL, 0);
	else
		tell(&hearing, inbox->is_stream ? SM_SILENT : SM_REFUSED, NULL, 0);
}

static void send_question(struct hearing hearing)
{
	struct hearing *argument = malloc(sizeof(*argument));
	unsigned char *query = NULL;
	int size = 0;

	if (!argument || create_query(&hearing, &query, &size) != ARES_SUCCESS) {
		tell(&hearing, argument ? SM_INVALID : SM_EXHAUSTED, NULL, 0);
		free(argument);
		return;
	}
	*argument = hearing;
	ares_send(hearing.leg->ares, query, size, heard, argument);
	ares_free_string(query);
}

/* The leg that `flags` want; NULL: it cannot be opened. UDP is open from the start. */
static struct leg *leg_for(struct sm_connection *connection, unsigned flags)
{
	if (!(flags & SM_ASK_STREAM))
		return &connection->udp;
	return open_leg(connection, &connection->tcp) == SM_OK ? &connection->tcp : NULL;
}

static void ask_server(struct sm_connection *connection, const char *name, enum sm_rr_type type, unsigned flags,
                sm_transport_hear *hear, void *context, int64_t now_ns)
{
	struct leg *leg = leg_for(connection, flags);

	connection->now_ns = now_ns;
	if (!leg) {
		hear(context, SM_EXHAUSTED, NULL, 0, now_ns);
		return;
	}
	send_question((struct hearing){
		.leg = leg,
		.name = name,
		.type = type,
		.is_plain = flags & SM_ASK_PLAIN,
		.hear = hear,
		.context = context,
	});
}

static enum sm_status socket_status(const struct sm_connection *connection)
{
	return connection->socket_status;
}

static size_t fds_of(const struct leg *leg, struct pollfd *ret)
{
	ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
	int mask = leg->ares ? ares_getsock(leg->ares, sockets, ARES_GETSOCK_MAXNUM) : 0;
	short events = 0;

	/* one server and one protocol mean one socket */
	if (ARES_GETSOCK_READABLE(mask, 0))
		events |= POLLIN;
	if (ARES_GETSOCK_WRITABLE(mask, 0))
		events |= POLLOUT;
	if (!events)
		return 0;
	*ret = (struct pollfd){.fd = sockets[0], .events = events};
	return 1;
}

static size_t connection_fds(const struct sm_connection *connection, struct pollfd *ret)
{
	size_t n = fds_of(&connection->udp, ret);

	return n + fds_of(&connection->tcp, ret + n);
}

/* Looks the descriptor up again, because the work of one channel may close that of another. A release of c-ares
 * reads the length and the message in one call or in two. Bytes that the inbox has read and not yet given out do not
 * show up in a poll, so they are given out here. */
static void process_leg(struct leg *leg, const struct pollfd *fds, size_t n)
{
	struct pollfd own = {.fd = -1};
	bool is_broken, is_readable, is_writable;

	if (fds_of(leg, &own) == 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (fds[i].fd == own.fd)
			own.revents = fds[i].revents;
	is_broken = own.revents & (POLLERR | POLLHUP | POLLNVAL);
	is_readable = is_broken || (own.revents & POLLIN);
	is_writable = (is_broken || (own.revents & POLLOUT)) && (own.events & POLLOUT);
	if (is_readable || is_writable)
		ares_process_fd(leg->ares, is_readable ? own.fd : ARES_SOCKET_BAD, is_writable ? own.fd : ARES_SOCKET_BAD);
	while (sm_inbox_can_give(&leg->inbox) && fds_of(leg, &own) > 0) {
		size_t before = leg->inbox.given;

		ares_process_fd(leg->ares, own.fd, ARES_SOCKET_BAD);
		if (leg->inbox.given == before)
			break;
	}
}

/* c-ares waits by its own clock for NEVER_MS. */
static int64_t wakes_ns(const struct sm_connection *connection)
{
	(void)connection;
	return INT64_MAX;
}

static void process_connection(struct sm_connection *connection, const struct pollfd *fds, size_t n, int64_t now_ns)
{
	connection->now_ns = now_ns;
	process_leg(&connection->udp, fds, n);
	process_leg(&connection->tcp, fds, n);
}

const struct sm_transport sm_channel_transport = {
	.open = open_connection,
	.close = close_connection,
	.ask = ask_server,
	.fds = connection_fds,
	.wakes_ns = wakes_ns,
	.process = process_connection,
	.socket_status = socket_status,
};

static enum sm_status open_pooled(const struct sm_transport *transport, const struct sm_server *server,
                                  struct sm_connection **ret)
{
	_Static_assert(offsetof(struct sm_channel_pool, transport) == 0, "the transport is the pool");
	return open_in((struct sm_channel_pool *)transport, server, ret);
}

void sm_channel_pool_start(struct sm_channel_pool *pool)
{
	pool->transport = sm_channel_transport;
	pool->transport.open = open_pooled;
	pool->n_idle = 0;
	pool->random.n_left = 0;
}

void sm_channel_pool_shrink(struct sm_channel_pool *pool, uint32_t n)
{
	while (pool->n_idle > n)
		ares_destroy(take_idle(pool));
}

void sm_channel_pool_stop(struct sm_channel_pool *pool)
{
	sm_channel_pool_shrink(pool, 0);
}
