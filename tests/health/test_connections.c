/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's own lists, and messages that no kernel sends. */
#include "health/connections.h"

#include "tests/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sm_connection heard[64];
static uint32_t n_heard;

static void hear(void *context, const struct sm_connection *connection)
{
	(void)context;
	if (n_heard < COUNT(heard))
		heard[n_heard] = *connection;
	n_heard++;
}

static const struct sm_connections_ear ear = {hear, NULL};

static int listen_at(int family, struct sm_endpoint *ret)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in old = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(address);

	assert_true(fd >= 0);
	assert_int_equal(family == AF_INET ? bind(fd, (struct sockaddr *)&old, sizeof(old))
	                                   : bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret = (struct sm_endpoint){.address.family = family == AF_INET ? SM_IPV4 : SM_IPV6, .port = ntohs(address.sin6_port)};
	if (family == AF_INET)
		memcpy(ret->address.bytes, &old.sin_addr, 4);
	else
		memcpy(ret->address.bytes, &address.sin6_addr, 16);
	return fd;
}

/* `is_mapped`: to an IPv4 address by an IPv6 socket. */
static int connect_to(const struct sm_endpoint *endpoint, bool is_mapped)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(endpoint->port)};
	struct sockaddr_in old = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
	bool is_ipv4 = endpoint->address.family == SM_IPV4;
	int fd = socket(is_ipv4 && !is_mapped ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(&old.sin_addr, endpoint->address.bytes, 4);
	if (is_mapped) {
		address.sin6_addr.s6_addr[10] = address.sin6_addr.s6_addr[11] = 0xff;
		memcpy(address.sin6_addr.s6_addr + 12, endpoint->address.bytes, 4);
	} else {
		memcpy(&address.sin6_addr, endpoint->address.bytes, 16);
	}
	assert_int_equal(is_ipv4 && !is_mapped ? connect(fd, (struct sockaddr *)&old, sizeof(old))
	                                       : connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void open_connections_are_listed_by_their_endpoints(void **state)
{
	struct sm_endpoint endpoints[3];
	int listeners[3] = {listen_at(AF_INET, &endpoints[0]), listen_at(AF_INET, &endpoints[1]), listen_at(AF_INET6, &endpoints[2])};
	int clients[5] = {connect_to(&endpoints[0], false), connect_to(&endpoints[0], true), connect_to(&endpoints[1], false),
	                  connect_to(&endpoints[2], false), connect_to(&endpoints[2], false)};
	static const uint32_t expected[] = {2, 1, 2};

	(void)state;
	for (uint32_t i = 0; i < 3; i++) { /* each alone: the first, the middle, the last of the filter's program */
		n_heard = 0;
		assert_int_equal(sm_connections_to(&endpoints[i], 1, true, &ear), SM_OK);
		assert_int_equal(n_heard, expected[i]);
		for (uint32_t k = 0; k < n_heard; k++) {
			assert_int_equal(heard[k].peer.port, endpoints[i].port);
			assert_memory_equal(&heard[k].peer.address, &endpoints[i].address, sizeof(endpoints[i].address));
			assert_true(heard[k].cookie != 0 && (k == 0 || heard[k].cookie != heard[0].cookie));
		}
	}
	n_heard = 0;
	assert_int_equal(sm_connections_to(endpoints, 3, true, &ear), SM_OK);
	assert_int_equal(n_heard, 5);
	n_heard = 0;
	assert_int_equal(sm_connections_waiting(&ear), SM_OK); /* whatever else this host does */
	for (size_t i = 0; i < 5; i++)
		close(clients[i]);
	for (size_t i = 0; i < 3; i++)
		close(listeners[i]);
}

static void a_filter_of_the_largest_number_is_taken(void **state)
{
	static struct sm_endpoint endpoints[SM_CONNECTIONS_FILTER_MAX];
	uint8_t filter[SM_CONNECTIONS_FILTER_SIZE];
	int listener = listen_at(AF_INET6, &endpoints[40]);
	int client = connect_to(&endpoints[40], false);

	(void)state;
	for (uint32_t i = 0; i < COUNT(endpoints); i++)
		if (i != 40)
			endpoints[i] = (struct sm_endpoint){{SM_IPV6, {0xfd, [15] = (uint8_t)i}}, 80};
	assert_int_equal(sm_connections_filter(endpoints, COUNT(endpoints), SM_IPV6, filter), sizeof(filter));
	assert_int_equal(sm_connections_filter(endpoints, COUNT(endpoints), SM_IPV4, filter), 0);
	n_heard = 0;
	assert_int_equal(sm_connections_to(endpoints, COUNT(endpoints), true, &ear), SM_OK);
	assert_int_equal(n_heard, 1);
	close(client);
	close(listener);
}

/* A message of the kernel: two connections, and the end. */
static size_t make_message(uint8_t *ret)
{
	struct inet_diag_msg connection = {.idiag_family = AF_INET, .idiag_retrans = 2, .id = {.idiag_dport = htons(80)}};
	struct nlmsghdr head = {.nlmsg_len = sizeof(head) + sizeof(connection), .nlmsg_type = SOCK_DIAG_BY_FAMILY};
	size_t size = 0;
	int32_t error = 0;

	for (uint32_t i = 0; i < 2; i++) {
		connection.id.idiag_dst[0] = htonl(0x0a000001 + i);
		memcpy(ret + size, &head, sizeof(head));
		memcpy(ret + size + sizeof(head), &connection, sizeof(connection));
		size += head.nlmsg_len;
	}
	head.nlmsg_len = sizeof(head) + sizeof(error);
	head.nlmsg_type = NLMSG_DONE;
	memcpy(ret + size, &head, sizeof(head));
	memcpy(ret + size + sizeof(head), &error, sizeof(error));
	return size + head.nlmsg_len;
}

static enum sm_status read_copy(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1); /* the exact size, so that reads past it are noticed */
	enum sm_status status;

	memcpy(copy, bytes, size);
	n_heard = 0;
	status = sm_connections_read(copy, size, &ear);
	free(copy);
	return status;
}

static void a_list_ends_where_the_kernel_says_so(void **state)
{
	uint8_t bytes[512];
	size_t size = make_message(bytes), end = size - 20;
	int32_t error = -ENOENT;

	(void)state;
	assert_int_equal(read_copy(bytes, size), SM_MISS);
	assert_int_equal(n_heard, 2);
	assert_int_equal(heard[1].peer.address.bytes[3], 2);
	assert_int_equal(heard[1].peer.port, 80);
	assert_int_equal(heard[1].retransmits, 2);
	assert_int_equal(read_copy(bytes, end), SM_OK); /* more will follow */
	bytes[end + 4] = NLMSG_ERROR;
	memcpy(bytes + end + 16, &error, sizeof(error));
	assert_int_equal(read_copy(bytes, size), SM_REFUSED);
	error = -ENOMEM;
	memcpy(bytes + end + 16, &error, sizeof(error));
	assert_int_equal(read_copy(bytes, size), SM_EXHAUSTED);
}

static void no_truncation_and_no_changed_byte_breaks_the_reader(void **state)
{
	uint8_t bytes[512];
	size_t size = make_message(bytes), one = (size - 20) / 2;

	(void)state;
	for (size_t n = 0; n < size; n++)
		assert_int_equal(read_copy(bytes, n), n == 0 || n == one || n == 2 * one ? SM_OK : SM_CORRUPT);
	for (size_t i = 0; i < size; i++)
		for (int bit = 0; bit < 8; bit++) {
			bytes[i] ^= (uint8_t)(1 << bit);
			assert_true(read_copy(bytes, size) <= SM_CORRUPT + 10);
			bytes[i] ^= (uint8_t)(1 << bit);
		}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(open_connections_are_listed_by_their_endpoints),
	cmocka_unit_test(a_filter_of_the_largest_number_is_taken),
	cmocka_unit_test(a_list_ends_where_the_kernel_says_so),
	cmocka_unit_test(no_truncation_and_no_changed_byte_breaks_the_reader),
};

TESTS_MAIN(tests)
