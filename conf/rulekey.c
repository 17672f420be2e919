/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/rulekey.h"

#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

static void add_text(uint64_t *key, const char *text)
{
	*key = XXH3_64bits_withSeed(text, strlen(text) + 1, *key);
}

static void add_numbers(uint64_t *key, const uint64_t *numbers, size_t n)
{
	*key = XXH3_64bits_withSeed(numbers, n * sizeof(numbers[0]), *key);
}

static uint64_t key_of_subject(const struct sm_rule *rule)
{
	const uint64_t numbers[] = {rule->n_templates, rule->family, rule->port};
	char template[SM_NAME_MAX + 1];
	uint64_t key = 1;

	add_numbers(&key, numbers, sizeof(numbers) / sizeof(numbers[0]));
	add_text(&key, rule->domain.text);
	add_text(&key, rule->proto);
	for (uint32_t i = 0; sm_rule_template(rule, i, template); i++)
		add_text(&key, template);
	return key;
}

static void add_server(uint64_t *key, const struct sm_server *server)
{
	uint64_t numbers[] = {0, 0, server->address.family, server->port, server->is_stream};

	memcpy(numbers, server->address.bytes, sizeof(server->address.bytes));
	add_numbers(key, numbers, sizeof(numbers) / sizeof(numbers[0]));
	add_text(key, server->zone);
}

void sm_rule_set_key(struct sm_rule *rule)
{
	const uint64_t numbers[] = {
		rule->is_exact, rule->n_servers, rule->fallback, rule->elsewhere, rule->glue, rule->answers, rule->pairs_key,
		rule->metadata, rule->min_ttl_ms, rule->max_ttl_ms, rule->negative_ttl_ms,
	};
	uint64_t subject = key_of_subject(rule), whole = subject;

	add_numbers(&whole, numbers, sizeof(numbers) / sizeof(numbers[0]));
	add_text(&whole, rule->name.text);
	for (uint32_t i = 0; i < rule->n_servers; i++)
		add_server(&whole, &rule->servers[i]);
	rule->key = (subject & 0xffffffff00000000) | (uint32_t)whole;
}
