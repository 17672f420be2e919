/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client's side. */
#include "ipc/client.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/scope.h"
#include "base/sockaddr.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define SMALL_FRAME 1024 /* bytes, on the stack */

static enum sm_status status_of_errno(void)
{
	switch (errno) {
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
		return SM_EXHAUSTED;
	case EAGAIN:
	case EINTR:
		return SM_SILENT;
	}
	return SM_REFUSED;
}

/* If the daemon's queue of connections is full, connect waits for a place, at most as long as for a sign of life. */
static enum sm_status connect_to(int fd, const struct sockaddr_un *address, int64_t until_ns)
{
	int64_t left_ns = until_ns - sm_clock_now_ns();
	struct timeval timeout = {.tv_sec = left_ns / SM_NS_PER_S, .tv_usec = left_ns % SM_NS_PER_S / 1000};

	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return SM_OK;
	if (errno != EAGAIN || left_ns < SM_NS_PER_MS)
		return status_of_errno();
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) != 0 || fcntl(fd, F_SETFL, 0) != 0)
		return SM_REFUSED;
	return connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? SM_OK : status_of_errno();
}

/* An end of the connection is reported once, before what was sent earlier. */
static ssize_t receive(int fd, void *ret, size_t size, int flags)
{
	ssize_t got = recv(fd, ret, size, flags | MSG_DONTWAIT);

	return got < 0 && errno == ECONNRESET ? recv(fd, ret, size, flags | MSG_DONTWAIT) : got;
}

/* Copies the first message of the queue, complete. *ret_is_there: it is still in the queue; a small one takes one call so, and is
 * mostly the last. SM_MISS: the daemon has ended the connection. */
static enum sm_status receive_frame(int fd, uint8_t **ret, size_t *ret_size, bool *ret_is_there)
{
	uint8_t small[SMALL_FRAME];
	ssize_t size = receive(fd, small, sizeof(small), MSG_PEEK | MSG_TRUNC);
	SM_SCOPE_FREE uint8_t *bytes = NULL;

	if (size < 0)
		return status_of_errno();
	if (size < SM_FRAME_HEAD || size > (ssize_t)SM_REPLY_MAX)
		return size == 0 ? SM_MISS : SM_CORRUPT;
	bytes = malloc((size_t)size);
	if (!bytes)
		return SM_EXHAUSTED;
	*ret_is_there = size <= (ssize_t)sizeof(small);
	if (*ret_is_there)
		memcpy(bytes, small, (size_t)size);
	else if (receive(fd, bytes, (size_t)size, 0) != size)
		return SM_REFUSED;
	*ret = bytes;
	*ret_size = (size_t)size;
	bytes = NULL;
	return SM_OK;
}

static enum sm_status drop_frame(int fd)
{
	uint8_t nothing;

	return receive(fd, &nothing, 0, 0) == 0 ? SM_OK : SM_REFUSED;
}

static enum sm_status next_frame(int fd, int64_t until_ns, int64_t *now_ns, uint8_t **ret, size_t *ret_size, bool *ret_is_there)
{
	for (;;) {
		struct pollfd poll = {.fd = fd, .events = POLLIN};
		enum sm_status status = sm_descriptor_wait(&poll, 1, until_ns - *now_ns, now_ns);

		if (status == SM_OK)
			status = receive_frame(fd, ret, ret_size, ret_is_there);
		if (status != SM_SILENT || *now_ns >= until_ns)
			return status;
	}
}

/* The frames of a reply that have come so far: the first one whole, and the bodies of those behind it. */
struct gathered {
	struct sm_frame_head head;
	uint8_t *bytes; /* owned */
	size_t size;
	uint32_t n_parts;
};

static enum sm_status add_part(struct gathered *gathered, const struct sm_frame_head *head, const uint8_t *frame, size_t size)
{
	uint8_t *bytes;

	if (head->format != gathered->head.format || head->kind != gathered->head.kind ||
	    head->n_parts != gathered->head.n_parts || head->part != gathered->n_parts)
		return SM_CORRUPT;
	size -= SM_FRAME_HEAD;
	if (gathered->size + size > SM_REPLY_MAX)
		return SM_CORRUPT;
	bytes = realloc(gathered->bytes, gathered->size + size);
	if (!bytes)
		return SM_EXHAUSTED;
	memcpy(bytes + gathered->size, frame + SM_FRAME_HEAD, size);
	gathered->bytes = bytes;
	gathered->size += size;
	gathered->n_parts++;
	return SM_OK;
}

/* Takes a frame up. SM_MISS: there is more to come. */
static enum sm_status take_frame(struct gathered *gathered, uint8_t **frame, size_t size)
{
	struct sm_frame_head head;
	enum sm_status status = sm_frame_decode_head(*frame, size, &head);

	if (status != SM_OK)
		return status;
	if (head.kind == SM_FRAME_WORKING)
		return gathered->n_parts == 0 ? SM_MISS : SM_CORRUPT;
	if (gathered->n_parts > 0) {
		status = add_part(gathered, &head, *frame, size);
	} else if (head.part == 0) {
		*gathered = (struct gathered){.head = head, .bytes = *frame, .size = size, .n_parts = 1};
		*frame = NULL;
	} else {
		status = SM_CORRUPT;
	}
	if (status != SM_OK)
		return status;
	return gathered->n_parts < gathered->head.n_parts ? SM_MISS : SM_OK;
}

static enum sm_status open_reply(struct gathered *gathered, struct sm_client_reply *ret)
{
	enum sm_status status = SM_OK;

	*ret = (struct sm_client_reply){.kind = gathered->head.kind};
	if (ret->kind == SM_FRAME_RECORD || ret->kind == SM_FRAME_TEXT || ret->kind == SM_FRAME_EVENT)
		status = sm_frame_content(&gathered->head, gathered->bytes + SM_FRAME_HEAD, gathered->size - SM_FRAME_HEAD,
		                          &ret->content, &ret->size);
	if (status != SM_OK)
		return status;
	ret->bytes = gathered->bytes;
	gathered->bytes = NULL;
	return SM_OK;
}

/* A daemon that sends nothing but signs of life does not keep us longer than the deadline. */
static enum sm_status gather(int fd, int64_t sign_ns, int64_t deadline_ns, bool *has_sign, struct gathered *gathered)
{
	int64_t now_ns = sm_clock_now_ns(), until_ns = sign_ns < deadline_ns ? sign_ns : deadline_ns;
	enum sm_status status;

	do {
		SM_SCOPE_FREE uint8_t *frame = NULL;
		bool is_there = false;
		size_t size = 0;

		if (*has_sign && now_ns >= deadline_ns)
			return SM_SILENT;
		status = next_frame(fd, until_ns, &now_ns, &frame, &size, &is_there);
		if (status == SM_MISS)
			return *has_sign ? SM_REFUSED : SM_MISS;
		if (status != SM_OK)
			return status;
		status = take_frame(gathered, &frame, size);
		if (status == SM_CORRUPT)
			return status;
		*has_sign = true;
		until_ns = deadline_ns;
		if (status == SM_MISS && is_there && drop_frame(fd) != SM_OK)
			return SM_REFUSED;
	} while (status == SM_MISS);
	return status;
}

bool sm_client_is_theirs(int fd, const struct sm_client_socket *socket)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == socket->owner);
}

/* Connects, and sends the request. */
static enum sm_status open_request(const struct sm_client_socket *socket, const struct sm_request *request, int64_t until_ns,
                                   int *ret_fd)
{
	SM_SCOPE_CLOSE int fd = -1;
	uint8_t bytes[SM_REQUEST_MAX];
	size_t size = sm_frame_encode_request(request, bytes);
	struct sockaddr_un address;
	enum sm_status status;

	if (sm_sockaddr_local(socket->path, "", &address) != SM_OK)
		return SM_REFUSED;
	fd = sm_descriptor_socket(AF_UNIX, SOCK_SEQPACKET, 0);
	if (fd < 0)
		return status_of_errno();
	status = connect_to(fd, &address, until_ns);
	if (status == SM_OK && !sm_client_is_theirs(fd, socket))
		status = SM_INVALID;
	if (status != SM_OK)
		return status;
	/* EPIPE: the daemon has said its word already, without listening */
	if (send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size && errno != EPIPE)
		return status_of_errno();
	*ret_fd = fd;
	fd = -1;
	return SM_OK;
}

/* SM_MISS: the daemon has ended the connection without a word. */
static enum sm_status ask_in(enum sm_format format, uint32_t spent_ms, const struct sm_client_socket *socket,
                             const struct sm_request *request, int64_t sign_ns, int64_t deadline_ns, bool *has_sign,
                             struct sm_client_reply *ret)
{
	SM_SCOPE_CLOSE int fd = -1;
	struct sm_request in_format = *request;
	struct gathered gathered = {.bytes = NULL};
	enum sm_status status;

	in_format.format = format;
	in_format.wait_ms -= spent_ms < request->wait_ms ? spent_ms : request->wait_ms;
	status = open_request(socket, &in_format, sign_ns, &fd);
	if (status != SM_OK)
		return status;
	status = gather(fd, sign_ns, deadline_ns, has_sign, &gathered);
	if (status == SM_OK)
		status = open_reply(&gathered, ret);
	free(gathered.bytes);
	ret->format = format;
	return status;
}

enum sm_status sm_client_ask(const struct sm_client_socket *socket, const struct sm_request *request, int64_t sign_ns,
                             int64_t deadline_ns, bool *has_sign, struct sm_client_reply *ret)
{
	int64_t began_ns = sm_clock_now_ns();
	enum sm_status status;

	*has_sign = false;
	status = ask_in(request->format, 0, socket, request, sign_ns, deadline_ns, has_sign, ret);
	if (status == SM_MISS && request->format != SM_FORMAT_1)
		status = ask_in(SM_FORMAT_1, (uint32_t)((sm_clock_now_ns() - began_ns) / SM_NS_PER_MS), socket, request,
		                sign_ns, deadline_ns, has_sign, ret);
	return status == SM_MISS ? SM_REFUSED : status;
}

enum sm_status sm_client_open_stream(const struct sm_client_socket *socket, const struct sm_request *request, int64_t until_ns,
                                     int *ret_fd)
{
	return open_request(socket, request, until_ns, ret_fd);
}

enum sm_status sm_client_next(int fd, int64_t until_ns, struct sm_client_reply *ret)
{
	int64_t now_ns = sm_clock_now_ns();
	struct gathered gathered = {.bytes = NULL};
	SM_SCOPE_FREE uint8_t *frame = NULL;
	bool is_there = false;
	enum sm_status status;
	size_t size = 0;

	status = next_frame(fd, until_ns, &now_ns, &frame, &size, &is_there);
	if (status == SM_OK && is_there)
		status = drop_frame(fd);
	if (status == SM_OK)
		status = take_frame(&gathered, &frame, size);
	if (status == SM_MISS && gathered.bytes)
		status = SM_CORRUPT; /* an event has one part */
	if (status == SM_OK)
		status = open_reply(&gathered, ret);
	free(gathered.bytes);
	return status;
}

enum sm_status sm_client_hint(const char *socket_path, const struct sm_request *request)
{
	SM_SCOPE_CLOSE int fd = -1;
	uint8_t bytes[SM_REQUEST_MAX];
	size_t size = sm_frame_encode_request(request, bytes);
	struct sockaddr_un address;

	if (sm_sockaddr_local(socket_path, SM_HINT_SUFFIX, &address) != SM_OK)
		return SM_REFUSED;
	fd = sm_descriptor_socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0)
		return SM_REFUSED;
	return sendto(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address, sizeof(address)) ==
	                       (ssize_t)size
	               ? SM_OK
	               : SM_REFUSED;
}
