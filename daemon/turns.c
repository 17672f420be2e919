/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/turns.h"

#include "base/clock.h"

#include <search.h>
#include <stdlib.h>

struct sm_turn_queue {
	uid_t account;
	TAILQ_ENTRY(sm_turn_queue) link;
	TAILQ_HEAD(, sm_turn) waiting;
	struct sm_turn_queues *in;
};

static int compare(const void *a, const void *b)
{
	uid_t x = ((const struct sm_turn_queue *)a)->account, y = ((const struct sm_turn_queue *)b)->account;

	return x < y ? -1 : x > y;
}

void sm_turns_start(struct sm_turns *turns)
{
	*turns = (struct sm_turns){.by_account = NULL};
	TAILQ_INIT(&turns->queues);
	TAILQ_INIT(&turns->quiet);
}

static void move_to(struct sm_turn_queue *queue, struct sm_turn_queues *to)
{
	if (queue->in)
		TAILQ_REMOVE(queue->in, queue, link);
	queue->in = to;
	TAILQ_INSERT_TAIL(to, queue, link);
}

static struct sm_turn_queue *find_or_make(struct sm_turns *turns, uid_t account, bool is_quiet)
{
	const struct sm_turn_queue key = {.account = account};
	struct sm_turn_queue **found = tfind(&key, &turns->by_account, compare), *queue;

	if (found)
		return *found;
	queue = malloc(sizeof(*queue));
	if (!queue)
		return NULL;
	*queue = (struct sm_turn_queue){.account = account};
	TAILQ_INIT(&queue->waiting);
	if (!tsearch(queue, &turns->by_account, compare)) {
		free(queue);
		return NULL;
	}
	move_to(queue, is_quiet ? &turns->quiet : &turns->queues);
	turns->n_accounts++;
	return queue;
}

enum sm_status sm_turns_wait(struct sm_turns *turns, struct sm_turn *turn, uid_t account, bool is_quiet)
{
	turn->queue = find_or_make(turns, account, is_quiet);
	if (!turn->queue)
		return SM_EXHAUSTED;
	TAILQ_INSERT_TAIL(&turn->queue->waiting, turn, link);
	turns->n++;
	return SM_OK;
}

void sm_turns_leave(struct sm_turns *turns, struct sm_turn *turn)
{
	struct sm_turn_queue *queue = turn->queue;

	if (!queue)
		return;
	TAILQ_REMOVE(&queue->waiting, turn, link);
	turn->queue = NULL;
	turns->n--;
	if (!TAILQ_EMPTY(&queue->waiting))
		return;
	tdelete(queue, &turns->by_account, compare);
	TAILQ_REMOVE(queue->in, queue, link);
	turns->n_accounts--;
	free(queue);
}

struct sm_turn *sm_turns_next(struct sm_turns *turns)
{
	struct sm_turn_queue *queue = TAILQ_FIRST(&turns->quiet);

	if (!queue)
		queue = TAILQ_FIRST(&turns->queues);
	if (!queue)
		return NULL;
	move_to(queue, &turns->queues);
	return TAILQ_FIRST(&queue->waiting);
}

bool sm_turns_take(struct sm_turns *turns, int64_t ns, bool (*take)(void *context, struct sm_turn *turn), void *context)
{
	int64_t until_ns = turns->n > 0 ? sm_clock_now_ns() + ns : 0;
	uint32_t n_in_vain = 0;

	while (turns->n > 0 && n_in_vain < turns->n_accounts) {
		n_in_vain = take(context, sm_turns_next(turns)) ? 0 : n_in_vain + 1;
		if (sm_clock_now_ns() >= until_ns)
			break;
	}
	return turns->n > 0 && n_in_vain < turns->n_accounts;
}
