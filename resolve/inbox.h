/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The messages of one socket, which c-ares does not get to see. The inbox gets all bytes that were sent and that
 * arrived, keeps every message that answers a question of this socket, and gives c-ares a stand-in instead: only a
 * header without an error, and the question.
 *
 * The reason: releases of c-ares treat messages differently. 1.18 cuts a datagram at the advertised size and sends
 * freed memory after a FORMERR, 1.34 rejects compressed names in SRV data, and no release accepts an error without a
 * question. With a stand-in all releases do the same. Pure: bytes in, bytes out. Not for two threads at once. */
#pragma once

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SM_MESSAGE_MAX 65535     /* RFC 1035, 4.2.2: a length of 16 bits; a datagram is shorter */
#define SM_MESSAGE_HEADER 12     /* RFC 1035, 4.1.1 */
#define SM_QUESTION_MAX (255 + 4) /* a name, a type and a class */

struct sm_inbox_slot;

struct sm_inbox {
	bool is_stream; /* each message follows its length (RFC 7766, 8) */
	struct sm_inbox_slot *slots; /* the questions under way */
	uint8_t *room;  /* bytes read and not yet parsed; NULL: nothing was read yet */
	bool is_room_lent;
	size_t taken, filled; /* of `room`: bytes already parsed, bytes read */
	size_t leaving_skipped; /* of the outgoing stream: coming bytes to ignore */
	uint8_t leaving[2 + SM_MESSAGE_HEADER + SM_QUESTION_MAX];
	size_t leaving_size;
	uint8_t stand_in[2 + SM_MESSAGE_HEADER + SM_QUESTION_MAX];
	size_t stand_in_at, stand_in_size;
	size_t given; /* bytes given out since the beginning */
};

#define SM_INBOX_ROOM (2 + SM_MESSAGE_MAX) /* bytes */

/* `room`: SM_INBOX_ROOM bytes, to read datagrams into, which others may use between two calls; NULL: it has its own. */
void sm_inbox_init(struct sm_inbox *inbox, bool is_stream, uint8_t *room);
void sm_inbox_clear(struct sm_inbox *inbox);
/* A new connection replaces the old one: a partial message of the old one is dropped. The questions stay. */
void sm_inbox_reconnect(struct sm_inbox *inbox);

/* These bytes were sent: a whole datagram, or any piece of a stream. SM_EXHAUSTED: answers to them will be ignored. */
enum sm_status sm_inbox_sent(struct sm_inbox *inbox, const void *bytes, size_t size) SM_MUST_CHECK;

/* sm_inbox_room says where to read to, then sm_inbox_read how much was read, at least 1. SM_EXHAUSTED. */
enum sm_status sm_inbox_room(struct sm_inbox *inbox, void **ret, size_t *ret_size) SM_MUST_CHECK;
void sm_inbox_read(struct sm_inbox *inbox, size_t size);

/* Gives up to `size` bytes of the stand-in for the next message; 0: there is none. For datagrams a stand-in is given
 * whole, and `size` must be at least SM_MESSAGE_HEADER + SM_QUESTION_MAX. */
size_t sm_inbox_give(struct sm_inbox *inbox, void *bytes, size_t size);
/* Is there more to give without another read? */
bool sm_inbox_can_give(const struct sm_inbox *inbox);

/* The message for which `stand_in` (returned by c-ares) stands; the caller frees it. SM_MISS: there is none.
 * SM_CORRUPT: not a stand-in. The question is then finished. */
enum sm_status sm_inbox_take(struct sm_inbox *inbox, const void *stand_in, size_t size, uint8_t **ret,
                             size_t *ret_size) SM_MUST_CHECK;
