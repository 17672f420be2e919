/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The listener's side, and the two protocols of a service manager: sd_listen_fds(3), sd_notify(3). */
#include "ipc/listener.h"

#include "base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FIRST_TAKEN 3
/* The kernel's queue knows no turns: who fills it keeps all others waiting until what stands in it has been accepted. So it is
 * short, and who finds it full waits for a place. */
#define BACKLOG 16

static int make_socket(int type)
{
	return socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Is it a socket on which no process listens? */
static bool is_left_over(const struct sockaddr_un *address, int type)
{
	SM_SCOPE_CLOSE int fd = make_socket(type);
	struct stat file;

	if (lstat(address->sun_path, &file) != 0 || !S_ISSOCK(file.st_mode))
		return false;
	return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 && errno == ECONNREFUSED;
}

static enum sm_status bind_to(int fd, int type, const struct sockaddr_un *address)
{
	int code = bind(fd, (const struct sockaddr *)address, sizeof(*address));

	if (code != 0 && errno == EADDRINUSE && is_left_over(address, type) && unlink(address->sun_path) == 0)
		code = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	/* only a process that may write to the socket's file may connect */
	return code == 0 && chmod(address->sun_path, 0666) == 0 ? SM_OK : SM_REFUSED;
}

/* Each datagram says who has sent it. */
static int ask_for_credentials(int fd)
{
	return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int));
}

static enum sm_status open_one(const char *path, const char *suffix, int type, struct sm_listener *listener, int which)
{
	SM_SCOPE_CLOSE int fd = make_socket(type);
	struct sockaddr_un address;
	struct stat file;

	if (fd < 0 || sm_sockaddr_local(path, suffix, &address) != SM_OK || bind_to(fd, type, &address) != SM_OK)
		return SM_REFUSED;
	if (lstat(address.sun_path, &file) == 0) {
		memcpy(listener->files[which].path, address.sun_path, sizeof(address.sun_path));
		listener->files[which].device = file.st_dev;
		listener->files[which].inode = file.st_ino;
	}
	if (type == SOCK_SEQPACKET ? listen(fd, BACKLOG) != 0 : ask_for_credentials(fd) != 0)
		return SM_REFUSED;
	*(which == 0 ? &listener->requests : &listener->hints) = fd;
	fd = -1;
	return SM_OK;
}

enum sm_status sm_listener_open(const char *path, struct sm_listener *ret)
{
	struct sm_listener listener = {.requests = -1, .hints = -1};
	enum sm_status status = open_one(path, "", SOCK_SEQPACKET, &listener, 0);

	if (status == SM_OK)
		status = open_one(path, SM_HINT_SUFFIX, SOCK_DGRAM, &listener, 1);
	if (status == SM_OK)
		*ret = listener;
	else
		sm_listener_close(&listener);
	return status;
}

static int option_of(int fd, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

enum sm_status sm_listener_take(int n, struct sm_listener *ret)
{
	struct sm_listener listener = {.requests = -1, .hints = -1};

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
	if (listener.requests < 0 || listen(listener.requests, BACKLOG) != 0)
		return SM_INVALID;
	if (listener.hints >= 0 && ask_for_credentials(listener.hints) != 0)
		return SM_INVALID;
	*ret = listener;
	return SM_OK;
}

static void remove_file(const struct sm_listener *listener, int which)
{
	const char *path = listener->files[which].path;
	struct stat file;

	if (path[0] != '\0' && lstat(path, &file) == 0 && file.st_dev == listener->files[which].device &&
	    file.st_ino == listener->files[which].inode)
		unlink(path);
}

void sm_listener_close(struct sm_listener *listener)
{
	sm_scope_close(&listener->requests);
	sm_scope_close(&listener->hints);
	for (int i = 0; i < 2; i++) {
		remove_file(listener, i);
		listener->files[i].path[0] = '\0';
	}
	listener->requests = listener->hints = -1;
}

enum sm_status sm_listener_accept(const struct sm_listener *listener, int *ret_fd, struct sm_peer *ret)
{
	SM_SCOPE_CLOSE int fd = accept4(listener->requests, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS ? SM_EXHAUSTED : SM_MISS;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return SM_MISS;
	*ret_fd = fd;
	*ret = (struct sm_peer){peer.uid, peer.uid, peer.pid};
	fd = -1;
	return SM_OK;
}

bool sm_listener_has_more(const struct sm_listener *listener)
{
	struct pollfd requests = {.fd = listener->requests, .events = POLLIN};

	return poll(&requests, 1, 0) > 0;
}

static enum sm_status decode(const uint8_t *bytes, ssize_t size, bool is_hint, struct sm_request *ret)
{
	if (size > SM_REQUEST_ROOM || sm_frame_decode_request(bytes, (size_t)size, ret) != SM_OK)
		return SM_CORRUPT;
	return (ret->kind == SM_FRAME_HINT) == is_hint ? SM_OK : SM_CORRUPT;
}

static bool find_sender(struct msghdr *message, struct sm_peer *ret)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
		struct ucred sender;

		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS ||
		    part->cmsg_len != CMSG_LEN(sizeof(sender)))
			continue;
		memcpy(&sender, CMSG_DATA(part), sizeof(sender));
		*ret = (struct sm_peer){sender.uid, sender.uid, sender.pid};
		return true;
	}
	return false;
}

enum sm_status sm_listener_hint(const struct sm_listener *listener, struct sm_request *ret, struct sm_peer *ret_from)
{
	uint8_t bytes[SM_REQUEST_ROOM + 1];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec piece = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t size = recvmsg(listener->hints, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (size < 0)
		return SM_MISS;
	return find_sender(&message, ret_from) ? decode(bytes, size, true, ret) : SM_REFUSED;
}

enum sm_status sm_listener_receive(int fd, struct sm_request *ret)
{
	uint8_t bytes[SM_REQUEST_ROOM + 1];
	ssize_t size = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (size < 0)
		return errno == EAGAIN || errno == EINTR ? SM_MISS : SM_REFUSED;
	return size == 0 ? SM_REFUSED : decode(bytes, size, false, ret);
}

bool sm_listener_is_gone(int fd)
{
	uint8_t byte;
	ssize_t size = recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);

	return size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
}

enum sm_status sm_listener_reply(int fd, const struct sm_frame_reply *reply, uint32_t *part)
{
	uint32_t n = sm_frame_parts(reply);

	if (n > SM_FRAME_PARTS_MAX)
		return SM_REFUSED;
	for (; *part < n; (*part)++) {
		uint8_t head[SM_FRAME_HEAD + SM_FRAME_FIELD_HEAD];
		struct iovec pieces[] = {{.iov_base = head}, {.iov_base = NULL}};
		struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
		const void *content;

		pieces[0].iov_len = sm_frame_encode_part(reply, *part, head, &content, &pieces[1].iov_len);
		pieces[1].iov_base = (void *)content;
		if (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			return errno == EAGAIN || errno == ENOBUFS ? SM_FULL : SM_REFUSED;
	}
	return SM_OK;
}

void sm_listener_notify(const char *socket_path, const char *state)
{
	SM_SCOPE_CLOSE int fd = -1;
	struct sockaddr_un address;
	socklen_t size;

	if (!socket_path || sm_sockaddr_local(socket_path, "", &address) != SM_OK)
		return;
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(socket_path));
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0'; /* an abstract name */
	fd = make_socket(SOCK_DGRAM);
	if (fd >= 0)
		sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
}
