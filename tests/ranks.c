/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints the rank that the plugin gives on this host to each address of the command line: "ADDRESS FAMILY RANK". */
#include "conf/conf.h"
#include "conf/file.h"
#include "conf/gaiconf.h"
#include "resolve/source.h"
#include "tests/answer.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	ROOMY_ANSWER(answer);
	static struct sm_policies policies;
	struct sm_network *network;
	char *text = NULL;
	size_t size;

	if (sm_file_read(SM_CONF_GAI, &text, &size) != SM_OK || sm_gaiconf_parse(text, &policies) != SM_OK)
		sm_policies_default(&policies);
	free(text);
	for (int i = 1; i < argc && i <= SM_ADDRESSES_MAX; i++) {
		struct sm_address *address = &answer.addresses[answer.n_addresses++];

		if (inet_pton(AF_INET, argv[i], address->bytes) == 1)
			address->family = SM_IPV4;
		else if (inet_pton(AF_INET6, argv[i], address->bytes) == 1)
			address->family = SM_IPV6;
		else
			return 2;
	}
	if (sm_network_learn(&network) != SM_OK)
		return 1;
	sm_source_rank(&policies, network, &answer);
	sm_network_free(network);
	for (uint32_t i = 0; i < answer.n_addresses; i++)
		printf("%s %u %" PRIu64 "\n", argv[i + 1], answer.addresses[i].family, answer.ranks[i]);
	return 0;
}
