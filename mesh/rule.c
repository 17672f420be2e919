/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules: longest match, and the expansion of SRV owner templates. */
#include "mesh/rule.h"

#include <stdlib.h>
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
	if (rules->n_rules > 0)
		qsort(rules->rules, rules->n_rules, sizeof(rules->rules[0]), more_specific_first);
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
			return &rules->rules[i];
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

static void grow_placeholder(struct growing *growing, const char *word, size_t length, const struct sm_rule *rule,
                             const struct sm_name *name)
{
	if (length == 7 && memcmp(word, "service", 7) == 0) {
		/* all labels to the left of the domain; the domain itself has none, and an empty label is invalid */
		size_t labels = name->length > rule->domain.length ? (size_t)(name->length - rule->domain.length - 1) : 0;

		grow(growing, name->text, labels);
	} else if (length == 6 && memcmp(word, "domain", 6) == 0) {
		grow(growing, rule->domain.text, rule->domain.length);
	} else if (length == 5 && memcmp(word, "proto", 5) == 0) {
		grow(growing, rule->proto, strlen(rule->proto));
	} else if (length == 4 && memcmp(word, "name", 4) == 0) {
		grow(growing, name->text, name->length);
	} else {
		growing->failed = true;
	}
}

static enum sm_status expanded(const struct sm_rule *rule, const struct sm_name *name, const char *template,
                               struct sm_name *ret)
{
	struct growing growing = {.length = 0};
	const char *at = template;

	while (*at) {
		size_t plain = strcspn(at, "{");
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

enum sm_status sm_rule_owner(const struct sm_rule *rule, const struct sm_name *name, uint32_t index,
                             struct sm_name *ret)
{
	if (sm_name_is_srv_owner(name)) {
		if (index > 0)
			return SM_MISS;
		*ret = *name;
		return SM_OK;
	}
	if (index >= rule->n_templates)
		return SM_MISS;
	return expanded(rule, name, rule->templates[index], ret);
}

uint8_t sm_rule_families(const struct sm_rule *rule)
{
	switch (rule->family) {
	case SM_FAMILY_IPV4:
		return SM_IPV4;
	case SM_FAMILY_IPV6:
		return SM_IPV6;
	case SM_FAMILY_ANY:
	case SM_FAMILY_PREFER_IPV4:
	case SM_FAMILY_PREFER_IPV6:
		break;
	}
	return SM_IPV4_AND_IPV6;
}
