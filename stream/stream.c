/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/stream.h"

#include "base/descriptor.h"
#include "base/random.h"
#include "base/sockaddr.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM_FIRST 4096U
#define READS_AT_ONCE 16 /* so that one side that never stops does not hold up the others */

enum state { CLOSED, CONNECTING, OPEN };

/* Bytes, of which those before `begin` are done with. */
struct buffer {
	uint8_t *bytes;
	size_t begin, end, size, max;
};

struct sm_stream {
	const struct sm_stream_user *user;
	void *context;
	int64_t timeout_ns;
	enum state state;
	int fd;
	int64_t wakes_ns; /* CLOSED: it is made again; CONNECTING: it is given up */
	uint32_t n_failures;
	uint64_t seed;
	struct buffer in, out;
};

/* ---- buffers */

/* SM_FULL: more than its bound. SM_EXHAUSTED. */
static enum sm_status make_room(struct buffer *buffer, size_t size)
{
	size_t held = buffer->end - buffer->begin, wanted = buffer->size ? buffer->size : ROOM_FIRST;
	uint8_t *bytes;

	if (size > buffer->max - held)
		return SM_FULL;
	if (buffer->size - buffer->end >= size)
		return SM_OK;
	if (held > 0)
		memmove(buffer->bytes, buffer->bytes + buffer->begin, held);
	buffer->begin = 0;
	buffer->end = held;
	while (wanted - held < size)
		wanted *= 2;
	if (wanted == buffer->size)
		return SM_OK;
	bytes = realloc(buffer->bytes, wanted);
	if (!bytes)
		return SM_EXHAUSTED;
	buffer->bytes = bytes;
	buffer->size = wanted;
	return SM_OK;
}

/* What was large once is not kept for ever, and a password not at all. */
static void empty(struct buffer *buffer)
{
	if (buffer->bytes)
		explicit_bzero(buffer->bytes, buffer->end);
	buffer->begin = buffer->end = 0;
	if (buffer->size <= 16 * ROOM_FIRST)
		return;
	free(buffer->bytes);
	buffer->bytes = NULL;
	buffer->size = 0;
}

static void consume(struct buffer *buffer, size_t size)
{
	buffer->begin += size;
	if (buffer->begin == buffer->end)
		empty(buffer);
}

/* ---- making and ending a connection */

static void end(struct sm_stream *stream, int why, int64_t now_ns)
{
	if (stream->state == CLOSED)
		return;
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
	stream->state = CLOSED;
	empty(&stream->in);
	empty(&stream->out);
	stream->wakes_ns = now_ns + sm_random_pause(SM_STREAM_FIRST_NS, SM_STREAM_MAX_NS, stream->n_failures++,
	                                            sm_random_step(&stream->seed));
	stream->user->on_end(stream->context, why, now_ns);
}

static void opened(struct sm_stream *stream, int64_t now_ns)
{
	stream->state = OPEN;
	stream->wakes_ns = INT64_MAX;
	stream->user->on_open(stream->context, now_ns);
}

static int make_socket(int family, int64_t timeout_ns)
{
	int fd = sm_descriptor_socket(family, SOCK_STREAM, 0), on = 1, idle_s = 15, times = 3;
	unsigned timeout_ms = (unsigned)(timeout_ns / 1000000);

	if (fd < 0 || family == AF_UNIX)
		return fd;
	/* a peer that vanished without a word is found out: at once where something is under way, else within a minute */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
	return fd;
}

/* Returns an errno. */
static int connect_to(struct sm_stream *stream, const struct sm_stream_end *to)
{
	struct sockaddr_storage address;
	struct sockaddr_un local;
	const struct sm_server *server = to->server;
	socklen_t size = sizeof(local);

	if (to->path) {
		if (sm_sockaddr_local(to->path, "", &local) != SM_OK)
			return ENAMETOOLONG;
		memcpy(&address, &local, sizeof(local));
	} else {
		size = sm_sockaddr_inet(server->address.family == SM_IPV6, server->address.bytes, server->zone, server->port,
		                        &address);
	}
	stream->fd = make_socket(to->path ? AF_UNIX : address.ss_family, stream->timeout_ns);
	if (stream->fd < 0)
		return errno;
	return connect(stream->fd, (struct sockaddr *)&address, size) == 0 ? 0 : errno;
}

void sm_stream_connect(struct sm_stream *stream, const struct sm_stream_end *to, int64_t now_ns)
{
	int code;

	if (stream->state != CLOSED || now_ns < stream->wakes_ns)
		return;
	stream->state = CONNECTING;
	stream->wakes_ns = now_ns + stream->timeout_ns;
	code = connect_to(stream, to);
	if (code == 0)
		opened(stream, now_ns);
	else if (code != EINPROGRESS)
		end(stream, code, now_ns);
}

enum sm_status sm_stream_begin(const struct sm_stream_user *user, void *context, int64_t timeout_ns, size_t read_max,
                               size_t write_max, struct sm_stream **ret)
{
	struct sm_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return SM_EXHAUSTED;
	*stream = (struct sm_stream){.user = user, .context = context, .timeout_ns = timeout_ns, .fd = -1,
	                             .wakes_ns = INT64_MIN, .in.max = read_max, .out.max = write_max};
	sm_random_fill(&stream->seed, sizeof(stream->seed));
	*ret = stream;
	return SM_OK;
}

void sm_stream_end(struct sm_stream *stream)
{
	if (!stream)
		return;
	if (stream->fd >= 0)
		close(stream->fd);
	empty(&stream->in);
	empty(&stream->out);
	free(stream->in.bytes);
	free(stream->out.bytes);
	free(stream);
}

/* ---- what goes over it */

static void send_out(struct sm_stream *stream, int64_t now_ns)
{
	while (stream->state == OPEN && stream->out.end > stream->out.begin) {
		ssize_t sent = send(stream->fd, stream->out.bytes + stream->out.begin, stream->out.end - stream->out.begin,
		                    MSG_NOSIGNAL);

		if (sent > 0)
			consume(&stream->out, (size_t)sent);
		else if (errno == EAGAIN || errno == EINTR)
			return;
		else
			end(stream, errno, now_ns);
	}
}

/* Hands on what has come. false: it has ended. */
static bool hand_on(struct sm_stream *stream, int64_t now_ns)
{
	while (stream->in.end > stream->in.begin) {
		size_t used = 0;
		enum sm_status status = stream->user->on_bytes(stream->context, stream->in.bytes + stream->in.begin,
		                                               stream->in.end - stream->in.begin, now_ns, &used);

		if (stream->state != OPEN)
			return false;
		if (status == SM_MISS)
			return true;
		if (status != SM_OK) {
			end(stream, 0, now_ns);
			return false;
		}
		consume(&stream->in, used);
	}
	return true;
}

static void receive(struct sm_stream *stream, int64_t now_ns)
{
	for (int i = 0; i < READS_AT_ONCE; i++) {
		enum sm_status status = make_room(&stream->in, 1);
		ssize_t got;

		if (status != SM_OK) {
			end(stream, status == SM_FULL ? 0 : ENOMEM, now_ns);
			return;
		}
		got = recv(stream->fd, stream->in.bytes + stream->in.end, stream->in.size - stream->in.end, 0);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0) {
			end(stream, got == 0 ? 0 : errno, now_ns);
			return;
		}
		stream->in.end += (size_t)got;
		if (!hand_on(stream, now_ns))
			return;
	}
}

static void finish_connecting(struct sm_stream *stream, int64_t now_ns)
{
	int code = 0;
	socklen_t size = sizeof(code);

	getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &code, &size);
	if (code != 0)
		end(stream, code, now_ns);
	else
		opened(stream, now_ns);
}

void sm_stream_process(struct sm_stream *stream, short revents, int64_t now_ns)
{
	if (stream->state == CONNECTING && (revents & (POLLOUT | POLLERR | POLLHUP)))
		finish_connecting(stream, now_ns);
	if (stream->state == CONNECTING && now_ns >= stream->wakes_ns)
		end(stream, ETIMEDOUT, now_ns);
	if (stream->state == OPEN && (revents & (POLLIN | POLLERR | POLLHUP)))
		receive(stream, now_ns);
	send_out(stream, now_ns);
}

struct pollfd sm_stream_poll(const struct sm_stream *stream)
{
	struct pollfd ready = {.fd = stream->fd, .events = POLLIN};

	if (stream->state == CONNECTING || stream->out.end > stream->out.begin)
		ready.events |= POLLOUT;
	return ready;
}

int64_t sm_stream_wakes_ns(const struct sm_stream *stream)
{
	return stream->wakes_ns;
}

bool sm_stream_is_open(const struct sm_stream *stream)
{
	return stream->state == OPEN;
}

enum sm_status sm_stream_room(struct sm_stream *stream, size_t size, void **ret)
{
	enum sm_status status = stream->state == OPEN ? make_room(&stream->out, size) : SM_FULL;

	if (status == SM_OK)
		*ret = stream->out.bytes + stream->out.end;
	return status;
}

void sm_stream_wrote(struct sm_stream *stream, size_t size)
{
	stream->out.end += size;
}

void sm_stream_is_good(struct sm_stream *stream)
{
	stream->n_failures = 0;
}

void sm_stream_break(struct sm_stream *stream, int64_t now_ns)
{
	end(stream, 0, now_ns);
}
