/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libsrvmesh_ports.so: `srvmesh run --ports` preloads it into one command, so that a program that knows one port alone connects
 * to the ports of SRV records.
 *
 *   getaddrinfo("api.mesh", "80")   is made as getaddrinfo("api.mesh", "api.mesh"): the services database gives the port of the
 * target                                   that is drawn, and the hosts database its address (find/pin.h); a name that has no
 * port there is                                   looked up as the program asked
 *   connect(192.0.2.11:80)          of TCP goes to the port that came with this address within the last ten seconds, where 80 is
 *                                   what the program had asked for
 *
 * It is in the command's process with its consent, but keeps the manners of a guest: no thread, no descriptor, no allocation. */
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define EXPORTED __attribute__((visibility("default")))
#define GIVEN_MAX 256 /* addresses that are remembered; the oldest give way */
#define GIVEN_S 10

typedef int resolver(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret);
typedef int connector(int fd, const struct sockaddr *address, socklen_t size);

/* An address that was given out with a port of its own. */
struct given {
	sa_family_t family; /* 0: none */
	in_port_t port;     /* network order */
	in_port_t asked;    /* the port that the program named instead; 0: none */
	time_t at_s;
	uint8_t bytes[16];
};

static struct given given[GIVEN_MAX];
static uint32_t n_given;
static atomic_flag is_taken = ATOMIC_FLAG_INIT;

/* false: another thread is at it, or this one, in a signal handler; then nothing is remembered, or redirected. */
static bool take_lock(void)
{
	return !atomic_flag_test_and_set_explicit(&is_taken, memory_order_acquire);
}

static void give_lock(void)
{
	atomic_flag_clear_explicit(&is_taken, memory_order_release);
}

static time_t now_s(void)
{
	struct timespec now = {.tv_sec = 0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Where the port and the address lie. false: no internet address. */
static bool read_address(const struct sockaddr *address, socklen_t size, struct given *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (address->sa_family == AF_INET && size >= sizeof(struct sockaddr_in)) {
		const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)address;

		ret->port = ipv4->sin_port;
		memcpy(ret->bytes, &ipv4->sin_addr, sizeof(ipv4->sin_addr));
	} else if (address->sa_family == AF_INET6 && size >= sizeof(struct sockaddr_in6)) {
		const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)address;

		ret->port = ipv6->sin6_port;
		memcpy(ret->bytes, &ipv6->sin6_addr, sizeof(ipv6->sin6_addr));
	} else {
		return false;
	}
	ret->family = address->sa_family;
	return true;
}

/* ---- what was given out */

static struct given *find(const struct given *wanted)
{
	for (uint32_t i = 0; i < GIVEN_MAX; i++)
		if (given[i].family == wanted->family && memcmp(given[i].bytes, wanted->bytes, sizeof(wanted->bytes)) == 0)
			return &given[i];
	return NULL;
}

static void remember(const struct addrinfo *list, const char *service)
{
	if (!take_lock())
		return;
	for (; list; list = list->ai_next) {
		struct given one, *place;

		if (!list->ai_addr || !read_address(list->ai_addr, list->ai_addrlen, &one))
			continue;
		place = find(&one);
		if (!place)
			place = &given[n_given++ % GIVEN_MAX];
		one.at_s = now_s();
		one.asked = htons(service ? (uint16_t)strtoul(service, NULL, 10) : 0);
		*place = one;
	}
	give_lock();
}

/* The port that came with the address lately, for the port that is asked for now; 0: none. */
static in_port_t port_of(const struct given *wanted)
{
	struct given *place;
	in_port_t port = 0;

	if (!take_lock())
		return 0;
	place = find(wanted);
	if (place && place->asked == 0)
		place->asked = wanted->port; /* the first connection after the lookup tells it */
	if (place && now_s() - place->at_s <= GIVEN_S && place->asked == wanted->port)
		port = place->port;
	give_lock();
	return port;
}

/* ---- the two calls */

/* A name with a dot, and no service but a number: then its own ports may be meant. */
static bool may_have_ports(const char *node, const char *service, const struct addrinfo *hints)
{
	if (!node || !strchr(node, '.') || (hints && (hints->ai_flags & (AI_NUMERICHOST | AI_PASSIVE))))
		return false;
	return !service || service[strspn(service, "0123456789")] == '\0';
}

EXPORTED int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	static _Atomic(resolver *) next;
	resolver *real = atomic_load(&next);

	if (!real) {
		real = (resolver *)dlsym(RTLD_NEXT, "getaddrinfo");
		atomic_store(&next, real);
	}
	if (!real)
		return EAI_SYSTEM;
	if (may_have_ports(node, service, hints)) {
		struct addrinfo own = hints ? *hints : (struct addrinfo){.ai_flags = AI_V4MAPPED | AI_ADDRCONFIG};

		own.ai_flags &= ~AI_NUMERICSERV;
		if (real(node, node, &own, ret) == 0) {
			remember(*ret, service);
			return 0;
		}
	}
	return real(node, service, hints, ret);
}

/* Questions to DNS servers are none of ours. */
static bool is_tcp(int fd)
{
	int type = 0;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

EXPORTED int connect(int fd, const struct sockaddr *address, socklen_t size)
{
	static _Atomic(connector *) next;
	connector *real = atomic_load(&next);
	struct sockaddr_storage copy;
	struct given wanted;
	in_port_t port;

	if (!real) {
		real = (connector *)dlsym(RTLD_NEXT, "connect");
		atomic_store(&next, real);
	}
	if (!address || size > sizeof(copy) || size < sizeof(sa_family_t) || !read_address(address, size, &wanted))
		return real(fd, address, size);
	port = is_tcp(fd) ? port_of(&wanted) : 0;
	if (port == 0 || port == wanted.port)
		return real(fd, address, size);
	memcpy(&copy, address, size);
	if (wanted.family == AF_INET)
		((struct sockaddr_in *)&copy)->sin_port = port;
	else
		((struct sockaddr_in6 *)&copy)->sin6_port = port;
	return real(fd, (const struct sockaddr *)&copy, size);
}
