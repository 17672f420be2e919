/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The contents of one DNS message, as far as we need them: the decoder fills the struct, the expansion reads it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SM_RECORDS_MAX 1024     /* records kept of one message */
#define SM_REPLY_MEMORY_MAX 262144 /* bytes that the records kept of one message may take with their names */

/* RFC 1035, 3596, 2782 */
enum sm_rr_type {
	SM_RR_A = 1,
	SM_RR_CNAME = 5,
	SM_RR_SOA = 6,
	SM_RR_AAAA = 28,
	SM_RR_SRV = 33,
};

enum sm_rcode {
	SM_RCODE_NOERROR = 0,
	SM_RCODE_NXDOMAIN = 3,
};

struct sm_dns_record {
	const char *owner;  /* folded text, NUL-terminated; "" is the root */
	const char *target; /* SRV, CNAME; NULL: not a valid host name */
	uint32_t ttl_s;
	uint16_t type;
	uint16_t priority, weight, port; /* SRV */
	uint8_t address[16];             /* A (the first four), AAAA */
	bool is_additional;              /* glue, rather than the answer */
};

struct sm_reply {
	uint8_t rcode;
	bool is_referral; /* no answer but the servers to ask instead, from a server that does not recurse */
	bool has_soa;     /* an authority section that explains a negative answer */
	uint32_t negative_ttl_s; /* RFC 2308: the smaller of the SOA's TTL and its minimum; 0 without SOA */
	uint16_t n_records;
	struct sm_dns_record *records; /* with their names in the arena that the decoder was given */
};
