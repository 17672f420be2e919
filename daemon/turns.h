/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is next: requests that wait for their jobs to begin, in turns of one request for each account. So the request of one who
 * asks seldom begins after at most one of each other, however many those have. Pure. */
#pragma once

#include "base/status.h"

#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct sm_turn_queue;

/* One request, in what its owner keeps of it. */
struct sm_turn {
	TAILQ_ENTRY(sm_turn) link;
	struct sm_turn_queue *queue; /* NULL: it does not wait */
};

struct sm_turns {
	void *by_account; /* a tree (tsearch) of the accounts that wait */
	TAILQ_HEAD(sm_turn_queues, sm_turn_queue) queues; /* the one whose turn it is first */
	uint32_t n_accounts;
	uint32_t n; /* requests */
};

void sm_turns_start(struct sm_turns *turns);
/* Waits behind the account's other requests. SM_EXHAUSTED. */
enum sm_status sm_turns_wait(struct sm_turns *turns, struct sm_turn *turn, uid_t account) SM_MUST_CHECK;
/* No longer. */
void sm_turns_leave(struct sm_turns *turns, struct sm_turn *turn);
/* The request whose turn it is; it goes on waiting until sm_turns_leave, and its account is the last one then. NULL: none. */
struct sm_turn *sm_turns_next(struct sm_turns *turns);
