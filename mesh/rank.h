/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where glibc's getaddrinfo will sort an address (RFC 6724, as glibc 2.36 compares: sysdeps/posix/getaddrinfo.c,
 * rfc3484_sort). A rank holds everything that rfc3484_sort compares, so that the plugin knows the resulting order
 * beforehand. Pure: what the kernel says of an address is an argument. */
#pragma once

#include "base/status.h"
#include "mesh/answer.h"

#include <stddef.h>

#define SM_POLICIES_MAX 64 /* entries of one table of gai.conf */

/* What the kernel says about a destination. */
struct sm_source {
	bool is_reachable;         /* there is a route */
	struct sm_address address; /* the source address the kernel would use; same family as the destination */
	bool is_deprecated;
	bool is_home;
	bool is_native;         /* packets are known to leave by an interface that is no tunnel */
	uint8_t prefix_length; /* of the source address on its interface; 0: not known */
};

struct sm_policy {
	uint8_t prefix[16]; /* IPv4 as ::ffff:0:0/96 */
	uint8_t bits;
	int32_t value;
};

/* The tables of gai.conf(5), each sorted by prefix length, longest first, and ending with a catch-all. */
struct sm_policies {
	struct {
		uint32_t n;
		struct sm_policy entries[SM_POLICIES_MAX];
	} labels, precedences, ipv4_scopes;
};

/* The 16 bytes that policies and glibc compare for an address: IPv4 becomes ::ffff:0:0/96 (RFC 4291, 2.5.5.2). */
void sm_address_map(const struct sm_address *address, uint8_t ret[16]);

/* glibc's built-in tables. */
void sm_policies_default(struct sm_policies *ret);

/* Ends every table with a catch-all if it has none; an empty one becomes glibc's built-in table. Tables of a gai.conf
 * (conf/gaiconf.h) have at most SM_POLICIES_MAX - 1 entries before. */
void sm_policies_complete(struct sm_policies *tables);

/* The rank: a smaller one sorts earlier, but use sm_rank_before to compare. */
uint64_t sm_rank(const struct sm_policies *policies, const struct sm_address *destination,
                 const struct sm_source *source);

#define SM_RANK_UNKNOWN 0                  /* of an address that was not ranked; no rank is 0 */
#define SM_RANK_UNREACHABLE (1ULL << 60) /* in the rank of an address to which the host has no route */

/* What is not known to be unreachable is reachable. */
static inline bool sm_rank_is_reachable(uint64_t rank)
{
	return !(rank & SM_RANK_UNREACHABLE);
}

/* Will glibc sort `a` before `b`, whatever their order in the list? If neither sorts first, glibc keeps their order. */
bool sm_rank_before(uint64_t a, uint8_t a_family, uint64_t b, uint8_t b_family);
