/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel takes for a miss: a server that does for each name the calls that srvmeshd cannot do without, and nothing else:
 * bared PATH SERVER, on whose port 53 it asks for A. Each client has a connection, whose user is looked at; each question a
 * socket, and so a port, of its own. Nothing is kept, bounded, logged or asked again, and of the answer only the first address
 * is read. */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FDS_MAX 4096
#define EVENTS_MAX 64
#define HEADER 12
#define RECORD 12 /* of an answer, before its address: a pointer to the name, type, class, TTL, size */

static struct work {
	int client; /* of a question; -1: this is a client, or the listener */
	size_t question_size;
} work[FDS_MAX];

static struct sockaddr_in server = {.sin_family = AF_INET};
static int epoll_fd;

static void watch(int fd, int client, size_t question_size)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	work[fd] = (struct work){client, question_size};
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static size_t write_question(const char *name, uint8_t ret[512])
{
	static const uint8_t flags_and_counts[HEADER - 2] = {1, 0, 0, 1}, type_and_class[] = {0, 0, 1, 0, 1};
	uint8_t *at = ret + HEADER;

	getrandom(ret, 2, 0);
	memcpy(ret + 2, flags_and_counts, sizeof(flags_and_counts));
	for (size_t length; *name; name += length + (name[length] == '.')) {
		length = strcspn(name, ".");
		*at++ = (uint8_t)length;
		memcpy(at, name, length);
		at += length;
	}
	memcpy(at, type_and_class, sizeof(type_and_class));
	return (size_t)(at - ret) + sizeof(type_and_class);
}

/* false: the name is still to come. */
static bool ask(int client)
{
	uint8_t question[512];
	char name[256];
	ssize_t n = recv(client, name, sizeof(name), 0);
	size_t size;
	int fd;

	if (n < 0)
		return false;
	if (n == 0 || name[n - 1]) {
		close(client);
		return true;
	}
	size = write_question(name, question);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || fd >= FDS_MAX || connect(fd, (const struct sockaddr *)&server, sizeof(server)) != 0 ||
	    send(fd, question, size, 0) < 0)
		exit(1);
	watch(fd, client, size);
	return true;
}

static void take_client(int listener)
{
	int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (client < 0)
		return;
	if (client >= FDS_MAX || getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		exit(1);
	if (!ask(client))
		watch(client, -1, 0);
}

static void take_answer(int fd)
{
	uint8_t answer[512];
	ssize_t n = recv(fd, answer, sizeof(answer), 0);
	size_t address = work[fd].question_size + RECORD;

	close(fd);
	if (n >= (ssize_t)(address + 4) && answer[7] > 0)
		send(work[fd].client, answer + address, 4, MSG_NOSIGNAL);
	close(work[fd].client);
}

int main(int argc, char **argv)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (argc != 3 || strlen(argv[1]) >= sizeof(at.sun_path) || inet_pton(AF_INET, argv[2], &server.sin_addr) != 1)
		return fputs("usage: bared PATH SERVER\n", stderr), 2;
	server.sin_port = htons(53);
	strcpy(at.sun_path, argv[1]);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (bind(listener, (const struct sockaddr *)&at, sizeof(at)) != 0 || listen(listener, FDS_MAX) != 0)
		return perror("bared"), 1;
	watch(listener, -1, 0);
	for (;;) {
		struct epoll_event events[EVENTS_MAX];
		int n = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == listener)
				take_client(fd);
			else if (work[fd].client >= 0)
				take_answer(fd);
			else if (ask(fd))
				epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		}
	}
}
