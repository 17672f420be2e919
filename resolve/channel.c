/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* c-ares, tamed for life inside somebody else's process: no configuration files, no environment (see also
 * resolve/confine.c), sockets that are close-on-exec, never 0-2, and never raise SIGPIPE. */
#include "resolve/channel.h"

#include "base/random.h"
#include "resolve/descriptor.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEVER_MS 3600000 /* c-ares's own time-out: longer than any deadline of ours */

struct sm_channel {
	ares_channel ares;
	bool is_plain;     /* the server does not know EDNS0 */
	bool is_forbidden; /* no socket may be made */
};

/* A question under way. */
struct hearing {
	struct sm_channel *channel;
	const char *name;
	enum sm_rr_type type;
	bool is_plain;
	sm_channel_hear *hear;
	void *context;
};

static ares_socket_t open_socket(int domain, int type, int protocol, void *context)
{
	struct sm_channel *channel = context;
	int fd = sm_descriptor_socket(domain, type, protocol);

	if (fd < 0)
		channel->is_forbidden = errno == EPERM || errno == EACCES || errno == ENOSYS || errno == EAFNOSUPPORT;
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

static ares_ssize_t receive(ares_socket_t fd, void *bytes, size_t size, int flags, struct sockaddr *from,
                            ares_socklen_t *from_size, void *context)
{
	(void)context;
	return recvfrom(fd, bytes, size, flags, from, from_size);
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

static enum sm_status set_server(struct sm_channel *channel, const struct sm_server *server)
{
	struct ares_addr_port_node node = {.udp_port = server->port, .tcp_port = server->port};

	if (server->address.family == SM_IPV4) {
		node.family = AF_INET;
		memcpy(&node.addr.addr4, server->address.bytes, 4);
	} else {
		node.family = AF_INET6;
		memcpy(&node.addr.addr6, server->address.bytes, 16);
	}
	return ares_set_servers_ports(channel->ares, &node) == ARES_SUCCESS ? SM_OK : SM_MEMORY;
}

static enum sm_status init_ares(struct sm_channel *channel)
{
	/* Everything that c-ares would otherwise look for in /etc/resolv.conf is given. */
	static char lookups[] = "b";
	struct in_addr nowhere = {.s_addr = htonl(INADDR_LOOPBACK)};
	struct ares_options options = {
		.flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP,
		.timeout = NEVER_MS,
		.tries = 1,
		.ndots = 1,
		.servers = &nowhere,
		.nservers = 1,
		.lookups = lookups,
		.ednspsz = SM_EDNS_SIZE,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_SERVERS |
	           ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SORTLIST | ARES_OPT_NOROTATE | ARES_OPT_EDNSPSZ;

	return ares_init_options(&channel->ares, &options, mask) == ARES_SUCCESS ? SM_OK : SM_MEMORY;
}

enum sm_status sm_channel_open(const struct sm_server *server, struct sm_channel **ret)
{
	struct sm_channel *channel = calloc(1, sizeof(*channel));
	enum sm_status status;

	if (!channel)
		return SM_MEMORY;
	status = init_ares(channel);
	if (status == SM_OK) {
		ares_set_socket_functions(channel->ares, &socket_functions, channel);
		status = set_server(channel, server);
	}
	if (status != SM_OK) {
		sm_channel_close(channel);
		return status;
	}
	*ret = channel;
	return SM_OK;
}

void sm_channel_close(struct sm_channel *channel)
{
	if (!channel)
		return;
	if (channel->ares)
		ares_destroy(channel->ares);
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

/* A server that does not know EDNS0 says FORMERR or NOTIMP (RFC 6891, 7): once more without, and so from then on.
 * c-ares does it for the first question of a channel only. */
static bool dislikes_edns(const struct hearing *hearing, const unsigned char *message, int size)
{
	int rcode = size > 3 ? message[3] & 0x0f : 0;

	return !hearing->is_plain && (rcode == ns_r_formerr || rcode == ns_r_notimpl);
}

static void heard(void *argument, int status, int timeouts, unsigned char *message, int size)
{
	struct hearing hearing = *(struct hearing *)argument;

	(void)timeouts;
	free(argument);
	if (status != ARES_SUCCESS || !message || size <= 0) {
		hearing.hear(hearing.context, SM_REFUSED, NULL, 0);
	} else if (dislikes_edns(&hearing, message, size)) {
		hearing.channel->is_plain = hearing.is_plain = true;
		send_question(hearing);
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
	ares_send(hearing.channel->ares, query, size, heard, argument);
	ares_free_string(query);
}

void sm_channel_ask(struct sm_channel *channel, const char *name, enum sm_rr_type type, sm_channel_hear *hear,
                    void *context)
{
	send_question((struct hearing){
		.channel = channel,
		.name = name,
		.type = type,
		.is_plain = channel->is_plain,
		.hear = hear,
		.context = context,
	});
}

bool sm_channel_is_forbidden(const struct sm_channel *channel)
{
	return channel->is_forbidden;
}

size_t sm_channel_fds(const struct sm_channel *channel, struct pollfd *ret)
{
	ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
	int mask = ares_getsock(channel->ares, sockets, ARES_GETSOCK_MAXNUM);
	size_t n = 0;

	for (int i = 0; i < SM_CHANNEL_FDS_MAX; i++) {
		short events = 0;

		if (ARES_GETSOCK_READABLE(mask, i))
			events |= POLLIN;
		if (ARES_GETSOCK_WRITABLE(mask, i))
			events |= POLLOUT;
		if (events)
			ret[n++] = (struct pollfd){.fd = sockets[i], .events = events};
	}
	return n;
}

void sm_channel_process(struct sm_channel *channel, const struct pollfd *fds, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool is_broken = fds[i].revents & (POLLERR | POLLHUP | POLLNVAL);
		bool is_readable = is_broken || (fds[i].revents & POLLIN);
		bool is_writable = (is_broken || (fds[i].revents & POLLOUT)) && (fds[i].events & POLLOUT);

		if (is_readable || is_writable)
			ares_process_fd(channel->ares, is_readable ? fds[i].fd : ARES_SOCKET_BAD,
			                is_writable ? fds[i].fd : ARES_SOCKET_BAD);
	}
}
