/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/gaiconf.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whatever the file says, every table ends with a catch-all, within its bound. */
#define HOLDS_TABLE(table) HOLDS((table).n >= 1 && (table).n <= SM_POLICIES_MAX)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct sm_policies policies;
	const struct sm_address destination = {.family = SM_IPV6, .bytes = {0xfd}};
	const struct sm_source source = {.is_reachable = true, .address = {.family = SM_IPV6, .bytes = {0xfd}}};
	char *text = malloc(size + 1);

	memcpy(text, bytes, size);
	text[size] = '\0';
	(void)!sm_gaiconf_parse(text, &policies);
	HOLDS_TABLE(policies.labels);
	HOLDS_TABLE(policies.precedences);
	HOLDS_TABLE(policies.ipv4_scopes);
	HOLDS(policies.labels.entries[policies.labels.n - 1].bits == 0);
	HOLDS(policies.ipv4_scopes.entries[policies.ipv4_scopes.n - 1].bits <= 96);
	sm_rank(&policies, &destination, &source);
	free(text);
	return 0;
}
