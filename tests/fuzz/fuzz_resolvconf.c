/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/resolvconf.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whatever the file says, there is a server, and the lists stay within their bounds. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct sm_rule rule;
	static struct sm_search search;
	char *text = malloc(size + 1);

	memcpy(text, bytes, size);
	text[size] = '\0';
	memset(&rule, 0, sizeof(rule));
	memset(&search, 0, sizeof(search));
	sm_resolvconf_parse(text, &rule, &search);
	HOLDS(rule.n_servers >= 1 && rule.n_servers <= SM_SERVERS_MAX);
	for (uint32_t i = 0; i < rule.n_servers; i++)
		HOLDS(rule.servers[i].address.family == SM_IPV4 || rule.servers[i].address.family == SM_IPV6);
	for (uint32_t i = 0; i < search.n_domains; i++)
		HOLDS(search.domains[i].length > 0);
	free(text);
	return 0;
}
