/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The messages of one socket, kept from c-ares. It is shown what was sent and what arrived, keeps every message that answers
 * a question of this socket, and gives c-ares a stand-in: a header without an error and that question, nothing else.
 *
 * The reason: releases of c-ares differ in what they do to a message. 1.18 cuts a datagram at the advertised size and sends
 * freed memory after a FORMERR, 1.34 rejects compressed names in SRV data, and no release hears an error without a question.
 * Against a stand-in all of them do the same. Pure: bytes in, bytes out. Not for two threads at once. */
#pragma once

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SM_MESSAGE_MAX 65535     /* RFC 1035, 4.2.2: a length of 16 bits; a datagram has less */
#define SM_MESSAGE_HEADER 12     /* RFC 1035, 4.1.1 */
#define SM_QUESTION_MAX (255 + 4) /* a name, a type and a class */

struct sm_inbox_slot;

struct sm_inbox {
	bool is_stream; /* messages have their length in front (RFC 7766, 8) */
	struct sm_inbox_slot *slots; /* the questions under way */
	uint8_t *room;  /* what was read and not yet understood; NULL: nothing was read yet */
	size_t taken, filled; /* of it: understood already, read */
	size_t leaving_skipped; /* of the stream that leaves: bytes still to come that do not matter */
	uint8_t leaving[2 + SM_MESSAGE_HEADER + SM_QUESTION_MAX];
	size_t leaving_size;
	uint8_t stand_in[2 + SM_MESSAGE_HEADER + SM_QUESTION_MAX];
	size_t stand_in_at, stand_in_size;
	size_t given; /* bytes, since the beginning */
};

void sm_inbox_init(struct sm_inbox *inbox, bool is_stream);
void sm_inbox_clear(struct sm_inbox *inbox);
/* A new connection takes the place of the old one: half a message of that one is nothing. The questions stay. */
void sm_inbox_reconnect(struct sm_inbox *inbox);

/* These bytes have left: a whole datagram, or any piece of a stream. SM_MEMORY: what answers them will not be heard. */
enum sm_status sm_inbox_sent(struct sm_inbox *inbox, const void *bytes, size_t size) SM_MUST_CHECK;

/* Where to read to; then how much was read, at least 1. SM_MEMORY. */
enum sm_status sm_inbox_room(struct sm_inbox *inbox, void **ret, size_t *ret_size) SM_MUST_CHECK;
void sm_inbox_read(struct sm_inbox *inbox, size_t size);

/* Up to `size` bytes of the stand-in for the next message; 0: there is none. A datagram's comes whole, and `size` is then at
 * least SM_MESSAGE_HEADER + SM_QUESTION_MAX. */
size_t sm_inbox_give(struct sm_inbox *inbox, void *bytes, size_t size);
/* Is there more to give without another read? */
bool sm_inbox_has_more(const struct sm_inbox *inbox);

/* The message that `stand_in` (as c-ares hands it back) stands for. The caller's, by free. SM_MISS: none; SM_CORRUPT: that is
 * no stand-in. The question is done with. */
enum sm_status sm_inbox_take(struct sm_inbox *inbox, const void *stand_in, size_t size, uint8_t **ret,
                             size_t *ret_size) SM_MUST_CHECK;
