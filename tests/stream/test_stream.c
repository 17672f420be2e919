/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real sockets of this host; time is an argument. */
#include "stream/stream.h"

#include "base/sockaddr.h"
#include "tests/directory.h"

#include <arpa/inet.h>
#include <errno.h>

#define MS 1000000LL
#define S (1000 * MS)
#define HELD_MAX 4096

static struct heard {
	int n_opened, n_ended, why;
	char bytes[HELD_MAX + 1];
	size_t size, takes; /* of each call it takes so many bytes at most; 0: nothing is understood */
} heard;

static void on_open(void *context, int64_t now_ns)
{
	(void)now_ns;
	((struct heard *)context)->n_opened++;
}

static enum sm_status on_bytes(void *context, const uint8_t *bytes, size_t size, int64_t now_ns, size_t *ret_used)
{
	struct heard *by = context;

	(void)now_ns;
	if (by->takes == 0)
		return SM_CORRUPT;
	if (size < by->takes)
		return SM_MISS;
	*ret_used = by->takes;
	memcpy(by->bytes + by->size, bytes, *ret_used);
	by->size += *ret_used;
	return SM_OK;
}

static void on_end(void *context, int why, int64_t now_ns)
{
	(void)now_ns;
	((struct heard *)context)->n_ended++;
	((struct heard *)context)->why = why;
}

static const struct sm_stream_user user = {.on_open = on_open, .on_bytes = on_bytes, .on_end = on_end};

static struct sm_stream *begin(void)
{
	struct sm_stream *stream;

	heard = (struct heard){.takes = 1};
	assert_int_equal(sm_stream_begin(&user, &heard, S, HELD_MAX, HELD_MAX, &stream), SM_OK);
	return stream;
}

static int listen_at(bool is_ipv6, struct sm_server *ret)
{
	static const uint8_t loopback[2][16] = {{127, 0, 0, 1}, {[15] = 1}};
	struct sockaddr_storage address;
	socklen_t size = sm_sockaddr_inet(is_ipv6, loopback[is_ipv6], "", 0, &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret = (struct sm_server){.address.family = is_ipv6 ? SM_IPV6 : SM_IPV4,
	                          .port = ntohs(((struct sockaddr_in *)&address)->sin_port)};
	memcpy(ret->address.bytes, loopback[is_ipv6], 16);
	return fd;
}

/* Lets it work until nothing happens for 50 ms. */
static void work(struct sm_stream *stream, int64_t now_ns)
{
	struct pollfd ready = sm_stream_poll(stream);

	while (ready.fd >= 0 && poll(&ready, 1, 50) > 0) {
		sm_stream_process(stream, ready.revents, now_ns);
		ready = sm_stream_poll(stream);
	}
}

static void say(struct sm_stream *stream, const char *text)
{
	void *room;

	assert_int_equal(sm_stream_room(stream, strlen(text), &room), SM_OK);
	memcpy(room, text, strlen(text));
	sm_stream_wrote(stream, strlen(text));
}

static void talk(const struct sm_stream_end *to, int listener)
{
	struct sm_stream *stream = begin();
	char got[32] = "";
	int peer;

	assert_false(sm_stream_is_open(stream));
	sm_stream_connect(stream, to, 0);
	work(stream, 0);
	assert_true(sm_stream_is_open(stream));
	assert_int_equal(heard.n_opened, 1);
	peer = accept(listener, NULL, NULL);
	say(stream, "hell");
	say(stream, "o");
	work(stream, 0);
	assert_int_equal(recv(peer, got, sizeof(got), 0), 5);
	assert_string_equal(got, "hello");
	heard.takes = 4;
	assert_int_equal(send(peer, "answers in", 10, 0), 10);
	work(stream, 0);
	assert_string_equal(heard.bytes, "answers ");
	assert_int_equal(send(peer, "..", 2, 0), 2);
	work(stream, 0);
	assert_string_equal(heard.bytes, "answers in..");
	close(peer);
	work(stream, 5 * S);
	assert_int_equal(heard.n_ended, 1);
	assert_int_equal(heard.why, 0);
	assert_false(sm_stream_is_open(stream));
	sm_stream_end(stream);
}

static void bytes_travel_both_ways(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct sm_server server;
		int listener = listen_at(i, &server);

		talk(&(struct sm_stream_end){.server = &server}, listener);
		close(listener);
	}
}

static void so_they_do_over_a_local_socket(void **state)
{
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;

	(void)state;
	assert_int_equal(sm_sockaddr_local(path_of("socket"), "", &address), SM_OK);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 8), 0);
	talk(&(struct sm_stream_end){.path = path_of("socket")}, listener);
	close(listener);
}

static void a_connection_that_fails_is_made_again_later_and_later(void **state)
{
	struct sm_stream *stream = begin();
	struct sm_server server;
	const struct sm_stream_end to = {.server = &server};
	int64_t now_ns = 0, pause_ns = S;

	(void)state;
	close(listen_at(false, &server)); /* nobody listens there now */
	for (int i = 1; i <= 10; i++) {
		sm_stream_connect(stream, &to, now_ns);
		work(stream, now_ns);
		assert_int_equal(heard.n_ended, i);
		assert_int_equal(heard.why, ECONNREFUSED);
		assert_in_range(sm_stream_wakes_ns(stream) - now_ns, pause_ns * 3 / 4, pause_ns * 5 / 4);
		sm_stream_connect(stream, &to, sm_stream_wakes_ns(stream) - 1); /* too early */
		assert_int_equal(heard.n_ended, i);
		now_ns = sm_stream_wakes_ns(stream);
		pause_ns = pause_ns * 2 < 60 * S ? pause_ns * 2 : 60 * S;
	}
	sm_stream_end(stream);
}

static void a_good_connection_is_made_again_soon(void **state)
{
	struct sm_stream *stream = begin();
	struct sm_server server;
	const struct sm_stream_end to = {.server = &server};
	int listener = listen_at(false, &server);

	(void)state;
	for (int i = 0; i < 5; i++) {
		int64_t now_ns = i * 10 * S;

		sm_stream_connect(stream, &to, now_ns);
		work(stream, now_ns);
		assert_true(sm_stream_is_open(stream));
		sm_stream_is_good(stream);
		sm_stream_break(stream, now_ns);
		assert_int_equal(heard.n_ended, i + 1);
		assert_in_range(sm_stream_wakes_ns(stream) - now_ns, S * 3 / 4, S * 5 / 4);
		close(accept(listener, NULL, NULL));
	}
	close(listener);
	sm_stream_end(stream);
}

static void what_is_not_understood_ends_it(void **state)
{
	struct sm_stream *stream = begin();
	struct sm_server server;
	int listener = listen_at(false, &server), peer;

	(void)state;
	sm_stream_connect(stream, &(struct sm_stream_end){.server = &server}, 0);
	work(stream, 0);
	peer = accept(listener, NULL, NULL);
	heard.takes = 0;
	assert_int_equal(send(peer, "?", 1, 0), 1);
	work(stream, 0);
	assert_int_equal(heard.n_ended, 1);
	close(peer);
	close(listener);
	sm_stream_end(stream);
}

static void more_than_its_bounds_is_not_held(void **state)
{
	struct sm_stream *stream = begin();
	struct sm_server server;
	int listener = listen_at(false, &server), peer;
	char many[2 * HELD_MAX];
	void *room;

	(void)state;
	memset(many, 'x', sizeof(many));
	sm_stream_connect(stream, &(struct sm_stream_end){.server = &server}, 0);
	assert_int_equal(sm_stream_room(stream, HELD_MAX, &room), sm_stream_is_open(stream) ? SM_OK : SM_FULL);
	work(stream, 0);
	peer = accept(listener, NULL, NULL);
	assert_int_equal(sm_stream_room(stream, HELD_MAX + 1, &room), SM_FULL);
	assert_int_equal(sm_stream_room(stream, HELD_MAX, &room), SM_OK);
	heard.takes = sizeof(many); /* waits for more than it may hold */
	assert_int_equal(send(peer, many, sizeof(many), 0), sizeof(many));
	work(stream, 0);
	assert_int_equal(heard.n_ended, 1);
	close(peer);
	close(listener);
	sm_stream_end(stream);
}

/* A queue of connections that is full answers no SYN. */
static void a_connection_that_is_not_made_in_time_is_given_up(void **state)
{
	struct sm_stream *stream = begin();
	struct sm_server server;
	int listener = listen_at(false, &server), fillers[64];
	struct sockaddr_storage address;
	socklen_t size = sm_sockaddr_inet(false, server.address.bytes, "", server.port, &address);

	(void)state;
	for (size_t i = 0; i < COUNT(fillers); i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(fillers[i], (struct sockaddr *)&address, size);
	}
	sm_stream_connect(stream, &(struct sm_stream_end){.server = &server}, 0);
	work(stream, 0);
	assert_int_equal(heard.n_opened, 0);
	assert_int_equal(sm_stream_wakes_ns(stream), S);
	sm_stream_process(stream, 0, S - 1);
	assert_int_equal(heard.n_ended, 0);
	sm_stream_process(stream, 0, S);
	assert_int_equal(heard.n_ended, 1);
	assert_int_equal(heard.why, ETIMEDOUT);
	for (size_t i = 0; i < COUNT(fillers); i++)
		close(fillers[i]);
	close(listener);
	sm_stream_end(stream);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(bytes_travel_both_ways),
	cmocka_unit_test(so_they_do_over_a_local_socket),
	cmocka_unit_test(a_connection_that_fails_is_made_again_later_and_later),
	cmocka_unit_test(a_good_connection_is_made_again_soon),
	cmocka_unit_test(what_is_not_understood_ends_it),
	cmocka_unit_test(more_than_its_bounds_is_not_held),
	cmocka_unit_test(a_connection_that_is_not_made_in_time_is_given_up),
};

int main(void)
{
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
