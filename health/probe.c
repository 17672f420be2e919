/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "health/probe.h"

#include "base/descriptor.h"
#include "base/sockaddr.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND_NS (300 * 1000000LL)

/* What an error says that came over the network. */
static enum sm_health_reason reason_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
		return SM_REASON_REFUSED;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENOPROTOOPT: /* ICMP: protocol unreachable */
		return SM_REASON_UNREACHABLE;
	case ETIMEDOUT:
		return SM_REASON_SILENT;
	default:
		return SM_REASON_UNKNOWN;
	}
}

/* A port of this host in the range of local ports may by chance be connected to itself. */
static bool is_own(int fd)
{
	struct sockaddr_storage own, peer;
	socklen_t own_size = sizeof(own), peer_size = sizeof(peer);

	memset(&own, 0, sizeof(own));
	memset(&peer, 0, sizeof(peer));
	return getsockname(fd, (struct sockaddr *)&own, &own_size) == 0 &&
	       getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0 && own_size == peer_size &&
	       memcmp(&own, &peer, own_size) == 0;
}

static int open_quiet(int family)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	int fd = sm_descriptor_socket(family, SOCK_STREAM, 0), off = 0;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) == 0 &&
	    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Sends a SYN. What fails at once is a fault of this host, such as no route. */
static enum sm_health_reason send_syn(struct sm_probe *probe, int *fd)
{
	struct sockaddr_storage address;
	const struct sm_address *to = &probe->endpoint.address;
	socklen_t size = sm_sockaddr_inet(to->family == SM_IPV6, to->bytes, "", probe->endpoint.port, &address);

	*fd = open_quiet(address.ss_family);
	if (*fd < 0)
		return SM_REASON_UNKNOWN;
	if (connect(*fd, (struct sockaddr *)&address, size) == 0)
		return is_own(*fd) ? SM_REASON_REFUSED : SM_REASON_ANSWERED;
	if (errno == EINPROGRESS)
		return SM_REASON_NEW;
	return errno == ECONNREFUSED ? SM_REASON_REFUSED : SM_REASON_UNKNOWN;
}

static enum sm_health_reason look_at(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int error = 0;

	if (fd < 0 || poll(&ready, 1, 0) <= 0)
		return SM_REASON_NEW;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		return SM_REASON_UNKNOWN;
	if (error != 0)
		return reason_of(error);
	return is_own(fd) ? SM_REASON_REFUSED : SM_REASON_ANSWERED;
}

void sm_probe_close(struct sm_probe *probe)
{
	for (int i = 0; i < SM_PROBE_SOCKETS; i++) {
		if (probe->fds[i] >= 0)
			close(probe->fds[i]);
		probe->fds[i] = -1;
	}
}

static enum sm_health_reason ended(struct sm_probe *probe, enum sm_health_reason reason)
{
	if (reason != SM_REASON_NEW)
		sm_probe_close(probe);
	return reason;
}

enum sm_health_reason sm_probe_begin(const struct sm_endpoint *endpoint, uint32_t timeout_ms, int64_t now_ns,
                                     struct sm_probe *ret)
{
	*ret = (struct sm_probe){
		.endpoint = *endpoint,
		.fds = {-1, -1},
		.second_ns = now_ns + SECOND_NS,
		.until_ns = now_ns + timeout_ms * 1000000LL,
	};
	return ended(ret, send_syn(ret, &ret->fds[0]));
}

/* The second SYN is a help: where it cannot be sent, the first goes on alone. */
static enum sm_health_reason send_second(struct sm_probe *probe)
{
	enum sm_health_reason reason;

	probe->second_ns = INT64_MAX;
	reason = send_syn(probe, &probe->fds[1]);
	return reason == SM_REASON_UNKNOWN ? SM_REASON_NEW : reason;
}

enum sm_health_reason sm_probe_process(struct sm_probe *probe, int64_t now_ns)
{
	enum sm_health_reason reason = SM_REASON_NEW;

	for (int i = 0; i < SM_PROBE_SOCKETS && reason == SM_REASON_NEW; i++)
		reason = look_at(probe->fds[i]);
	if (reason == SM_REASON_NEW && now_ns >= probe->until_ns) /* not, if we were stopped meanwhile */
		reason = probe->second_ns == INT64_MAX ? SM_REASON_SILENT : SM_REASON_UNKNOWN;
	if (reason == SM_REASON_NEW && now_ns >= probe->second_ns)
		reason = send_second(probe);
	return ended(probe, reason);
}

int64_t sm_probe_wakes_ns(const struct sm_probe *probe)
{
	return probe->second_ns < probe->until_ns ? probe->second_ns : probe->until_ns;
}
