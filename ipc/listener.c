/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The listener's side, and the two protocols of a service manager: sd_listen_fds(3), sd_notify(3). */
#include "ipc/listener.h"

#include "base/scope.h"
#include "ipc/address.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FIRST_TAKEN 3
#define BACKLOG 4096 /* the kernel's own bound is somaxconn */

static int make_socket(int type)
{
	return socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* A socket file that nobody listens at. */
static bool is_left_over(const struct sockaddr_un *address, int type)
{
	SM_SCOPE_CLOSE int fd = make_socket(type);

	return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 && errno == ECONNREFUSED;
}

static enum sm_status bind_to(int fd, int type, const struct sockaddr_un *address)
{
	int code = bind(fd, (const struct sockaddr *)address, sizeof(*address));

	if (code != 0 && errno == EADDRINUSE && is_left_over(address, type) && unlink(address->sun_path) == 0)
		code = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	/* who may not write to a socket's file may not connect to it */
	return code == 0 && chmod(address->sun_path, 0666) == 0 ? SM_OK : SM_REFUSED;
}

static enum sm_status open_one(const char *path, const char *suffix, int type, int *ret)
{
	SM_SCOPE_CLOSE int fd = make_socket(type);
	struct sockaddr_un address;

	if (fd < 0 || sm_address_of(path, suffix, &address) != SM_OK || bind_to(fd, type, &address) != SM_OK)
		return SM_REFUSED;
	if (type == SOCK_SEQPACKET && listen(fd, BACKLOG) != 0)
		return SM_REFUSED;
	*ret = fd;
	fd = -1;
	return SM_OK;
}

enum sm_status sm_listener_open(const char *path, struct sm_listener *ret)
{
	struct sm_listener listener = {.requests = -1, .hints = -1, .is_own = true};
	enum sm_status status = open_one(path, "", SOCK_SEQPACKET, &listener.requests);

	if (status == SM_OK)
		status = open_one(path, SM_HINT_SUFFIX, SOCK_DGRAM, &listener.hints);
	if (status != SM_OK) {
		if (listener.requests >= 0)
			sm_listener_close(&listener, path);
		return status;
	}
	*ret = listener;
	return SM_OK;
}

static int option_of(int fd, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

enum sm_status sm_listener_take(int n, struct sm_listener *ret)
{
	struct sm_listener listener = {.requests = -1, .hints = -1, .is_own = false};

	for (int fd = FIRST_TAKEN; fd < FIRST_TAKEN + n; fd++) {
		if (option_of(fd, SO_DOMAIN) != AF_UNIX)
			return SM_INVALID;
		if (option_of(fd, SO_TYPE) == SOCK_SEQPACKET && option_of(fd, SO_ACCEPTCONN) == 1)
			listener.requests = fd;
		else if (option_of(fd, SO_TYPE) == SOCK_DGRAM)
			listener.hints = fd;
		else
			return SM_INVALID;
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
			return SM_INVALID;
	}
	if (listener.requests < 0)
		return SM_INVALID;
	*ret = listener;
	return SM_OK;
}

static void close_one(int fd, const char *path, const char *suffix, bool is_own)
{
	struct sockaddr_un address;

	if (fd < 0)
		return;
	close(fd);
	if (is_own && sm_address_of(path, suffix, &address) == SM_OK)
		unlink(address.sun_path);
}

void sm_listener_close(struct sm_listener *listener, const char *path)
{
	close_one(listener->requests, path, "", listener->is_own);
	close_one(listener->hints, path, SM_HINT_SUFFIX, listener->is_own);
	listener->requests = listener->hints = -1;
}

enum sm_status sm_listener_accept(const struct sm_listener *listener, int *ret_fd, uid_t *ret_uid)
{
	SM_SCOPE_CLOSE int fd = accept4(listener->requests, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS ? SM_MEMORY : SM_MISS;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return SM_MISS;
	*ret_fd = fd;
	*ret_uid = peer.uid;
	fd = -1;
	return SM_OK;
}

static enum sm_status decode(const uint8_t *bytes, ssize_t size, bool is_hint, struct sm_request *ret)
{
	if (size > SM_REQUEST_MAX || sm_frame_decode_request(bytes, (size_t)size, ret) != SM_OK)
		return SM_CORRUPT;
	return (ret->kind == SM_FRAME_HINT) == is_hint ? SM_OK : SM_CORRUPT;
}

enum sm_status sm_listener_hint(const struct sm_listener *listener, struct sm_request *ret)
{
	uint8_t bytes[SM_REQUEST_MAX + 1];
	ssize_t size = recv(listener->hints, bytes, sizeof(bytes), MSG_DONTWAIT);

	return size < 0 ? SM_MISS : decode(bytes, size, true, ret);
}

enum sm_status sm_listener_receive(int fd, struct sm_request *ret)
{
	uint8_t bytes[SM_REQUEST_MAX + 1];
	ssize_t size = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (size < 0)
		return errno == EAGAIN || errno == EINTR ? SM_MISS : SM_REFUSED;
	return size == 0 ? SM_REFUSED : decode(bytes, size, false, ret);
}

void sm_listener_reply(int fd, enum sm_frame_kind kind, const void *body, size_t size)
{
	uint8_t head[SM_FRAME_HEAD];
	struct iovec parts[] = {{head, sizeof(head)}, {(void *)body, size}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = body ? 2 : 1};

	sm_frame_encode_head(kind, head);
	sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void sm_listener_notify(const char *socket_path, const char *state)
{
	SM_SCOPE_CLOSE int fd = -1;
	struct sockaddr_un address;
	socklen_t size;

	if (!socket_path || sm_address_of(socket_path, "", &address) != SM_OK)
		return;
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(socket_path));
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0'; /* an abstract name */
	fd = make_socket(SOCK_DGRAM);
	if (fd >= 0)
		sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
}
