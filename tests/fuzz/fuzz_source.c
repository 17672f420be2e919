/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel says of addresses and links is read by functions that nobody else sees: this is that file, with a target. */
#include "resolve/source.c"

#include "tests/fuzz/fuzz.h"

#include <stdio.h>

/* Messages of NETLINK_ROUTE: no more is taken than they hold, and what is taken can be worked with. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct sm_network network;
	struct nlmsghdr *messages = malloc(size ? size : 1);

	memcpy(messages, bytes, size);
	network.ipv4 = network.ipv6 = -1;
	network.n_addresses = network.n_links = 0;
	network.families = 0;
	network.has_ipv6 = false;
	take_messages(&network, messages, (int)size);
	HOLDS(network.n_addresses <= size / sizeof(struct nlmsghdr) && network.n_links <= size / sizeof(struct nlmsghdr));
	sm_sort(network.addresses, network.n_addresses, sizeof(network.addresses[0]), by_bytes);
	for (uint32_t i = 1; i < network.n_addresses; i++)
		HOLDS(by_bytes(&network.addresses[i - 1], &network.addresses[i]) < 0);
	HOLDS(sm_network_families(&network) <= SM_IPV4_AND_IPV6);
	free(messages);
	return 0;
}
