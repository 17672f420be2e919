/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The messages on srvmeshd's sockets: one request for each connection (SOCK_SEQPACKET), hints as datagrams. Pure.
 *
 *   0 u32 magic   4 u8 version   5 u8 kind   6 u16 zero   8 body, little endian
 *   lookup, hint:  u32 milliseconds that the client will wait, u8 families, u8 name length, name
 *   record:        mesh/record.h        text: UTF-8        all others: nothing */
#pragma once

#include "base/status.h"
#include "mesh/name.h"

#include <stddef.h>
#include <stdint.h>

enum sm_frame_kind {
	/* requests */
	SM_FRAME_LOOKUP = 1,
	SM_FRAME_HINT = 2,   /* asks to renew this name, which is in use */
	SM_FRAME_STATUS = 3, /* asks for the daemon's counters, as text */
	/* replies */
	SM_FRAME_RECORD = 16, /* fresh, or stale if there is nothing better */
	SM_FRAME_WORKING = 17, /* not the final reply: the daemon is alive, but the name takes time */
	SM_FRAME_NOT_OURS = 18, /* the name is not in the daemon's configuration */
	SM_FRAME_BUSY = 19, /* a limit is reached, or the daemon itself lacks memory or descriptors */
	SM_FRAME_TEXT = 20,
};

#define SM_FRAME_HEAD 8
#define SM_REQUEST_MAX (SM_FRAME_HEAD + 6 + SM_NAME_MAX)
#define SM_REPLY_MAX (1U << 18) /* more than the largest record */

struct sm_request {
	enum sm_frame_kind kind;
	uint32_t wait_ms;
	uint8_t families; /* enum sm_families */
	struct sm_name name;
};

/* Returns the size. A status request has no body. */
size_t sm_frame_encode_request(const struct sm_request *request, uint8_t ret[SM_REQUEST_MAX]);
void sm_frame_encode_head(enum sm_frame_kind kind, uint8_t ret[SM_FRAME_HEAD]);

/* SM_CORRUPT: no such frame. */
enum sm_status sm_frame_decode_request(const void *bytes, size_t size, struct sm_request *ret) SM_MUST_CHECK;
/* The kind of a reply; its body follows the SM_FRAME_HEAD bytes of the head. */
enum sm_status sm_frame_decode_reply(const void *bytes, size_t size, enum sm_frame_kind *ret) SM_MUST_CHECK;
