/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The contents of one DNS message, as far as we need them: the decoder fills the struct, the expansion reads it. */
#pragma once

#include "mesh/answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SM_RECORDS_MAX 5960 /* records kept of one message: more than 65,535 bytes can hold */
#define SM_REPLY_MEMORY_MAX 2097152 /* bytes that the records kept of one message may take with their names */

/* RFC 1035, 3596, 2782, 6891 */
enum sm_rr_type {
	SM_RR_A = 1,
	SM_RR_NS = 2,
	SM_RR_CNAME = 5,
	SM_RR_SOA = 6,
	SM_RR_TXT = 16,
	SM_RR_AAAA = 28,
	SM_RR_SRV = 33,
	SM_RR_DNAME = 39, /* RFC 6672; the decoder makes a CNAME of it */
	SM_RR_OPT = 41,
};

/* 0: not a type of addresses. */
static inline uint8_t sm_family_of(enum sm_rr_type type)
{
	return type == SM_RR_A ? SM_IPV4 : type == SM_RR_AAAA ? SM_IPV6 : 0;
}

/* RFC 1035, and the extended ones of RFC 6891, whose upper eight bits are in the OPT record */
enum sm_rcode {
	SM_RCODE_NOERROR = 0,
	SM_RCODE_FORMERR = 1,
	SM_RCODE_SERVFAIL = 2,
	SM_RCODE_NXDOMAIN = 3,
	SM_RCODE_NOTIMP = 4,
	SM_RCODE_REFUSED = 5,
	SM_RCODE_BADVERS = 16,
};

struct sm_dns_record {
	const char *owner;  /* folded text, NUL-terminated; "" is the root. Names that no question can be for, such as those
	                     * with '*' or '/', are there, too: a chain of CNAMEs may lead over them */
	union {
		const char *target;     /* SRV, CNAME; NULL: of an SRV no valid host name, of a CNAME no text can tell it */
		const uint8_t *strings; /* TXT: its data, the strings of mesh/metadata.h */
	};
	uint32_t ttl_s;
	uint16_t type;
	uint16_t priority, weight, port; /* SRV */
	uint16_t strings_size;           /* TXT */
	uint8_t address[16];             /* A (the first four), AAAA */
	bool is_additional;              /* glue, rather than the answer */
};

struct sm_reply {
	uint16_t rcode;
	bool is_referral; /* no answer and no SOA, but other servers, or nothing from a server that neither owns nor recurses */
	bool recurses;    /* the server says that it does */
	bool has_answer;  /* records that were asked for, or a CNAME in their place */
	bool is_odd;      /* it contradicts itself: an answer, but not to the question, or what was asked for, but elsewhere */
	bool says_nothing; /* neither an answer, nor who could know more, nor why there is none */
	bool is_remnant;  /* the last resort: a datagram that was cut, and whose whole could not be had */
	bool has_soa;     /* an authority section that explains a negative answer */
	uint32_t negative_ttl_s; /* RFC 2308: the smaller of the SOA's TTL and its minimum; 0 without SOA */
	bool is_cut;      /* there is more than was read, because of our bounds, or the server says so, even over TCP */
	uint16_t n_records;
	struct sm_dns_record *records; /* with their names in the arena that the decoder was given */
};

/* A record of the answer, and not of the additional section? */
static inline bool sm_reply_is_answer(const struct sm_dns_record *record, const char *owner, uint16_t type)
{
	return !record->is_additional && record->type == type && strcmp(record->owner, owner) == 0;
}

/* The first such record; NULL: there is none. */
static inline struct sm_dns_record *sm_reply_find(const struct sm_reply *reply, const char *owner, uint16_t type)
{
	for (uint32_t i = 0; i < reply->n_records; i++)
		if (sm_reply_is_answer(&reply->records[i], owner, type))
			return &reply->records[i];
	return NULL;
}
