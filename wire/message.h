/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A DNS message (RFC 1035) as bytes → struct sm_reply. Pure; its work is bounded for any bytes. */
#pragma once

#include "base/arena.h"
#include "base/status.h"
#include "mesh/reply.h"

#define SM_POINTERS_MAX 16384 /* compression pointers followed in one message: two for each record */

/* Decodes the reply to the question (`name` folded, without trailing dot; `type`). A message that is longer than our
 * bounds is cut: what was read before the bound counts. Records and names live in `arena`, which should grow to
 * SM_REPLY_MEMORY_MAX.
 * SM_CORRUPT: not a DNS reply, lying about its lengths, or answering another question. SM_EXHAUSTED: no memory, or an arena
 * that is too small for any record. `ret` holds nothing then. */
enum sm_status sm_message_decode(const void *bytes, size_t size, const char *name, enum sm_rr_type type,
                                 struct sm_arena *arena, struct sm_reply *ret) SM_MUST_CHECK;

/* Does the message end where its header says, and say that it is not truncated? A datagram that something on the way has cut
 * is truncated, too. What lies before its end is not looked at. */
bool sm_message_is_whole(const void *bytes, size_t size);

/* Does the reply settle the question? It does not if the server failed, refused, or only refers to other servers. */
bool sm_message_settles(const struct sm_reply *reply);
/* Does the server say that the question is not for it: REFUSED, NOTIMP, or a referral from one that does not recurse? */
bool sm_message_declines(const struct sm_reply *reply);
/* Does it reject a question with EDNS0 as such (RFC 6891, 7)? Without EDNS0 it may answer. */
bool sm_message_rejects_edns(const struct sm_reply *reply);
