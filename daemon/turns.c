/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/turns.h"

#include <search.h>
#include <stdlib.h>

struct sm_turn_queue {
	uid_t account;
	TAILQ_ENTRY(sm_turn_queue) link;
	TAILQ_HEAD(, sm_turn) waiting;
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
}

static struct sm_turn_queue *find_or_make(struct sm_turns *turns, uid_t account)
{
	const struct sm_turn_queue key = {.account = account};
	struct sm_turn_queue **found = tfind(&key, &turns->by_account, compare), *queue;

	if (found)
		return *found;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return NULL;
	queue->account = account;
	TAILQ_INIT(&queue->waiting);
	if (!tsearch(queue, &turns->by_account, compare)) {
		free(queue);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&turns->queues, queue, link);
	turns->n_accounts++;
	return queue;
}

enum sm_status sm_turns_wait(struct sm_turns *turns, struct sm_turn *turn, uid_t account)
{
	turn->queue = find_or_make(turns, account);
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
	TAILQ_REMOVE(&turns->queues, queue, link);
	turns->n_accounts--;
	free(queue);
}

struct sm_turn *sm_turns_next(struct sm_turns *turns)
{
	struct sm_turn_queue *queue = TAILQ_FIRST(&turns->queues);

	if (!queue)
		return NULL;
	TAILQ_REMOVE(&turns->queues, queue, link);
	TAILQ_INSERT_TAIL(&turns->queues, queue, link);
	return TAILQ_FIRST(&queue->waiting);
}
