/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ranks. The keys of glibc's rules, the first rule in the highest bits:
 *
 *   60 unreachable (1) │ 59 scope differs (2) │ 58 deprecated (3) │ 57 not home (4) │ 56 label differs (5)
 *   25..55 lack of precedence (6) │ 24 not native (7) │ 8..23 scope (8) │ 0..7 lack of common prefix (9)
 *
 * Rules 2-5, 7 and 9 apply to reachable destinations only, and rule 9 only between two addresses of one family. */
#include "mesh/rank.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX_BITS 8
#define SCOPE_LINK_LOCAL 2
#define SCOPE_SITE_LOCAL 5
#define SCOPE_GLOBAL 14
#define DEFAULT_LABEL 1
#define DEFAULT_PRECEDENCE 40
#define MAPPED 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff

static const struct sm_policy default_labels[] = {
	{{[15] = 1}, 128, 0},   {{0x20, 0x02}, 16, 2}, {{0}, 96, 3},          {{MAPPED}, 96, 4},
	{{0xfe, 0xc0}, 10, 5},  {{0xfc}, 7, 6},        {{0x20, 0x01}, 32, 7}, {{0}, 0, DEFAULT_LABEL},
};
static const struct sm_policy default_precedences[] = {
	{{[15] = 1}, 128, 50}, {{0x20, 0x02}, 16, 30}, {{0}, 96, 20}, {{MAPPED}, 96, 10}, {{0}, 0, DEFAULT_PRECEDENCE},
};
static const struct sm_policy default_ipv4_scopes[] = {
	{{MAPPED, 169, 254}, 112, SCOPE_LINK_LOCAL},
	{{MAPPED, 127}, 104, SCOPE_LINK_LOCAL},
	{{MAPPED}, 96, SCOPE_GLOBAL},
};

#define SET(table, defaults)                                                  \
	((table)->n = sizeof(defaults) / sizeof((defaults)[0]),               \
	 memcpy((table)->entries, defaults, sizeof(defaults)))

void sm_policies_default(struct sm_policies *ret)
{
	SET(&ret->labels, default_labels);
	SET(&ret->precedences, default_precedences);
	SET(&ret->ipv4_scopes, default_ipv4_scopes);
}

void sm_address_map(const struct sm_address *address, uint8_t ret[16])
{
	static const uint8_t mapped[12] = {MAPPED};

	if (address->family == SM_IPV6) {
		memcpy(ret, address->bytes, 16);
		return;
	}
	memcpy(ret, mapped, sizeof(mapped));
	memcpy(ret + 12, address->bytes, 4);
}

static bool is_mapped(const uint8_t address[16])
{
	static const uint8_t mapped[12] = {MAPPED};

	return memcmp(address, mapped, sizeof(mapped)) == 0;
}

/* The number of leading bits that two byte strings share. */
static unsigned common_bits(const uint8_t *a, const uint8_t *b, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		if (a[i] != b[i])
			return 8 * i + (unsigned)__builtin_clz((unsigned)(a[i] ^ b[i])) - 24;
	return 8 * bytes;
}

static int32_t value_of(const struct sm_policy *entries, uint32_t n, const struct sm_address *address)
{
	uint8_t mapped[16];
	uint32_t i = 0;

	sm_address_map(address, mapped);
	while (i + 1 < n && common_bits(entries[i].prefix, mapped, 16) < entries[i].bits)
		i++;
	return entries[i].value; /* the last entry covers everything */
}

static int32_t label_of(const struct sm_policies *policies, const struct sm_address *address)
{
	return value_of(policies->labels.entries, policies->labels.n, address);
}

static int32_t scope_of(const struct sm_policies *policies, const struct sm_address *address)
{
	static const uint8_t loopback[16] = {[15] = 1};

	if (address->family == SM_IPV4)
		return value_of(policies->ipv4_scopes.entries, policies->ipv4_scopes.n, address);
	if (address->bytes[0] == 0xff)
		return address->bytes[1] & 0x0f;
	if (address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80)
		return SCOPE_LINK_LOCAL;
	if (memcmp(address->bytes, loopback, 16) == 0)
		return SCOPE_LINK_LOCAL;
	if (address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0xc0)
		return SCOPE_SITE_LOCAL;
	return SCOPE_GLOBAL;
}

/* Rule 9. For IPv4 only addresses on the source's own subnet count. Where the prefix length is unknown, glibc's mask
 * becomes, by the way the processor shifts, that of a subnet with one address. */
static unsigned common_prefix(const struct sm_address *destination, const struct sm_source *source)
{
	unsigned bits, subnet = source->prefix_length ? source->prefix_length : 32;

	if (destination->family == SM_IPV6)
		return common_bits(destination->bytes, source->address.bytes, 16);
	bits = common_bits(destination->bytes, source->address.bytes, 4);
	return bits >= subnet ? bits : 0;
}

uint64_t sm_rank(const struct sm_policies *policies, const struct sm_address *destination,
                 const struct sm_source *source)
{
	int32_t scope = scope_of(policies, destination);
	uint64_t precedence = (uint64_t)value_of(policies->precedences.entries, policies->precedences.n, destination);
	uint64_t rank = (INT32_MAX - precedence) << 25 | (uint64_t)(scope < UINT16_MAX ? scope : UINT16_MAX) << PREFIX_BITS;

	if (!source->is_reachable)
		return rank | 1ULL << 60;
	rank |= (uint64_t)(scope != scope_of(policies, &source->address)) << 59;
	rank |= (uint64_t)source->is_deprecated << 58;
	rank |= (uint64_t)!source->is_home << 57;
	rank |= (uint64_t)(label_of(policies, destination) != label_of(policies, &source->address)) << 56;
	rank |= (uint64_t)!source->is_native << 24;
	return rank | (128 - common_prefix(destination, source));
}

bool sm_rank_before(uint64_t a, uint8_t a_family, uint64_t b, uint8_t b_family)
{
	if (a >> PREFIX_BITS != b >> PREFIX_BITS)
		return a < b;
	return a_family == b_family && a < b;
}

/* One line of gai.conf: a keyword, a prefix, a value. */
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
	text += strcspn(text, "\n");
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

static void finish(struct sm_policy *entries, uint32_t *n, uint8_t least_bits, int32_t value)
{
	static const struct sm_policy mapped = {{MAPPED}, 96, 0};

	if (*n > 0 && entries[*n - 1].bits <= least_bits)
		return;
	entries[*n] = least_bits ? mapped : (struct sm_policy){.bits = 0};
	entries[(*n)++].value = value;
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
	if (strcmp(line->words[0], "scopev4") == 0 && policy_of(line, true, &policy) && policy.bits >= 96 &&
	    is_mapped(policy.prefix))
		return insert(tables->ipv4_scopes.entries, &tables->ipv4_scopes.n, &policy);
	return SM_OK;
}

enum sm_status sm_policies_parse(const char *text, struct sm_policies *ret)
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
	if (ret->labels.n > 0)
		finish(ret->labels.entries, &ret->labels.n, 0, DEFAULT_LABEL);
	else
		SET(&ret->labels, default_labels);
	if (ret->precedences.n > 0)
		finish(ret->precedences.entries, &ret->precedences.n, 0, DEFAULT_PRECEDENCE);
	else
		SET(&ret->precedences, default_precedences);
	if (ret->ipv4_scopes.n > 0)
		finish(ret->ipv4_scopes.entries, &ret->ipv4_scopes.n, 96, SCOPE_GLOBAL);
	else
		SET(&ret->ipv4_scopes, default_ipv4_scopes);
	return SM_OK;
}
