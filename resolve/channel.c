/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* c-ares, tamed for life inside somebody else's process: no configuration files, no environment (see also
 * resolve/confine.c), sockets that are close-on-exec, never 0-2, and never raise SIGPIPE. */
#include "resolve/channel.h"

#include "base/random.h"
#include "base/descriptor.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEVER_MS 3600000 /* c-ares's own time-out: longer than any deadline of ours */
#define TCP_TRIES 8      /* for servers that close the connection after each answer, of several under way */

/* UDP and TCP are two c-ares channels: when a connection breaks, c-ares gives up all questions of its channel. */
struct leg {
	struct sm_channel *channel;
	ares_channel ares; /* NULL: not opened yet */
	bool is_stream;
	size_t message_at; /* bytes read of the current message of a stream */
};

struct sm_channel {
	struct sm_server server;
	struct leg udp, tcp;
	bool is_plain; /* the server does not know EDNS0 */
	enum sm_status socket_status;
};

/* A question under way. */
struct hearing {
	struct leg *leg;
	const char *name;
	enum sm_rr_type type;
	bool is_plain;
	sm_channel_hear *hear;
	void *context;
};

static bool is_forbidding(int error)
{
	return error == EPERM || error == EACCES || error == ENOSYS || error == EAFNOSUPPORT;
}

static ares_socket_t open_socket(int domain, int type, int protocol, void *context)
{
	struct sm_channel *channel = ((struct leg *)context)->channel;
	int fd = sm_descriptor_socket(domain, type, protocol);

	if (fd >= 0)
		channel->socket_status = SM_OK;
	else if (channel->socket_status != SM_OK)
		channel->socket_status = is_forbidding(errno) ? SM_REFUSED : SM_MEMORY;
	return fd;
}

static int close_socket(ares_socket_t fd, void *context)
{
	(void)context;
	return close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *address, ares_socklen_t size, void *context)
{
	(void)context;
	return connect(fd, address, size);
}

/* c-ares 1.18 answers FORMERR by shortening the question in place, while a TCP write of it may still be queued: it then
 * sends freed memory (process_answer in ares_process.c). Another code for the same, which it leaves to us. */
static void hide_formerr(uint8_t *flags)
{
	if ((*flags & 0x0f) == ns_r_formerr)
		*flags = (uint8_t)((*flags & 0xf0) | ns_r_notimpl);
}

static ares_ssize_t receive(ares_socket_t fd, void *bytes, size_t size, int flags, struct sockaddr *from,
                            ares_socklen_t *from_size, void *context)
{
	struct leg *leg = context;
	ssize_t got = recvfrom(fd, bytes, size, flags, from, from_size);

	if (got == 0 && !leg->is_stream) {
		errno = EAGAIN; /* an empty datagram says nothing; c-ares would take it for the end */
		return -1;
	}
	if (got <= 0)
		return got;
	if (!leg->is_stream || size <= 2) /* <= 2: the length in front of a message, which c-ares reads by itself */
		leg->message_at = 0;
	if (leg->is_stream && size <= 2)
		return got;
	if (leg->message_at <= 3 && leg->message_at + (size_t)got > 3)
		hide_formerr((uint8_t *)bytes + 3 - leg->message_at);
	leg->message_at += (size_t)got;
	return got;
}

static ares_ssize_t send_parts(ares_socket_t fd, const struct iovec *parts, int n, void *context)
{
	struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)n};

	(void)context;
	return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static const struct ares_socket_functions socket_functions = {
	.asocket = open_socket,
	.aclose = close_socket,
	.aconnect = connect_socket,
	.arecvfrom = receive,
	.asendv = send_parts,
};

/* The any-address is this host, but its answers come from an address of its own. */
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
	/* Everything that c-ares would otherwise look for in /etc/resolv.conf is given. */
	static char lookups[] = "b";
	struct in_addr nowhere = {.s_addr = htonl(INADDR_LOOPBACK)};
	struct ares_options options = {
		.flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP |
		         (leg->is_stream ? ARES_FLAG_USEVC : ARES_FLAG_IGNTC),
		.timeout = NEVER_MS,
		.tries = leg->is_stream ? TCP_TRIES : 1,
		.ndots = 1,
		.servers = &nowhere,
		.nservers = 1,
		.lookups = lookups,
		.ednspsz = SM_EDNS_SIZE,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_SERVERS |
	           ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SORTLIST | ARES_OPT_NOROTATE | ARES_OPT_EDNSPSZ;

	return ares_init_options(&leg->ares, &options, mask);
}

static enum sm_status open_leg(struct sm_channel *channel, struct leg *leg)
{
	struct ares_addr_port_node node = {.udp_port = channel->server.port, .tcp_port = channel->server.port};

	if (leg->ares)
		return SM_OK;
	leg->channel = channel;
	if (init_ares(leg) != ARES_SUCCESS) {
		leg->ares = NULL;
		return SM_MEMORY;
	}
	ares_set_socket_functions(leg->ares, &socket_functions, leg);
	set_address(&channel->server.address, &node);
	return ares_set_servers_ports(leg->ares, &node) == ARES_SUCCESS ? SM_OK : SM_MEMORY;
}

enum sm_status sm_channel_open(const struct sm_server *server, struct sm_channel **ret)
{
	struct sm_channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return SM_MEMORY;
	channel->server = *server;
	channel->socket_status = SM_MEMORY;
	channel->tcp.is_stream = true;
	if (open_leg(channel, &channel->udp) != SM_OK) {
		sm_channel_close(channel);
		return SM_MEMORY;
	}
	*ret = channel;
	return SM_OK;
}

void sm_channel_close(struct sm_channel *channel)
{
	if (!channel)
		return;
	if (channel->udp.ares)
		ares_destroy(channel->udp.ares);
	if (channel->tcp.ares)
		ares_destroy(channel->tcp.ares);
	free(channel);
}

/* The id is ours: c-ares 1.18 would draw it from a generator that it seeds once, and badly in a chroot. */
static int create_query(const struct hearing *hearing, unsigned char **ret, int *ret_size)
{
	uint16_t id;

	sm_random_fill(&id, sizeof(id));
	return ares_create_query(hearing->name, ns_c_in, (int)hearing->type, id, 1, ret, ret_size,
	                         hearing->is_plain ? 0 : SM_EDNS_SIZE);
}

static void send_question(struct hearing hearing);

/* A server that does not know EDNS0 says FORMERR or NOTIMP (RFC 6891, 7; both are NOTIMP here, see hide_formerr): once more
 * without, and so from then on. */
static bool dislikes_edns(const struct hearing *hearing, const unsigned char *message, int size)
{
	return !hearing->is_plain && size > 3 && (message[3] & 0x0f) == ns_r_notimpl;
}

static bool is_truncated(const struct hearing *hearing, const unsigned char *message, int size)
{
	return !hearing->leg->is_stream && size > 2 && (message[2] & 0x02);
}

static void heard(void *argument, int status, int timeouts, unsigned char *message, int size)
{
	struct hearing hearing = *(struct hearing *)argument;
	struct sm_channel *channel = hearing.leg->channel;

	(void)timeouts;
	free(argument);
	if (status != ARES_SUCCESS || !message || size <= 0) {
		hearing.hear(hearing.context, hearing.leg->is_stream ? SM_SILENT : SM_REFUSED, NULL, 0);
	} else if (dislikes_edns(&hearing, message, size)) {
		channel->is_plain = hearing.is_plain = true;
		send_question(hearing);
	} else if (is_truncated(&hearing, message, size)) {
		hearing.leg = &channel->tcp;
		if (open_leg(channel, &channel->tcp) == SM_OK)
			send_question(hearing);
		else
			hearing.hear(hearing.context, SM_MEMORY, NULL, 0);
	} else {
		hearing.hear(hearing.context, SM_OK, message, (size_t)size);
	}
}

static void send_question(struct hearing hearing)
{
	struct hearing *argument = malloc(sizeof(*argument));
	unsigned char *query = NULL;
	int size = 0;

	if (!argument || create_query(&hearing, &query, &size) != ARES_SUCCESS) {
		hearing.hear(hearing.context, argument ? SM_INVALID : SM_MEMORY, NULL, 0);
		free(argument);
		return;
	}
	*argument = hearing;
	ares_send(hearing.leg->ares, query, size, heard, argument);
	ares_free_string(query);
}

void sm_channel_ask(struct sm_channel *channel, const char *name, enum sm_rr_type type, sm_channel_hear *hear,
                    void *context)
{
	send_question((struct hearing){
		.leg = &channel->udp,
		.name = name,
		.type = type,
		.is_plain = channel->is_plain,
		.hear = hear,
		.context = context,
	});
}

enum sm_status sm_channel_socket_status(const struct sm_channel *channel)
{
	return channel->socket_status;
}

static size_t fds_of(const struct leg *leg, struct pollfd *ret)
{
	ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
	int mask = leg->ares ? ares_getsock(leg->ares, sockets, ARES_GETSOCK_MAXNUM) : 0;
	short events = 0;

	/* one server and one protocol: one socket */
	if (ARES_GETSOCK_READABLE(mask, 0))
		events |= POLLIN;
	if (ARES_GETSOCK_WRITABLE(mask, 0))
		events |= POLLOUT;
	if (!events)
		return 0;
	*ret = (struct pollfd){.fd = sockets[0], .events = events};
	return 1;
}

size_t sm_channel_fds(const struct sm_channel *channel, struct pollfd *ret)
{
	size_t n = fds_of(&channel->udp, ret);

	return n + fds_of(&channel->tcp, ret + n);
}

/* The descriptor is looked up afresh: what one channel does may close another's. */
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
}

void sm_channel_process(struct sm_channel *channel, const struct pollfd *fds, size_t n)
{
	process_leg(&channel->udp, fds, n);
	process_leg(&channel->tcp, fds, n);
}
