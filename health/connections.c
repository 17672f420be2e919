/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "health/connections.h"

#include "base/descriptor.h"
#include "base/scope.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define WAITING_MAX (1U << 20) /* bytes of a list: some 7,000 connections */
#define OPEN_MAX (64U << 10)
#define ROOM (32U << 10)       /* the kernel sends no more at a time */

/* ---- what the kernel says */

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96 */

/* An IPv4 address that a program reaches through an IPv6 socket is one. */
static void read_peer(const struct inet_diag_msg *message, struct sm_endpoint *ret)
{
	const uint8_t *bytes = (const uint8_t *)message->id.idiag_dst;
	bool is_mapped = message->idiag_family == AF_INET6 && memcmp(bytes, mapped, sizeof(mapped)) == 0;

	*ret = (struct sm_endpoint){.port = ntohs(message->id.idiag_dport)};
	if (message->idiag_family == AF_INET || is_mapped) {
		ret->address.family = SM_IPV4;
		memcpy(ret->address.bytes, bytes + (is_mapped ? sizeof(mapped) : 0), 4);
	} else {
		ret->address.family = SM_IPV6;
		memcpy(ret->address.bytes, bytes, sizeof(ret->address.bytes));
	}
}

static void read_connection(const struct inet_diag_msg *message, const struct sm_connections_ear *ear)
{
	struct sm_connection connection = {.retransmits = message->idiag_retrans};

	if (message->idiag_family != AF_INET && message->idiag_family != AF_INET6)
		return;
	read_peer(message, &connection.peer);
	connection.cookie = (uint64_t)message->id.idiag_cookie[1] << 32 | message->id.idiag_cookie[0];
	ear->hear(ear->context, &connection);
}

static enum sm_status read_end(const struct nlmsghdr *head, const uint8_t *body, size_t size)
{
	int32_t error = 0;

	if (size >= sizeof(error))
		memcpy(&error, body, sizeof(error));
	if (head->nlmsg_type == NLMSG_DONE && error == 0)
		return SM_MISS;
	return error == -ENOENT || error == -EOPNOTSUPP || error == -EPROTONOSUPPORT || error == -EPERM || error == -EACCES
	               ? SM_REFUSED : SM_EXHAUSTED;
}

enum sm_status sm_connections_read(const void *bytes, size_t size, const struct sm_connections_ear *ear)
{
	const uint8_t *at = bytes;

	while (size >= sizeof(struct nlmsghdr)) {
		struct inet_diag_msg message;
		struct nlmsghdr head;
		size_t length;

		memcpy(&head, at, sizeof(head));
		if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > size)
			return SM_CORRUPT;
		if (head.nlmsg_type == NLMSG_DONE || head.nlmsg_type == NLMSG_ERROR)
			return read_end(&head, at + sizeof(head), head.nlmsg_len - sizeof(head));
		if (head.nlmsg_type == SOCK_DIAG_BY_FAMILY) {
			if (head.nlmsg_len < sizeof(head) + sizeof(message))
				return SM_CORRUPT;
			memcpy(&message, at + sizeof(head), sizeof(message));
			read_connection(&message, ear);
		}
		length = NLMSG_ALIGN(head.nlmsg_len);
		if (length > size)
			length = size;
		at += length;
		size -= length;
	}
	return size == 0 ? SM_OK : SM_CORRUPT;
}

/* ---- the filter, a small program (linux/inet_diag.h): for each endpoint a condition, and behind it a jump to the end, which
 * takes the connection; a condition that does not hold skips the jump. Four bytes past the end the connection is left out. */

#define JUMP_SIZE sizeof(struct inet_diag_bc_op)
#define HEAD_SIZE (sizeof(struct inet_diag_bc_op) + sizeof(struct inet_diag_hostcond))

static size_t address_size(uint8_t family)
{
	return family == SM_IPV4 ? 4 : 16;
}

size_t sm_connections_filter(const struct sm_endpoint *endpoints, uint32_t n, uint8_t family,
                             uint8_t ret[SM_CONNECTIONS_FILTER_SIZE])
{
	size_t condition = HEAD_SIZE + address_size(family), at = 0, end = 0;

	for (uint32_t i = 0; i < n; i++)
		end += endpoints[i].address.family == family ? condition + JUMP_SIZE : 0;
	for (uint32_t i = 0; i < n; i++) {
		struct inet_diag_bc_op test = {INET_DIAG_BC_D_COND, (uint8_t)condition, (uint16_t)(condition + JUMP_SIZE)};
		const struct inet_diag_hostcond host = {.family = family == SM_IPV4 ? AF_INET : AF_INET6,
		                                        .prefix_len = (uint8_t)(8 * address_size(family)),
		                                        .port = endpoints[i].port};
		struct inet_diag_bc_op jump = {INET_DIAG_BC_JMP, JUMP_SIZE, 0};

		if (endpoints[i].address.family != family)
			continue;
		if (at + condition + JUMP_SIZE == end)
			test.no += JUMP_SIZE;
		memcpy(ret + at, &test, sizeof(test));
		memcpy(ret + at + sizeof(test), &host, sizeof(host));
		memcpy(ret + at + HEAD_SIZE, endpoints[i].address.bytes, address_size(family));
		at += condition;
		jump.no = (uint16_t)(end - at);
		memcpy(ret + at, &jump, sizeof(jump));
		at += JUMP_SIZE;
	}
	return end;
}

/* ---- asking */

static enum sm_status ask(int fd, uint8_t family, uint32_t states, const uint8_t *filter, size_t filter_size)
{
	const struct inet_diag_req_v2 request = {.sdiag_family = family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = states};
	const struct nlattr attribute = {.nla_len = (uint16_t)(sizeof(attribute) + filter_size),
	                                 .nla_type = INET_DIAG_REQ_BYTECODE};
	size_t attributes = filter_size > 0 ? sizeof(attribute) + filter_size : 0;
	const struct nlmsghdr head = {.nlmsg_len = (uint32_t)(sizeof(head) + sizeof(request) + attributes),
	                              .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP};
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	const struct iovec parts[] = {{(void *)&head, sizeof(head)},
	                              {(void *)&request, sizeof(request)},
	                              {(void *)&attribute, filter_size > 0 ? sizeof(attribute) : 0},
	                              {(void *)filter, filter_size}};
	const struct msghdr message = {.msg_name = (void *)&kernel, .msg_namelen = sizeof(kernel),
	                               .msg_iov = (struct iovec *)parts, .msg_iovlen = 4};

	return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)head.nlmsg_len ? SM_OK : SM_EXHAUSTED;
}

/* The kernel writes the next part of a list when the one before is taken, so that it never waits. */
static enum sm_status listen_to(int fd, size_t max, const struct sm_connections_ear *ear)
{
	static uint8_t room[ROOM];
	size_t heard = 0;

	while (heard < max) {
		ssize_t size = recv(fd, room, sizeof(room), MSG_TRUNC);
		enum sm_status status;

		if (size <= 0 || (size_t)size > sizeof(room))
			return SM_EXHAUSTED;
		status = sm_connections_read(room, (size_t)size, ear);
		if (status != SM_OK)
			return status == SM_MISS ? SM_OK : status;
		heard += (size_t)size;
	}
	return SM_FULL;
}

/* Each list has a socket of its own, so that what is left of one never mixes with the next. */
static enum sm_status list(uint8_t family, uint32_t states, const uint8_t *filter, size_t filter_size, size_t max,
                           const struct sm_connections_ear *ear)
{
	SM_SCOPE_CLOSE int fd = sm_descriptor_socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
	enum sm_status status;

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM ? SM_EXHAUSTED : SM_REFUSED;
	status = ask(fd, family, states, filter, filter_size);
	return status == SM_OK ? listen_to(fd, max, ear) : status;
}

enum sm_status sm_connections_waiting(const struct sm_connections_ear *ear)
{
	enum sm_status status = list(AF_INET, 1U << TCP_SYN_SENT, NULL, 0, WAITING_MAX, ear), other;

	other = status == SM_OK || status == SM_FULL ? list(AF_INET6, 1U << TCP_SYN_SENT, NULL, 0, WAITING_MAX, ear) : status;
	return other == SM_OK ? status : other;
}

/* IPv4 addresses are reached through sockets of both families. */
enum sm_status sm_connections_to(const struct sm_endpoint *endpoints, uint32_t n, bool are_open,
                                 const struct sm_connections_ear *ear)
{
	static const struct {
		uint8_t socket, address;
	} lists[] = {{AF_INET, SM_IPV4}, {AF_INET6, SM_IPV4}, {AF_INET6, SM_IPV6}};
	uint8_t filter[SM_CONNECTIONS_FILTER_SIZE];
	uint32_t states = 1U << (are_open ? TCP_ESTABLISHED : TCP_SYN_SENT);
	bool is_whole = true;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		size_t size = sm_connections_filter(endpoints, n, lists[i].address, filter);
		enum sm_status status = size > 0 ? list(lists[i].socket, states, filter, size, OPEN_MAX, ear) : SM_OK;

		if (status != SM_OK && status != SM_FULL)
			return status;
		is_whole &= status == SM_OK;
	}
	return is_whole ? SM_OK : SM_FULL;
}
