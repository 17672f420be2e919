/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's data for ranks, as in glibc 2.36: sysdeps/posix/getaddrinfo.c, and check_pf.c and check_native.c in
 * sysdeps/unix/sysv/linux, whose behaviour is copied where it affects the order. */
#include "resolve/source.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/scope.h"
#include "base/sort.h"

#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OWN_ADDRESSES_MAX 16384 /* a cluster node has thousands; memory is used only as needed */
#define LINKS_MAX 4096
#define SOURCES_KEPT 256

/* What the kernel has said of a destination. */
struct kept_source {
	struct sm_address destination; /* of no family: none */
	struct sm_source source;
	int64_t until_ns;
};

struct sm_network {
	struct kept_source *kept; /* NULL: nothing is kept */
	int ipv4, ipv6; /* sockets to ask the kernel with; -1: it refused */
	uint8_t families;  /* of addresses that are neither loopback nor link-local */
	bool has_ipv6; /* other than ::1; without one glibc knows nothing about the host's addresses */
	uint32_t n_addresses, n_links;
	struct own_address {
		uint8_t bytes[16]; /* IPv4 as ::ffff:0:0/96 */
		uint32_t nth;      /* in the order of the dump */
		uint32_t flags;    /* IFA_F_... */
		uint32_t link;
		uint8_t prefix_length;
	} addresses[OWN_ADDRESSES_MAX];
	struct {
		uint32_t index;
		bool is_native;
	} links[LINKS_MAX];
	_Alignas(struct nlmsghdr) char messages[8192]; /* as they are received */
};

static bool is_wide(const struct sm_address *address)
{
	static const uint8_t loopback[16] = {[15] = 1};
	const uint8_t *bytes = address->bytes;

	if (address->family == SM_IPV4)
		return bytes[0] != 127 && !(bytes[0] == 169 && bytes[1] == 254);
	return memcmp(bytes, loopback, 16) != 0 && !(bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
}

static void take_address(struct sm_network *network, struct nlmsghdr *message)
{
	static const uint8_t loopback[16] = {[15] = 1};
	struct ifaddrmsg *head = NLMSG_DATA(message);
	struct rtattr *attribute = IFA_RTA(head);
	int left = (int)IFA_PAYLOAD(message);
	struct sm_address address = {.family = head->ifa_family == AF_INET ? SM_IPV4 : SM_IPV6};
	size_t length = address.family == SM_IPV4 ? 4 : 16;
	struct own_address own = {.flags = head->ifa_flags, .link = head->ifa_index, .prefix_length = head->ifa_prefixlen};
	bool is_known = false;

	if (head->ifa_family != AF_INET && head->ifa_family != AF_INET6)
		return;
	/* prefer IFA_ADDRESS (the peer's address on a point-to-point link) to IFA_LOCAL */
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		bool is_address = attribute->rta_type == IFA_ADDRESS;

		if (RTA_PAYLOAD(attribute) < length || !(is_address || (attribute->rta_type == IFA_LOCAL && !is_known)))
			continue;
		is_known = true;
		memcpy(address.bytes, RTA_DATA(attribute), length);
	}
	if (!is_known)
		return;
	sm_address_map(&address, own.bytes);
	if (is_wide(&address))
		network->families |= address.family;
	network->has_ipv6 |= length == 16 && memcmp(own.bytes, loopback, 16) != 0;
	if (network->n_addresses == OWN_ADDRESSES_MAX)
		return;
	own.nth = network->n_addresses;
	network->addresses[network->n_addresses++] = own;
}

static void take_link(struct sm_network *network, struct nlmsghdr *message)
{
	const struct ifinfomsg *head = NLMSG_DATA(message);

	if (network->n_links == LINKS_MAX)
		return;
	network->links[network->n_links].index = (uint32_t)head->ifi_index;
	network->links[network->n_links].is_native =
		head->ifi_type != ARPHRD_TUNNEL6 && head->ifi_type != ARPHRD_TUNNEL && head->ifi_type != ARPHRD_SIT;
	network->n_links++;
}

/* false: the last message. */
static bool take_messages(struct sm_network *network, struct nlmsghdr *message, int left)
{
	for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) { /* may become negative */
		if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR)
			return false;
		if (message->nlmsg_type == RTM_NEWADDR && message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifaddrmsg)))
			take_address(network, message);
		if (message->nlmsg_type == RTM_NEWLINK && message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifinfomsg)))
			take_link(network, message);
	}
	return true;
}

/* Requests one kind of dump. The kernel has the answer ready when the request is sent, so there is no waiting. */
static void dump(int fd, uint16_t kind, struct sm_network *network)
{
	struct {
		struct nlmsghdr head;
		struct rtgenmsg body;
	} question = {
		.head = {.nlmsg_len = sizeof(question), .nlmsg_type = kind, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.rtgen_family = AF_UNSPEC},
	};

	if (send(fd, &question, sizeof(question), MSG_NOSIGNAL) < 0)
		return;
	for (;;) {
		ssize_t got = recv(fd, network->messages, sizeof(network->messages), MSG_DONTWAIT);

		if (got <= 0 || !take_messages(network, (struct nlmsghdr *)network->messages, (int)got))
			return;
	}
}

/* If two links have the same address, they stay in the order of the dump, as with glibc's stable qsort. */
static int by_bytes(const void *left, const void *right)
{
	const struct own_address *a = left, *b = right;
	int order = memcmp(a->bytes, b->bytes, 16);

	return order ? order : a->nth < b->nth ? -1 : a->nth > b->nth;
}

static bool is_short_of_something(int fd)
{
	return fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS);
}

static enum sm_status learn_addresses(struct sm_network *network)
{
	SM_SCOPE_CLOSE int fd = sm_descriptor_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	if (is_short_of_something(fd))
		return SM_EXHAUSTED;
	if (fd < 0 || connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)) != 0)
		return SM_OK;
	dump(fd, RTM_GETADDR, network);
	sm_sort(network->addresses, network->n_addresses, sizeof(network->addresses[0]), by_bytes);
	if (network->has_ipv6)
		dump(fd, RTM_GETLINK, network);
	return SM_OK;
}

/* *ret is -1 where the system has no such sockets, or forbids them. */
static enum sm_status open_asker(int family, int *ret)
{
	*ret = sm_descriptor_socket(family, SOCK_DGRAM, 0);
	return is_short_of_something(*ret) ? SM_EXHAUSTED : SM_OK;
}

__attribute__((cold))
enum sm_status sm_network_learn(struct sm_network **ret)
{
	struct sm_network *network = malloc(sizeof(*network));

	if (!network)
		return SM_EXHAUSTED;
	network->ipv4 = network->ipv6 = -1;
	network->kept = NULL;
	network->has_ipv6 = false;
	network->families = 0;
	network->n_addresses = network->n_links = 0;
	if (open_asker(AF_INET, &network->ipv4) != SM_OK || open_asker(AF_INET6, &network->ipv6) != SM_OK ||
	    learn_addresses(network) != SM_OK) {
		sm_network_free(network);
		return SM_EXHAUSTED;
	}
	*ret = network;
	return SM_OK;
}

void sm_network_free(struct sm_network *network)
{
	if (!network)
		return;
	sm_scope_close(&network->ipv4);
	sm_scope_close(&network->ipv6);
	free(network->kept);
	free(network);
}

uint8_t sm_network_families(const struct sm_network *network)
{
	return network->families ? network->families : SM_IPV4_AND_IPV6;
}

void sm_network_remember(struct sm_network *network, bool remembers)
{
	free(network->kept);
	network->kept = remembers ? calloc(SOURCES_KEPT, sizeof(*network->kept)) : NULL;
}

static int watch(uint32_t kinds)
{
	struct sockaddr_nl groups = {.nl_family = AF_NETLINK, .nl_groups = kinds};
	int fd = sm_descriptor_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&groups, sizeof(groups)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int sm_network_watch(void)
{
	return watch(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
}

int sm_network_watch_routes(void)
{
	return watch(RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE);
}

bool sm_network_has_changed(int fd)
{
	char ignored[1024]; /* a message that is larger is cut */
	bool has_changed = false;
	ssize_t got;

	/* ENOBUFS: it has changed, and more often than the socket could report */
	while ((got = recv(fd, ignored, sizeof(ignored), MSG_DONTWAIT)) > 0 || (got < 0 && errno == ENOBUFS))
		has_changed = true;
	return has_changed;
}

static bool is_native(const struct sm_network *network, uint32_t link)
{
	for (uint32_t i = 0; i < network->n_links; i++)
		if (network->links[i].index == link)
			return network->links[i].is_native;
	return false;
}

/* Repeats the steps of glibc's bsearch, because they decide which of several equal addresses is found. */
static const struct own_address *find_own(const struct sm_network *network, const uint8_t *bytes)
{
	uint32_t low = 0, high = network->n_addresses;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		int order = memcmp(bytes, network->addresses[middle].bytes, 16);

		if (order == 0)
			return &network->addresses[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* Fills in what is known of the source address itself. */
static void describe(const struct sm_network *network, struct sm_source *source)
{
	static const struct sm_address loopback = {.family = SM_IPV4, .bytes = {127, 0, 0, 1}};
	const struct sm_address *address = &source->address;
	const struct own_address *own;
	uint8_t bytes[16];

	if (!network->has_ipv6)
		return;
	if (address->family == SM_IPV4 && address->bytes[0] == 127)
		address = &loopback; /* any of 127/8 may be a source; one is configured */
	sm_address_map(address, bytes);
	own = find_own(network, bytes);
	if (!own)
		return;
	source->is_deprecated = own->flags & (IFA_F_DEPRECATED | IFA_F_OPTIMISTIC);
	source->is_home = own->flags & IFA_F_HOMEADDRESS;
	source->prefix_length = own->prefix_length;
	source->is_native = is_native(network, own->link);
}

union endpoint {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

static socklen_t endpoint_of(const struct sm_address *address, union endpoint *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (address->family == SM_IPV4) {
		ret->ipv4.sin_family = AF_INET;
		memcpy(&ret->ipv4.sin_addr, address->bytes, 4);
		return sizeof(ret->ipv4);
	}
	ret->ipv6.sin6_family = AF_INET6;
	memcpy(&ret->ipv6.sin6_addr, address->bytes, 16);
	return sizeof(ret->ipv6);
}

static int asker_of(const struct sm_network *network, const struct sm_address *destination)
{
	return destination->family == SM_IPV4 ? network->ipv4 : network->ipv6;
}

static bool connects(const struct sm_network *network, const struct sm_address *destination)
{
	int fd = asker_of(network, destination);
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
	union endpoint endpoint;
	socklen_t size = endpoint_of(destination, &endpoint);

	if (fd < 0)
		return false;
	connect(fd, &nowhere, sizeof(nowhere)); /* forgets the last destination's source */
	return connect(fd, &endpoint.any, size) == 0;
}

static struct sm_source find_source(const struct sm_network *network, const struct sm_address *destination)
{
	struct sm_source source = {.address = {.family = destination->family}};
	union endpoint endpoint;
	socklen_t size = sizeof(endpoint);

	if (!connects(network, destination) ||
	    getsockname(asker_of(network, destination), &endpoint.any, &size) != 0)
		return source;
	source.is_reachable = true;
	if (destination->family == SM_IPV4)
		memcpy(source.address.bytes, &endpoint.ipv4.sin_addr, 4);
	else
		memcpy(source.address.bytes, &endpoint.ipv6.sin6_addr, 16);
	describe(network, &source);
	return source;
}

/* Kept, or found and kept. */
static struct sm_source source_of(const struct sm_network *network, const struct sm_address *destination)
{
	struct kept_source *place;
	int64_t now_ns;

	if (!network->kept)
		return find_source(network, destination);
	place = &network->kept[sm_address_hash(destination, 0) % SOURCES_KEPT];
	now_ns = sm_clock_now_ns();
	if (now_ns >= place->until_ns || !sm_address_is_same(&place->destination, destination))
		*place = (struct kept_source){*destination, find_source(network, destination), now_ns + SM_SOURCE_KEPT_NS};
	return place->source;
}

bool sm_source_reaches(const struct sm_network *network, const struct sm_address *destination)
{
	return network->kept ? source_of(network, destination).is_reachable : connects(network, destination);
}

void sm_source_rank(const struct sm_policies *policies, const struct sm_network *network, struct sm_answer *answer)
{
	for (uint32_t i = 0; i < answer->n_addresses; i++) {
		const struct sm_address *destination = &answer->addresses[i];
		struct sm_source source = source_of(network, destination);

		answer->ranks[i] = sm_rank(policies, destination, &source);
	}
}
