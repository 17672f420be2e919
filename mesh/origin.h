/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How an answer was come by: what was asked, whom, and how long it took. It stays packed in a record (mesh/record.h) until
 * somebody wants to explain an answer; choosing does not look at it. Pure.
 *
 *   0 u8 flags: 1 asked over a stream, 2 another host asked   1 u8 security: 0, not authenticated   2 u8 rcode
 *   3 u16 type   5 u32 microseconds   9 u16 port   11 u8 family, 4 or 16 bytes   u8 length, zone   u8 length, owner */
#pragma once

#include "base/status.h"
#include "mesh/name.h"
#include "mesh/rule.h"

#define SM_ORIGIN_MAX (11 + 17 + 1 + SM_ZONE_MAX + 1 + SM_NAME_MAX)

struct sm_origin {
	struct sm_name owner;    /* that was asked for, */
	uint16_t type;           /* its SRV records, or its addresses (mesh/reply.h) */
	uint8_t rcode;           /* of the reply */
	bool is_of_other_host;   /* the answer came through the store that hosts share */
	struct sm_server server; /* that gave it */
	uint32_t took_us;        /* from the question to the reply */
};

/* Returns the size. */
uint16_t sm_origin_pack(const struct sm_origin *origin, uint8_t ret[SM_ORIGIN_MAX]);
/* SM_CORRUPT: these are no bytes of sm_origin_pack. */
enum sm_status sm_origin_unpack(const uint8_t *bytes, size_t size, struct sm_origin *ret) SM_MUST_CHECK;

/* Marks packed bytes: for the hosts that share them, another host has asked. */
void sm_origin_lend(uint8_t *bytes, size_t size);
