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

static void end_table(struct sm_policy *entries, uint32_t *n, uint8_t least_bits, int32_t value)
{
	static const struct sm_policy mapped = {{MAPPED}, 96, 0};

	if (*n > 0 && entries[*n - 1].bits <= least_bits)
		return;
	entries[*n] = least_bits ? mapped : (struct sm_policy){.bits = 0};
	entries[(*n)++].value = value;
}

void sm_policies_complete(struct sm_policies *tables)
{
	if (tables->labels.n > 0)
		end_table(tables->labels.entries, &tables->labels.n, 0, DEFAULT_LABEL);
	else
		SET(&tables->labels, default_labels);
	if (tables->precedences.n > 0)
		end_table(tables->precedences.entries, &tables->precedences.n, 0, DEFAULT_PRECEDENCE);
	else
		SET(&tables->precedences, default_precedences);
	if (tables->ipv4_scopes.n > 0)
		end_table(tables->ipv4_scopes.entries, &tables->ipv4_scopes.n, 96, SCOPE_GLOBAL);
	else
		SET(&tables->ipv4_scopes, default_ipv4_scopes);
}

void sm_policies_default(struct sm_policies *ret)
{
	ret->labels.n = ret->precedences.n = ret->ipv4_scopes.n = 0;
	sm_policies_complete(ret);
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
		return rank | SM_RANK_UNREACHABLE;
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
