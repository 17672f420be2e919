/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gai.conf: lines of a keyword, a prefix and a value. */
#include "conf/gaiconf.h"

#include "base/span.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* One line: a keyword, a prefix, a value. */
struct line {
	char words[3][64];
	uint32_t n;
};

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static const char *read_line(const char *text, struct line *ret)
{
	bool in_word = false;
	size_t length = 0;

	memset(ret, 0, sizeof(*ret));
	for (; *text && *text != '\n' && *text != '#'; text++) {
		if (is_space(*text)) {
			in_word = false;
			continue;
		}
		if (!in_word) {
			ret->n++;
			length = 0;
		}
		in_word = true;
		if (ret->n <= 3 && length < sizeof(ret->words[0]) - 1)
			ret->words[ret->n - 1][length++] = *text;
	}
	text += sm_span_without(text, "\n");
	return *text ? text + 1 : text;
}

static bool number_of(const char *text, long most, long *ret)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	*ret = strtol(text, &end, 10);
	return *end == '\0' && *ret <= most;
}

/* `prefix` or `prefix/bits` of IPv6. With `takes_ipv4` also of IPv4, whose bits are counted after the mapped prefix. */
static bool policy_of(const struct line *line, bool takes_ipv4, struct sm_policy *ret)
{
	char text[64];
	char *slash;
	long bits = 128, value, base = 0;
	struct sm_address ipv4 = {.family = SM_IPV4};

	memcpy(text, line->words[1], sizeof(text));
	slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	memset(ret, 0, sizeof(*ret));
	if (takes_ipv4 && inet_pton(AF_INET, text, ipv4.bytes) == 1) {
		sm_address_map(&ipv4, ret->prefix);
		base = 96;
		bits = 32;
	} else if (inet_pton(AF_INET6, text, ret->prefix) != 1) {
		return false;
	}
	if (slash && !number_of(slash, 128 - base, &bits))
		return false;
	if (!number_of(line->words[2], INT_MAX, &value))
		return false;
	ret->bits = (uint8_t)(base + bits);
	ret->value = (int32_t)value;
	return true;
}

/* Keeps the table sorted: inserts after all entries that are equally or more specific. */
static enum sm_status insert(struct sm_policy *entries, uint32_t *n, const struct sm_policy *policy)
{
	uint32_t at = *n;

	if (*n == SM_POLICIES_MAX - 1)
		return SM_FULL;
	while (at > 0 && entries[at - 1].bits < policy->bits) {
		entries[at] = entries[at - 1];
		at--;
	}
	entries[at] = *policy;
	(*n)++;
	return SM_OK;
}

/* Is it ::ffff:0:0/96, or inside it? */
static bool is_ipv4(const struct sm_policy *policy)
{
	static const struct sm_address nothing = {.family = SM_IPV4};
	uint8_t mapped[16];

	sm_address_map(&nothing, mapped);
	return policy->bits >= 96 && memcmp(policy->prefix, mapped, 12) == 0;
}

static enum sm_status take_line(const struct line *line, struct sm_policies *tables)
{
	struct sm_policy policy;

	if (line->n < 3)
		return SM_OK;
	if (strcmp(line->words[0], "label") == 0 && policy_of(line, false, &policy))
		return insert(tables->labels.entries, &tables->labels.n, &policy);
	if (strcmp(line->words[0], "precedence") == 0 && policy_of(line, false, &policy))
		return insert(tables->precedences.entries, &tables->precedences.n, &policy);
	if (strcmp(line->words[0], "scopev4") == 0 && policy_of(line, true, &policy) && is_ipv4(&policy))
		return insert(tables->ipv4_scopes.entries, &tables->ipv4_scopes.n, &policy);
	return SM_OK;
}

enum sm_status sm_gaiconf_parse(const char *text, struct sm_policies *ret)
{
	ret->labels.n = ret->precedences.n = ret->ipv4_scopes.n = 0;
	while (*text) {
		struct line line;

		text = read_line(text, &line);
		if (take_line(&line, ret) != SM_OK) {
			sm_policies_default(ret);
			return SM_FULL;
		}
	}
	sm_policies_complete(ret);
	return SM_OK;
}
