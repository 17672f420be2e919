/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resolv.conf: its servers, and whether they are asked by TCP alone. What else it may say is ours to decide; srvmesh.conf(5)
 * has each. */
#include "conf/resolvconf.h"

#include "conf/value.h"

#include <string.h>

static void take_server(const char *at, struct sm_rule *rule)
{
	char word[SM_VALUE_SERVER_MAX + 1];
	struct sm_server server;

	if (rule->n_servers < SM_SERVERS_MAX && sm_value_word(&at, word, sizeof(word)) == SM_OK &&
	    sm_value_address(word, &server) == SM_OK)
		rule->servers[rule->n_servers++] = server;
}

static bool has_option(const char *at, const char *option)
{
	while (*at) {
		size_t length;

		at += strspn(at, " \t");
		length = strcspn(at, " \t");
		if (length == strlen(option) && memcmp(at, option, length) == 0)
			return true;
		at += length;
	}
	return false;
}

static void take_line(const char *line, size_t length, struct sm_rule *rule, bool *ret_is_stream)
{
	char copy[256], word[SM_VALUE_SERVER_MAX + 1];
	const char *at = copy;

	if (length >= sizeof(copy))
		length = sizeof(copy) - 1; /* the rest is a comment: nothing else is that long */
	memcpy(copy, line, length);
	copy[length] = '\0';
	copy[strcspn(copy, "#;\r")] = '\0';
	if (sm_value_word(&at, word, sizeof(word)) != SM_OK)
		return;
	if (strcmp(word, "nameserver") == 0)
		take_server(at, rule);
	else if (strcmp(word, "options") == 0)
		*ret_is_stream |= has_option(at, "use-vc");
}

void sm_resolvconf_parse(const char *text, struct sm_rule *rule)
{
	static const struct sm_server loopback = {.address = {.family = SM_IPV4, .bytes = {127, 0, 0, 1}}, .port = 53};

	bool is_stream = false;

	rule->n_servers = 0;
	while (*text) {
		size_t length = strcspn(text, "\n");

		take_line(text, length, rule, &is_stream);
		text += length + (text[length] == '\n');
	}
	if (rule->n_servers == 0)
		rule->servers[rule->n_servers++] = loopback;
	for (uint32_t i = 0; i < rule->n_servers; i++)
		rule->servers[i].is_stream = is_stream;
}
