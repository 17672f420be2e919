/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resolv.conf: its servers, whether they are asked by TCP alone, and the search list. What else it may say is ours to decide;
 * srvmesh.conf(5) has each. */
#include "conf/resolvconf.h"

#include "base/span.h"

#include "conf/value.h"

#include <string.h>

#define LINE_MAX 3072 /* more than Kubernetes writes, 2,048 for its search list */
#define NDOTS_MAX 15 /* as in glibc */

struct resolvconf {
	struct sm_rule *rule;
	struct sm_search *search; /* NULL: nobody wants it */
	bool is_stream;
};

static void take_server(const char *at, struct sm_rule *rule)
{
	char word[SM_VALUE_SERVER_MAX + 1];
	struct sm_server server;

	if (rule->n_servers < SM_SERVERS_MAX && sm_value_word(&at, word, sizeof(word)) == SM_OK &&
	    sm_value_address(word, &server) == SM_OK)
		rule->servers[rule->n_servers++] = server;
}

/* The last line counts, as in glibc. */
static void take_search(const char *at, struct sm_search *search)
{
	search->n_domains = 0;
	while (search->n_domains < SM_SEARCH_MAX) {
		enum sm_status status = sm_value_name(&at, &search->domains[search->n_domains]);

		if (status == SM_MISS)
			return;
		search->n_domains += status == SM_OK;
	}
}

static void take_option(const char *word, struct resolvconf *ret)
{
	uint64_t ndots;

	if (strcmp(word, "use-vc") == 0)
		ret->is_stream = true;
	if (ret->search && strncmp(word, "ndots:", 6) == 0 && sm_value_count(word + 6, &ndots) == SM_OK)
		ret->search->ndots = ndots < NDOTS_MAX ? (uint32_t)ndots : NDOTS_MAX;
}

static void take_options(const char *at, struct resolvconf *ret)
{
	for (;;) {
		char word[SM_VALUE_SERVER_MAX + 1];
		enum sm_status status = sm_value_word(&at, word, sizeof(word));

		if (status == SM_MISS)
			return;
		if (status == SM_OK)
			take_option(word, ret);
	}
}

static void take_line(const char *line, size_t length, struct resolvconf *ret)
{
	char copy[LINE_MAX], word[SM_VALUE_SERVER_MAX + 1];
	const char *at = copy;

	if (length >= sizeof(copy))
		length = sizeof(copy) - 1; /* the rest is a comment: nothing else is that long */
	memcpy(copy, line, length);
	copy[length] = '\0';
	copy[sm_span_without(copy, "#;\r")] = '\0';
	if (sm_value_word(&at, word, sizeof(word)) != SM_OK)
		return;
	if (strcmp(word, "nameserver") == 0)
		take_server(at, ret->rule);
	else if (ret->search && (strcmp(word, "search") == 0 || strcmp(word, "domain") == 0))
		take_search(at, ret->search);
	else if (strcmp(word, "options") == 0)
		take_options(at, ret);
}

void sm_resolvconf_parse(const char *text, struct sm_rule *rule, struct sm_search *search)
{
	static const struct sm_server loopback = {.address = {.family = SM_IPV4, .bytes = {127, 0, 0, 1}}, .port = 53};
	struct resolvconf resolvconf = {.rule = rule, .search = search};

	rule->n_servers = 0;
	if (search)
		*search = (struct sm_search){.ndots = 1};
	while (*text) {
		size_t length = sm_span_without(text, "\n");

		take_line(text, length, &resolvconf);
		text += length + (text[length] == '\n');
	}
	if (rule->n_servers == 0)
		rule->servers[rule->n_servers++] = loopback;
	for (uint32_t i = 0; i < rule->n_servers; i++)
		rule->servers[i].is_stream = resolvconf.is_stream;
}
