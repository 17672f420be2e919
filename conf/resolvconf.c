/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resolv.conf: reads only its servers. */
#include "conf/resolvconf.h"

#include "conf/value.h"

#include <string.h>

static void take_line(const char *line, size_t length, struct sm_rule *rule)
{
	char copy[128], word[64];
	const char *at = copy;
	struct sm_server server = {.port = 53};

	if (rule->n_servers == SM_SERVERS_MAX)
		return;
	if (length >= sizeof(copy))
		length = sizeof(copy) - 1; /* the rest is a comment: nothing else is that long */
	memcpy(copy, line, length);
	copy[length] = '\0';
	copy[strcspn(copy, "#;\r")] = '\0';
	if (sm_value_word(&at, word, sizeof(word)) != SM_OK || strcmp(word, "nameserver") != 0)
		return;
	if (sm_value_word(&at, word, sizeof(word)) != SM_OK || sm_value_address(word, &server.address) != SM_OK)
		return;
	rule->servers[rule->n_servers++] = server;
}

void sm_resolvconf_parse(const char *text, struct sm_rule *rule)
{
	static const struct sm_server loopback = {.address = {.family = SM_IPV4, .bytes = {127, 0, 0, 1}}, .port = 53};

	rule->n_servers = 0;
	while (*text) {
		size_t length = strcspn(text, "\n");

		take_line(text, length, rule);
		text += length + (text[length] == '\n');
	}
	if (rule->n_servers == 0)
		rule->servers[rule->n_servers++] = loopback;
}
