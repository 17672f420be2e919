/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a question leaves: what truncation, errors and streams come to is told by tests/scenario/messages.scenario. */
#include "resolve/channel.h"

#include "tests/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static int datagrams, streams;
static struct sm_server server;
static struct sm_connection *connection;
static enum sm_status heard;
static int n_heard;
static int64_t heard_ns;

static int bound(int type, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* A port that is free for both. */
static int begin(void **state)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);

	(void)state;
	do {
		datagrams = bound(SOCK_DGRAM, 0);
		assert_int_equal(getsockname(datagrams, (struct sockaddr *)&address, &size), 0);
		streams = bound(SOCK_STREAM, ntohs(address.sin_port));
		if (streams < 0)
			close(datagrams);
	} while (streams < 0);
	assert_int_equal(listen(streams, 4), 0);
	server = (struct sm_server){.address = {SM_IPV4, {127, 0, 0, 1}}, .port = ntohs(address.sin_port)};
	n_heard = 0;
	assert_int_equal(sm_channel_transport.open(&sm_channel_transport, &server, &connection), SM_OK);
	return 0;
}

static int end(void **state)
{
	(void)state;
	sm_channel_transport.close(connection);
	close(datagrams);
	close(streams);
	return 0;
}

static void hear(void *context, enum sm_status status, const uint8_t *message, size_t size, int64_t now_ns)
{
	(void)context;
	(void)message;
	(void)size;
	heard = status;
	heard_ns = now_ns;
	n_heard++;
}

static void ask(unsigned flags)
{
	sm_channel_transport.ask(connection, "api.mesh", SM_RR_A, flags, hear, NULL, 7);
}

static void a_question_is_a_datagram_with_edns(void **state)
{
	uint8_t bytes[512];

	(void)state;
	ask(0);
	assert_true(recv(datagrams, bytes, sizeof(bytes), 0) > 12);
	assert_int_equal(bytes[11], 1); /* an OPT among the additional records */
	assert_int_equal(sm_channel_transport.wakes_ns(connection), INT64_MAX);
	assert_int_equal(n_heard, 0);
}

static void a_plain_question_has_no_edns(void **state)
{
	uint8_t bytes[512];

	(void)state;
	ask(SM_ASK_PLAIN);
	assert_true(recv(datagrams, bytes, sizeof(bytes), 0) > 12);
	assert_int_equal(bytes[11], 0);
	ask(0);
	assert_true(recv(datagrams, bytes, sizeof(bytes), 0) > 12);
	assert_int_equal(bytes[11], 1); /* the flag is of one question */
}

static void a_question_by_a_stream_sends_no_datagram(void **state)
{
	uint8_t bytes[512];
	struct pollfd fds[SM_TRANSPORT_FDS_MAX];
	size_t n;
	int fd;

	(void)state;
	ask(SM_ASK_STREAM);
	fd = accept(streams, NULL, NULL);
	assert_true(fd >= 0);
	n = sm_channel_transport.fds(connection, fds);
	assert_in_range(n, 1, SM_TRANSPORT_FDS_MAX);
	assert_true(poll(fds, n, 10000) > 0);
	sm_channel_transport.process(connection, fds, n, 8);
	assert_true(recv(fd, bytes, sizeof(bytes), 0) > 14);
	assert_int_equal(recv(datagrams, bytes, sizeof(bytes), MSG_DONTWAIT), -1);
	close(fd);
}

static void a_close_is_heard_at_the_last_time_known(void **state)
{
	(void)state;
	ask(0);
	sm_channel_transport.close(connection);
	connection = NULL;
	assert_int_equal(n_heard, 1);
	assert_int_equal(heard, SM_REFUSED);
	assert_int_equal(heard_ns, 7);
}

/* The port from which a question through the pool came. */
static uint16_t asked_from(struct sm_channel_pool *pool)
{
	struct sm_connection *pooled;
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	uint8_t bytes[512];

	n_heard = 0;
	assert_int_equal(pool->transport.open(&pool->transport, &server, &pooled), SM_OK);
	pool->transport.ask(pooled, "api.mesh", SM_RR_A, 0, hear, NULL, 7);
	assert_true(recvfrom(datagrams, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &size) > 12);
	pool->transport.close(pooled);
	assert_int_equal(n_heard, 1); /* in vain */
	return from.sin_port;
}

static void a_pool_keeps_channels_and_no_ports(void **state)
{
	struct sm_channel_pool pool;
	uint16_t ports[3];

	(void)state;
	sm_channel_pool_start(&pool);
	for (int i = 0; i < 3; i++) {
		ports[i] = asked_from(&pool);
		assert_int_equal(pool.n_idle, 1);
	}
	assert_false(ports[0] == ports[1] && ports[1] == ports[2]);
	sm_channel_pool_shrink(&pool, 0);
	assert_int_equal(pool.n_idle, 0);
	asked_from(&pool);
	sm_channel_pool_stop(&pool);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(a_question_is_a_datagram_with_edns, begin, end),
	cmocka_unit_test_setup_teardown(a_plain_question_has_no_edns, begin, end),
	cmocka_unit_test_setup_teardown(a_question_by_a_stream_sends_no_datagram, begin, end),
	cmocka_unit_test_setup_teardown(a_close_is_heard_at_the_last_time_known, begin, end),
	cmocka_unit_test_setup_teardown(a_pool_keeps_channels_and_no_ports, begin, end),
};

TESTS_MAIN(tests)
