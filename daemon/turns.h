/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is next: requests that wait for their jobs to begin, or jobs that are due, in turns of one for each account. So the request
 * of one who asks seldom begins after at most one of each other, however many those have. */
#pragma once

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct sm_turn_queue;

/* One request or job, in what its owner keeps of it. */
struct sm_turn {
	TAILQ_ENTRY(sm_turn) link;
	struct sm_turn_queue *queue; /* NULL: it does not wait */
};

struct sm_turns {
	void *by_account; /* a tree (tsearch) of the accounts that wait */
	TAILQ_HEAD(sm_turn_queues, sm_turn_queue) queues; /* the one whose turn it is first, but for */
	struct sm_turn_queues quiet;                      /* those of accounts that have nothing under way: they come before */
	uint32_t n_accounts;
	uint32_t n; /* requests */
};

void sm_turns_start(struct sm_turns *turns);
/* Waits behind the account's other requests. `is_quiet`: the account has nothing under way. SM_EXHAUSTED. */
enum sm_status sm_turns_wait(struct sm_turns *turns, struct sm_turn *turn, uid_t account, bool is_quiet) SM_MUST_CHECK;
/* No longer. */
void sm_turns_leave(struct sm_turns *turns, struct sm_turn *turn);
/* The request whose turn it is; it goes on waiting until sm_turns_leave, and its account is the last one then. NULL: none. */
struct sm_turn *sm_turns_next(struct sm_turns *turns);
/* Takes turns, at least one, until `ns` have passed or none can be taken. `take`: the request leaves; false: it cannot, and
 * goes on waiting. Returns whether more could be taken. */
bool sm_turns_take(struct sm_turns *turns, int64_t ns, bool (*take)(void *context, struct sm_turn *turn), void *context);
