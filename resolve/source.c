/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's part in ranks, following glibc 2.36: sysdeps/posix/getaddrinfo.c, and check_pf.c and check_native.c in
 * sysdeps/unix/sysv/linux, whose ways are kept where they matter to the order. */
#include "resolve/source.h"

#include "base/scope.h"
#include "resolve/descriptor.h"

#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define OWN_ADDRESSES_MAX 1024
#define LINKS_MAX 1024

/* The host's own addresses and links. */
struct network {
	bool has_ipv6; /* other than ::1; without it glibc knows nothing of its addresses */
	uint32_t n_addresses, n_links;
	struct {
		struct sm_address address;
		uint32_t flags; /* IFA_F_... */
		uint32_t link;
		uint8_t prefix_length;
	} addresses[OWN_ADDRESSES_MAX];
	struct {
		uint32_t index;
		bool is_native;
	} links[LINKS_MAX];
};

static void take_address(struct network *network, struct nlmsghdr *message)
{
	static const uint8_t loopback[16] = {[15] = 1};
	struct ifaddrmsg *head = NLMSG_DATA(message);
	struct rtattr *attribute = IFA_RTA(head);
	int left = (int)IFA_PAYLOAD(message);
	size_t length = head->ifa_family == AF_INET ? 4 : 16;
	struct sm_address address = {.family = 0};

	if (head->ifa_family != AF_INET && head->ifa_family != AF_INET6)
		return;
	/* IFA_ADDRESS, a peer's on a point-to-point link, before IFA_LOCAL */
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		bool is_address = attribute->rta_type == IFA_ADDRESS;

		if (RTA_PAYLOAD(attribute) < length || !(is_address || (attribute->rta_type == IFA_LOCAL && !address.family)))
			continue;
		address.family = head->ifa_family == AF_INET ? SM_IPV4 : SM_IPV6;
		memcpy(address.bytes, RTA_DATA(attribute), length);
	}
	if (!address.family || network->n_addresses == OWN_ADDRESSES_MAX)
		return;
	network->has_ipv6 |= address.family == SM_IPV6 && memcmp(address.bytes, loopback, 16) != 0;
	network->addresses[network->n_addresses].address = address;
	network->addresses[network->n_addresses].flags = head->ifa_flags;
	network->addresses[network->n_addresses].link = head->ifa_index;
	network->addresses[network->n_addresses].prefix_length = head->ifa_prefixlen;
	network->n_addresses++;
}

static void take_link(struct network *network, struct nlmsghdr *message)
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
static bool take_messages(struct network *network, struct nlmsghdr *message, size_t size)
{
	for (; NLMSG_OK(message, size); message = NLMSG_NEXT(message, size)) {
		if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR)
			return false;
		if (message->nlmsg_type == RTM_NEWADDR && message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifaddrmsg)))
			take_address(network, message);
		if (message->nlmsg_type == RTM_NEWLINK && message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifinfomsg)))
			take_link(network, message);
	}
	return true;
}

/* A dump of one kind. The kernel has its answer ready when the question is sent, so nothing is waited for. */
static void dump(int fd, uint16_t kind, struct network *network)
{
	struct {
		struct nlmsghdr head;
		struct rtgenmsg body;
	} question = {
		.head = {.nlmsg_len = sizeof(question), .nlmsg_type = kind, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.rtgen_family = AF_UNSPEC},
	};
	_Alignas(struct nlmsghdr) char bytes[8192];

	if (send(fd, &question, sizeof(question), MSG_NOSIGNAL) < 0)
		return;
	for (;;) {
		ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (got <= 0 || !take_messages(network, (struct nlmsghdr *)bytes, (size_t)got))
			return;
	}
}

static void learn_network(struct network *network)
{
	SM_SCOPE_CLOSE int fd = sm_descriptor_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	network->has_ipv6 = false;
	network->n_addresses = network->n_links = 0;
	if (fd < 0 || connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)) != 0)
		return;
	dump(fd, RTM_GETADDR, network);
	if (network->has_ipv6)
		dump(fd, RTM_GETLINK, network);
}

static bool is_native(const struct network *network, uint32_t link)
{
	for (uint32_t i = 0; i < network->n_links; i++)
		if (network->links[i].index == link)
			return network->links[i].is_native;
	return false;
}

/* What is known of the source address itself. */
static void describe(const struct network *network, struct sm_source *source)
{
	struct sm_address own = source->address;

	if (!network->has_ipv6)
		return;
	if (own.family == SM_IPV4 && own.bytes[0] == 127)
		memcpy(own.bytes, (uint8_t[]){127, 0, 0, 1}, 4); /* any of 127/8 may be a source; one is configured */
	for (uint32_t i = 0; i < network->n_addresses; i++) {
		if (memcmp(&network->addresses[i].address, &own, sizeof(own)) != 0)
			continue;
		source->is_deprecated = network->addresses[i].flags & (IFA_F_DEPRECATED | IFA_F_OPTIMISTIC);
		source->is_home = network->addresses[i].flags & IFA_F_HOMEADDRESS;
		source->prefix_length = network->addresses[i].prefix_length;
		source->is_native = is_native(network, network->addresses[i].link);
		return;
	}
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

static struct sm_source find_source(const struct network *network, int fd, const struct sm_address *destination)
{
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
	struct sm_source source = {.address = {.family = destination->family}};
	union endpoint endpoint;
	socklen_t size = endpoint_of(destination, &endpoint);

	if (fd < 0)
		return source;
	connect(fd, &nowhere, sizeof(nowhere)); /* forgets the last destination's source */
	if (connect(fd, &endpoint.any, size) != 0 || getsockname(fd, &endpoint.any, &size) != 0)
		return source;
	source.is_reachable = true;
	if (destination->family == SM_IPV4)
		memcpy(source.address.bytes, &endpoint.ipv4.sin_addr, 4);
	else
		memcpy(source.address.bytes, &endpoint.ipv6.sin6_addr, 16);
	describe(network, &source);
	return source;
}

void sm_source_rank(const struct sm_policies *policies, struct sm_answer *answer)
{
	SM_SCOPE_FREE struct network *network = malloc(sizeof(*network));
	SM_SCOPE_CLOSE int ipv4 = sm_descriptor_socket(AF_INET, SOCK_DGRAM, 0);
	SM_SCOPE_CLOSE int ipv6 = sm_descriptor_socket(AF_INET6, SOCK_DGRAM, 0);

	if (!network)
		return;
	learn_network(network);
	for (uint32_t i = 0; i < answer->n_addresses; i++) {
		const struct sm_address *destination = &answer->addresses[i];
		struct sm_source source = find_source(network, destination->family == SM_IPV4 ? ipv4 : ipv6, destination);

		answer->ranks[i] = sm_rank(policies, destination, &source);
	}
}
