/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of a service name: its targets with their addresses, or that there are none.
 *
 * The arrays are borrowed: they live in the arena or buffer of the function that filled the answer (mesh/expand.h,
 * mesh/record.h). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SM_TARGETS_MAX 1024   /* per answer; what becomes of a larger SRV set: mesh/srvset.h */
#define SM_ADDRESSES_MAX 4096 /* per answer, over all targets */
#define SM_METADATA_MAX 1024 /* bytes per target: of the strings of its TXT records, as many as fit whole */
#define SM_MARKS_MAX 1024    /* per answer: as many as targets are watched */

enum sm_families {
	SM_IPV4 = 1,
	SM_IPV6 = 2,
	SM_IPV4_AND_IPV6 = 3,
};

struct sm_address {
	uint8_t family;    /* SM_IPV4 or SM_IPV6 */
	uint8_t bytes[16]; /* network order; IPv4 in the first four, and zeros behind them */
};

static inline bool sm_address_is_same(const struct sm_address *a, const struct sm_address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* FNV-1a, for tables of this process; `seed` may be a port. */
static inline uint32_t sm_address_hash(const struct sm_address *address, uint32_t seed)
{
	uint32_t hash = 2166136261U ^ seed;

	for (size_t i = 0; i < sizeof(address->bytes); i++)
		hash = (hash ^ address->bytes[i]) * 16777619U;
	return hash ^ hash >> 16;
}

/* fe80::/10: it means something only with a zone (RFC 4007), which DNS does not tell. */
static inline bool sm_address_is_link_local(const struct sm_address *address)
{
	return address->family == SM_IPV6 && address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

struct sm_target {
	const char *name; /* borrowed, NUL-terminated, folded; of a plain host its canonical name */
	uint16_t priority;
	uint16_t weight;
	uint16_t port; /* 0: not known (an address without SRV) */
	uint16_t first_address;
	uint16_t n_addresses;
	uint16_t metadata_size;
	uint8_t judgement;       /* where the answer is judged: SM_PASSES_FILTER, and above it a bit for each pair that the
	                          * rule prefers, the first one the highest */
	bool is_marked;          /* an address of it has a mark */
	const uint8_t *metadata; /* strings as of mesh/metadata.h; borrowed; NULL: none, or not unpacked yet */
};

#define SM_PASSES_FILTER 1 /* it has all pairs of the rule's filter */

/* By its health check, an address of a target is down. */
struct sm_mark {
	uint16_t target, address; /* indexes */
	int64_t until_ns;         /* from then on it counts as up: srvmeshd has not confirmed the mark */
};

/* Marks are in the order of targets, and of addresses of one target. */
static inline bool sm_mark_is_before(const struct sm_mark *mark, uint32_t target, uint32_t address)
{
	return mark->target < target || (mark->target == target && mark->address < address);
}

enum sm_answer_kind {
	SM_ANSWER_ADDRESSES,
	SM_ANSWER_NO_NAME, /* the service certainly does not exist: NXDOMAIN, or the SRV target "." */
	SM_ANSWER_NO_DATA, /* it exists, but has no address of the requested families */
	SM_ANSWER_FAILURE, /* no server could tell */
};

struct sm_answer {
	enum sm_answer_kind kind;
	uint32_t ttl_s;             /* from DNS: the smallest along the chain; not yet clamped */
	uint8_t uncertain_families; /* families for which the addresses of some target could not be found */
	uint8_t unawaited_families; /* families not waited for to the end: a caller that wants them asks again */
	uint8_t unasked_families;   /* families that some target was not asked for, because this host has no use for them, or
	                             * glue was enough: a caller that wants one of them alone asks again */
	uint8_t deferred_families;  /* of these, families that were asked for in vain; not in records */
	uint8_t cut_families;       /* families of which, because of our bounds, addresses are missing */
	bool is_metadata_cut;       /* some target has more metadata than is kept */
	bool is_metadata_unknown;   /* of some target it could not be found */
	bool is_of_old;             /* its targets are those of an older answer, their addresses today's; not in records */
	bool is_remnant;            /* made of a reply of which the rest could not be had; not in records */
	uint16_t n_cut;             /* targets that were left out because of our bounds */
	uint16_t n_marks;
	uint64_t judged_by;            /* pairs_key of the rule that has judged the metadata of its targets; 0: none */
	const uint8_t *packed_metadata; /* of all targets, as a record has them; NULL: they are in the targets */
	uint32_t packed_size;
	const uint8_t *origin; /* how it was come by, packed (mesh/origin.h); borrowed; NULL: not known */
	uint16_t origin_size;
	uint16_t n_targets;
	uint16_t n_addresses;
	struct sm_target *targets;     /* by priority, lowest first */
	struct sm_address *addresses;
	struct sm_mark *marks; /* in order (sm_mark_is_before) */
	uint64_t *ranks; /* of the addresses (mesh/rank.h); all zero but where `answers = ordered` */
};

/* Does it say that the name had no SRV, and is a plain host? */
static inline bool sm_answer_is_plain(const struct sm_answer *answer)
{
	return answer->kind == SM_ANSWER_ADDRESSES && answer->n_targets == 1 && answer->targets[0].port == 0 &&
	       answer->targets[0].priority == 0 && answer->targets[0].weight == 0;
}

/* Is it made of what was left, because the whole could not be had? Then it is asked for again soon, and nothing that is whole
 * gives way to it. */
static inline bool sm_answer_is_makeshift(const struct sm_answer *answer)
{
	return answer->is_of_old || answer->is_remnant;
}

/* Is something missing because of our bounds? */
static inline bool sm_answer_is_cut(const struct sm_answer *answer)
{
	return answer->n_cut > 0 || answer->cut_families || answer->is_metadata_cut;
}

/* The families that were not left out; 0: it has no addresses. */
static inline uint8_t sm_answer_known_families(const struct sm_answer *answer)
{
	return answer->kind == SM_ANSWER_ADDRESSES ? SM_IPV4_AND_IPV6 & (uint8_t)~answer->unasked_families : 0;
}
