/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client's side. */
#include "ipc/client.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/scope.h"
#include "ipc/address.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>

static enum sm_status status_of_errno(void)
{
	switch (errno) {
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
		return SM_MEMORY;
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

/* Receives the first message of the queue, complete. */
static enum sm_status receive(int fd, void **ret, size_t *ret_size)
{
	SM_SCOPE_FREE uint8_t *bytes = NULL;
	uint8_t first;
	ssize_t size = recv(fd, &first, sizeof(first), MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);

	if (size < 0 && errno == ECONNRESET) /* reported once, before data that was sent earlier */
		size = recv(fd, &first, sizeof(first), MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	if (size < 0)
		return status_of_errno();
	if (size < SM_FRAME_HEAD || size > (ssize_t)SM_REPLY_MAX)
		return size == 0 ? SM_REFUSED : SM_CORRUPT;
	bytes = malloc((size_t)size);
	if (!bytes)
		return SM_MEMORY;
	if (recv(fd, bytes, (size_t)size, MSG_DONTWAIT) != size)
		return SM_REFUSED;
	*ret = bytes;
	*ret_size = (size_t)size;
	bytes = NULL;
	return SM_OK;
}

/* Checks and removes the head of a frame. */
static enum sm_status open_frame(uint8_t *bytes, size_t size, enum sm_frame_kind *ret_kind, void **ret, size_t *ret_size)
{
	if (sm_frame_decode_reply(bytes, size, ret_kind) != SM_OK) {
		free(bytes);
		return SM_CORRUPT;
	}
	*ret_size = size - SM_FRAME_HEAD;
	memmove(bytes, bytes + SM_FRAME_HEAD, *ret_size);
	*ret = bytes;
	return SM_OK;
}

static enum sm_status next_frame(int fd, int64_t until_ns, int64_t *now_ns, enum sm_frame_kind *ret_kind, void **ret,
                                 size_t *ret_size)
{
	for (;;) {
		struct pollfd poll = {.fd = fd, .events = POLLIN};
		void *bytes;
		enum sm_status status = sm_descriptor_wait(&poll, 1, until_ns - *now_ns, now_ns);

		if (status == SM_OK)
			status = receive(fd, &bytes, ret_size);
		if (status == SM_OK)
			return open_frame(bytes, *ret_size, ret_kind, ret, ret_size);
		if (status != SM_SILENT || *now_ns >= until_ns)
			return status;
	}
}

static enum sm_status await(int fd, int64_t sign_ns, int64_t deadline_ns, bool *has_sign, enum sm_frame_kind *ret_kind,
                            void **ret, size_t *ret_size)
{
	int64_t now_ns = sm_clock_now_ns(), until_ns = sign_ns < deadline_ns ? sign_ns : deadline_ns;

	for (;;) {
		SM_SCOPE_FREE void *body = NULL;
		enum sm_status status = next_frame(fd, until_ns, &now_ns, ret_kind, &body, ret_size);

		if (status != SM_OK)
			return status;
		*has_sign = true;
		if (*ret_kind != SM_FRAME_WORKING) {
			*ret = body;
			body = NULL;
			return SM_OK;
		}
		until_ns = deadline_ns;
		if (now_ns >= until_ns)
			return SM_SILENT; /* a daemon that only sends WORKING must not keep us here */
	}
}

enum sm_status sm_client_ask(const char *socket_path, const struct sm_request *request, int64_t sign_ns,
                             int64_t deadline_ns, bool *has_sign, enum sm_frame_kind *ret_kind, void **ret,
                             size_t *ret_size)
{
	SM_SCOPE_CLOSE int fd = -1;
	uint8_t bytes[SM_REQUEST_MAX];
	size_t size = sm_frame_encode_request(request, bytes);
	struct sockaddr_un address;
	enum sm_status status;

	*has_sign = false;
	if (sm_address_of(socket_path, "", &address) != SM_OK)
		return SM_REFUSED;
	fd = sm_descriptor_socket(AF_UNIX, SOCK_SEQPACKET, 0);
	if (fd < 0)
		return status_of_errno();
	status = connect_to(fd, &address, sign_ns);
	if (status != SM_OK)
		return status;
	/* EPIPE: the daemon has sent its reply already, without reading the request */
	if (send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size && errno != EPIPE)
		return status_of_errno();
	return await(fd, sign_ns, deadline_ns, has_sign, ret_kind, ret, ret_size);
}

enum sm_status sm_client_hint(const char *socket_path, const struct sm_request *request)
{
	SM_SCOPE_CLOSE int fd = -1;
	uint8_t bytes[SM_REQUEST_MAX];
	size_t size = sm_frame_encode_request(request, bytes);
	struct sockaddr_un address;

	if (sm_address_of(socket_path, SM_HINT_SUFFIX, &address) != SM_OK)
		return SM_REFUSED;
	fd = sm_descriptor_socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0)
		return SM_REFUSED;
	return sendto(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address, sizeof(address)) ==
	                       (ssize_t)size
	               ? SM_OK
	               : SM_REFUSED;
}
