/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real sockets of this host; time is an argument. */
#include "health/probe.h"

#include "tests/test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS 1000000LL

static int listen_at(int family, int backlog, struct sm_endpoint *ret)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in old = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(address);

	assert_int_equal(family == AF_INET ? bind(fd, (struct sockaddr *)&old, sizeof(old))
	                                   : bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret = (struct sm_endpoint){.address.family = family == AF_INET ? SM_IPV4 : SM_IPV6, .port = ntohs(address.sin6_port)};
	memcpy(ret->address.bytes, family == AF_INET ? (void *)&old.sin_addr : (void *)&address.sin6_addr, family == AF_INET ? 4 : 16);
	return fd;
}

static bool is_woken(int listener)
{
	struct pollfd ready = {.fd = listener, .events = POLLIN};

	return poll(&ready, 1, 300) > 0; /* the kernel would send the last ACK within 200 ms */
}

static void assert_closed(const struct sm_probe *probe)
{
	for (int i = 0; i < SM_PROBE_SOCKETS; i++)
		assert_int_equal(probe->fds[i], -1);
}

static void a_server_answers_and_is_not_woken(void **state)
{
	static const int families[] = {AF_INET, AF_INET6};

	(void)state;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct sm_endpoint endpoint;
		int listener = listen_at(families[i], 8, &endpoint);

		for (int n = 0; n < 20; n++) {
			struct sm_probe probe;
			enum sm_health_reason reason = sm_probe_begin(&endpoint, 1000, 0, &probe);

			if (reason == SM_REASON_NEW)
				reason = sm_probe_process(&probe, 1 * MS);
			assert_int_equal(reason, SM_REASON_ANSWERED);
			assert_closed(&probe);
		}
		assert_false(is_woken(listener));
		close(listener);
	}
}

static void a_closed_port_refuses(void **state)
{
	struct sm_endpoint endpoint;
	struct sm_probe probe;
	enum sm_health_reason reason;

	(void)state;
	close(listen_at(AF_INET, 8, &endpoint));
	reason = sm_probe_begin(&endpoint, 1000, 0, &probe);
	if (reason == SM_REASON_NEW)
		reason = sm_probe_process(&probe, 1 * MS);
	assert_int_equal(reason, SM_REASON_REFUSED);
	assert_closed(&probe);
}

/* A queue that is full drops SYNs. */
static int fill_queue(int *listener, struct sm_endpoint *endpoint, int clients[3])
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	*listener = listen_at(AF_INET, 0, endpoint);
	address.sin_port = htons(endpoint->port);
	for (int i = 0; i < 3; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)!connect(clients[i], (struct sockaddr *)&address, sizeof(address));
	}
	return 3;
}

static void silence_is_that_of_two_sockets(void **state)
{
	struct sm_endpoint endpoint;
	struct sm_probe probe;
	int listener, clients[3], n = fill_queue(&listener, &endpoint, clients);

	(void)state;
	assert_int_equal(sm_probe_begin(&endpoint, 1000, 0, &probe), SM_REASON_NEW);
	assert_int_equal(sm_probe_wakes_ns(&probe), 300 * MS);
	assert_int_equal(sm_probe_process(&probe, 299 * MS), SM_REASON_NEW);
	assert_int_equal(probe.fds[1], -1);
	assert_int_equal(sm_probe_process(&probe, 300 * MS), SM_REASON_NEW);
	assert_true(probe.fds[1] >= 0);
	assert_int_equal(sm_probe_wakes_ns(&probe), 1000 * MS);
	assert_int_equal(sm_probe_process(&probe, 1000 * MS), SM_REASON_SILENT);
	assert_closed(&probe);
	assert_int_equal(sm_probe_begin(&endpoint, 1000, 0, &probe), SM_REASON_NEW); /* we were stopped for a day */
	assert_int_equal(sm_probe_process(&probe, 86400000 * MS), SM_REASON_UNKNOWN);
	assert_closed(&probe);
	while (n > 0)
		close(clients[--n]);
	close(listener);
}

/* What the kernel refuses at once says nothing about the endpoint. */
static void where_no_packet_can_go_nothing_is_known(void **state)
{
	const struct sm_endpoint nowhere = {{SM_IPV4, {255, 255, 255, 255}}, 80};
	struct sm_probe probe;

	(void)state;
	assert_int_equal(sm_probe_begin(&nowhere, 1000, 0, &probe), SM_REASON_UNKNOWN);
	assert_closed(&probe);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_server_answers_and_is_not_woken),
	cmocka_unit_test(a_closed_port_refuses),
	cmocka_unit_test(silence_is_that_of_two_sockets),
	cmocka_unit_test(where_no_packet_can_go_nothing_is_known),
};

TESTS_MAIN(tests)
