/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules: longest match, and the expansion of SRV owner templates. */
#include "mesh/rule.h"

#include "base/sort.h"
#include "base/span.h"

#include <string.h>

static int more_specific_first(const void *left, const void *right)
{
	const struct sm_rule *a = left, *b = right;

	if (a->name.length != b->name.length)
		return b->name.length - a->name.length;
	if (a->is_exact != b->is_exact)
		return b->is_exact - a->is_exact;
	return strcmp(a->name.text, b->name.text);
}

void sm_rules_sort(struct sm_rules *rules)
{
	sm_sort(rules->rules, rules->n_rules, sizeof(rules->rules[0]), more_specific_first);
}

bool sm_server_is_at(const struct sm_server *a, const struct sm_server *b)
{
	return a->port == b->port && sm_address_is_same(&a->address, &b->address) && strcmp(a->zone, b->zone) == 0;
}

bool sm_server_equals(const struct sm_server *a, const struct sm_server *b)
{
	return a->is_stream == b->is_stream && sm_server_is_at(a, b);
}

bool sm_rule_has_server(const struct sm_rule *rule, const struct sm_server *server)
{
	for (uint32_t i = 0; i < rule->n_servers; i++)
		if (sm_server_equals(&rule->servers[i], server))
			return true;
	return false;
}

static bool has_server(const struct sm_rule *rule, const struct sm_server *server)
{
	for (uint32_t i = 0; i < rule->n_servers; i++)
		if (sm_server_is_at(&rule->servers[i], server))
			return true;
	return false;
}

bool sm_rule_speaks_for(const struct sm_rule *rule, const struct sm_rule *other)
{
	for (uint32_t i = 0; i < rule->n_servers; i++)
		if (!has_server(other, &rule->servers[i]))
			return false;
	return true;
}

static bool is_excepted(const struct sm_rule *rule, const char *text, size_t length)
{
	for (uint32_t i = 0; i < rule->n_excepts; i++)
		if (sm_name_under(text, length, &rule->excepts[i]))
			return true;
	return false;
}

static bool covers(const struct sm_rule *rule, const char *text, size_t length)
{
	size_t trimmed = length > 0 && text[length - 1] == '.' ? length - 1 : length;

	if (rule->is_exact && trimmed != rule->name.length)
		return false;
	return sm_name_under(text, length, &rule->name);
}

const struct sm_rule *sm_rules_match(const struct sm_rules *rules, const char *text, size_t length)
{
	for (uint32_t i = 0; i < rules->n_rules; i++)
		if (covers(&rules->rules[i], text, length))
			return is_excepted(&rules->rules[i], text, length) ? NULL : &rules->rules[i];
	return NULL;
}

/* RFC 6761, 6.3: `localhost` is this host, in no domain. */
static bool is_short(const struct sm_search *search, const char *text, size_t length)
{
	static const struct sm_name localhost = {.length = 9, .text = "localhost"};
	uint32_t dots = 0;

	for (size_t i = 0; i < length; i++)
		dots += text[i] == '.';
	return length > 0 && text[length - 1] != '.' && dots < search->ndots && !sm_name_under(text, length, &localhost);
}

const struct sm_rule *sm_rules_search(const struct sm_rules *rules, const char *text, size_t length, uint32_t *index,
                                      struct sm_name *ret)
{
	const struct sm_search *search = rules->search;

	if (!search || !is_short(search, text, length))
		return NULL;
	while (*index < search->n_domains) {
		const struct sm_name *domain = &search->domains[(*index)++];
		const struct sm_rule *rule = NULL;
		char full[SM_NAME_MAX + 1];

		if (length + 1 + domain->length > SM_NAME_MAX)
			continue;
		memcpy(full, text, length);
		full[length] = '.';
		memcpy(full + length + 1, domain->text, domain->length);
		if (sm_name_parse(full, length + 1 + domain->length, ret) == SM_OK)
			rule = sm_rules_match(rules, ret->text, ret->length);
		if (rule && rule->is_searched && !rule->is_disabled)
			return rule;
	}
	return NULL;
}

/* Text that grows inside a fixed buffer; an overflow is a sticky error. */
struct growing {
	char text[2 * SM_NAME_MAX];
	size_t length;
	bool failed;
};

static void grow(struct growing *growing, const char *text, size_t length)
{
	if (growing->failed || length > sizeof(growing->text) - growing->length) {
		growing->failed = true;
		return;
	}
	memcpy(growing->text + growing->length, text, length);
	growing->length += length;
}

static bool is_word(const char *word, size_t length, const char *known)
{
	return length == strlen(known) && memcmp(word, known, length) == 0;
}

static void grow_placeholder(struct growing *growing, const char *word, size_t length, const struct sm_rule *rule,
                             const struct sm_name *name)
{
	/* all labels to the left of the domain; the domain itself has none, and an empty label is invalid */
	size_t service = name->length > rule->domain.length ? (size_t)(name->length - rule->domain.length - 1) : 0;
	const char *dot = memchr(name->text, '.', service);
	size_t first = dot ? (size_t)(dot - name->text) : service;

	if (is_word(word, length, "service"))
		grow(growing, name->text, service);
	else if (is_word(word, length, "first"))
		grow(growing, name->text, first);
	else if (is_word(word, length, "rest") && first < service)
		grow(growing, name->text + first + 1, service - first - 1);
	else if (is_word(word, length, "domain"))
		grow(growing, rule->domain.text, rule->domain.length);
	else if (is_word(word, length, "proto"))
		grow(growing, rule->proto, strlen(rule->proto));
	else if (is_word(word, length, "name"))
		grow(growing, name->text, name->length);
	else
		growing->failed = true; /* no such word, or an empty {rest} */
}

static enum sm_status expanded(const struct sm_rule *rule, const struct sm_name *name, const char *template,
                               struct sm_name *ret)
{
	struct growing growing = {.length = 0};
	const char *at = template;

	while (*at) {
		size_t plain = sm_span_without(at, "{");
		const char *close;

		grow(&growing, at, plain);
		at += plain;
		if (!*at)
			break;
		close = strchr(at, '}');
		if (!close)
			return SM_INVALID;
		grow_placeholder(&growing, at + 1, (size_t)(close - at - 1), rule, name);
		at = close + 1;
	}
	if (growing.failed)
		return SM_INVALID;
	/* for the domain itself "_{service}" would become a label of one underscore, which is no service */
	if (growing.length >= 2 && growing.text[0] == '_' && growing.text[1] == '.')
		return SM_INVALID;
	return sm_name_parse(growing.text, growing.length, ret);
}

bool sm_rule_template(const struct sm_rule *rule, uint32_t index, char ret[SM_NAME_MAX + 1])
{
	static const char between[] = " \t,";
	const char *at = rule->templates;
	size_t length;

	if (index >= rule->n_templates)
		return false;
	for (at += sm_span(at, between); index > 0; index--) {
		at += sm_span_without(at, between);
		at += sm_span(at, between);
	}
	length = sm_span_without(at, between);
	if (length == 0 || length > SM_NAME_MAX)
		return false;
	memcpy(ret, at, length);
	ret[length] = '\0';
	return true;
}

enum sm_status sm_rule_owner(const struct sm_rule *rule, const struct sm_name *name, uint32_t index,
                             struct sm_name *ret)
{
	char template[SM_NAME_MAX + 1];

	if (sm_name_is_srv_owner(name)) {
		if (index > 0)
			return SM_MISS;
		*ret = *name;
		return SM_OK;
	}
	return sm_rule_template(rule, index, template) ? expanded(rule, name, template, ret) : SM_MISS;
}

uint8_t sm_rule_families(const struct sm_rule *rule)
{
	switch (rule->family) {
	case SM_FAMILY_IPV4:
		return SM_IPV4;
	case SM_FAMILY_IPV6:
		return SM_IPV6;
	case SM_FAMILY_AUTO:
	case SM_FAMILY_ANY:
	case SM_FAMILY_PREFER_IPV4:
	case SM_FAMILY_PREFER_IPV6:
		break;
	}
	return SM_IPV4_AND_IPV6;
}
