/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/nameservers.h"

#include "base/clock.h"
#include "daemon/log.h"
#include "mesh/text.h"

#include <stdio.h>
#include <stdlib.h>

static uint32_t add_all(const struct sm_rule *rule, struct sm_nameserver *ret, uint32_t n)
{
	for (uint32_t i = 0; i < rule->n_servers; i++) {
		uint32_t k = 0;

		while (k < n && !sm_server_equals(&ret[k].server, &rule->servers[i]))
			k++;
		if (k == n && n < SM_NAMESERVERS_MAX)
			ret[n++] = (struct sm_nameserver){.server = rule->servers[i]};
	}
	return n;
}

uint32_t sm_nameservers(const struct sm_upstream *upstream, const struct sm_rules *rules,
                        struct sm_nameserver ret[SM_NAMESERVERS_MAX])
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < rules->n_rules; i++)
		n = add_all(&rules->rules[i], ret, n);
	n = add_all(&rules->elsewhere, ret, n);
	for (uint32_t i = 0; i < n; i++) {
		ret[i].known = sm_servers_find(&upstream->servers, &ret[i].server);
		ret[i].counts = sm_counts_find(&upstream->counts, &ret[i].server);
	}
	return n;
}

const char *sm_nameserver_state(const struct sm_nameserver *server)
{
	const struct sm_server_known *known = server->known;

	if (!known || (known->heard_ns == 0 && known->backoff_ms == 0))
		return "new";
	return known->backoff_ms > 0 ? "down" : known->is_overtaken ? "slow" : "up";
}

/* Milliseconds, or "-" where there is no such moment. */
static void write_ms(FILE *text, bool is_known, int64_t ns)
{
	if (is_known)
		fprintf(text, "\t%lld", (long long)(ns > 0 ? ns / SM_NS_PER_MS : 0));
	else
		fputs("\t-", text);
}

static void write_domains(FILE *text, const struct sm_rules *rules, const struct sm_server *server)
{
	const char *before = "\t";

	for (uint32_t i = 0; i < rules->n_rules; i++)
		if (sm_rule_has_server(&rules->rules[i], server)) {
			fprintf(text, "%s%s", before, rules->rules[i].name.text);
			before = ",";
		}
	fputs(before[0] == '\t' ? "\t-\n" : "\n", text);
}

static void write_line(FILE *text, const struct sm_rules *rules, const struct sm_nameserver *server, int64_t now_ns)
{
	static const struct sm_server_counts nothing;
	static const struct sm_server_known unknown;
	const struct sm_server_counts *counts = server->counts ? server->counts : &nothing;
	const struct sm_server_known *known = server->known ? server->known : &unknown;
	unsigned long long failed = counts->outcomes[SM_OUTCOME_SERVFAIL] + counts->outcomes[SM_OUTCOME_BAD] +
	                            counts->outcomes[SM_OUTCOME_UNREACHABLE];
	char address[SM_TEXT_ENDPOINT_MAX];

	sm_text_server(&server->server, address);
	fprintf(text, "%s\t%s\t%s", address, server->server.is_stream ? "tcp" : "udp", sm_nameserver_state(server));
	if (known->srtt_us > 0)
		fprintf(text, "\t%u", known->srtt_us);
	else
		fputs("\t-", text);
	fprintf(text, "\t%llu\t%llu\t%llu\t%llu", (unsigned long long)counts->n_asked,
	        (unsigned long long)counts->outcomes[SM_OUTCOME_GOOD], failed,
	        (unsigned long long)counts->outcomes[SM_OUTCOME_SILENT]);
	write_ms(text, known->heard_ns > 0, now_ns - known->heard_ns);
	write_ms(text, known->backoff_ms > 0, known->retry_ns - now_ns);
	write_ms(text, known->since_ns > 0 && known->backoff_ms > 0, now_ns - known->since_ns);
	write_domains(text, rules, &server->server);
}

char *sm_nameservers_text(const struct sm_upstream *upstream, const struct sm_rules *rules, int64_t now_ns, size_t *ret_size)
{
	struct sm_nameserver servers[SM_NAMESERVERS_MAX];
	uint32_t n = sm_nameservers(upstream, rules, servers);
	char *bytes = NULL;
	FILE *text = open_memstream(&bytes, ret_size);

	if (!text)
		return NULL;
	for (uint32_t i = 0; i < n; i++)
		write_line(text, rules, &servers[i], now_ns);
	if (fclose(text) == 0)
		return bytes;
	free(bytes);
	return NULL;
}
