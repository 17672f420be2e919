/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ledger: entries by name (tsearch). Each entry is in two orders, that of all entries and that of its uid. */
#include "cache/ledger.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { ALL, OWN, ORDERS };

/* The order of removal: by expiry in a heap, and by age in two queues. */
struct order {
	struct holding **heap;
	uint32_t n, n_room;
	TAILQ_HEAD(queue, holding) queues[2]; /* with addresses; negative */
	uint64_t cost;
};

struct share {
	uid_t uid;
	struct order order;
};

struct holding {
	const char *name; /* stored behind the struct, in `text` */
	struct sm_ledger_entry is;
	struct share *share;
	struct {
		TAILQ_ENTRY(holding) link;
		uint32_t at; /* in the heap */
	} in[ORDERS];
	char text[];
};

struct sm_ledger {
	uint64_t max_cost;
	uint32_t max_entries, quota_percent;
	void *by_name, *by_uid;
	struct order all;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct holding *)a)->name, ((const struct holding *)b)->name);
}

static int compare_uids(const void *a, const void *b)
{
	uid_t x = ((const struct share *)a)->uid, y = ((const struct share *)b)->uid;

	return x < y ? -1 : x > y;
}

/* ---- the heap: the soonest expiry on top */

static void place(struct order *order, int which, uint32_t at, struct holding *entry)
{
	order->heap[at] = entry;
	entry->in[which].at = at;
}

static void sift_up(struct order *order, int which, uint32_t at, struct holding *entry)
{
	while (at > 0 && order->heap[(at - 1) / 2]->is.expires_ns > entry->is.expires_ns) {
		place(order, which, at, order->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	place(order, which, at, entry);
}

static void sift_down(struct order *order, int which, uint32_t at, struct holding *entry)
{
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < order->n && order->heap[child + 1]->is.expires_ns < order->heap[child]->is.expires_ns)
			child++;
		if (child >= order->n || order->heap[child]->is.expires_ns >= entry->is.expires_ns)
			break;
		place(order, which, at, order->heap[child]);
		at = child;
	}
	place(order, which, at, entry);
}

static enum sm_status make_room(struct order *order)
{
	uint32_t room = order->n_room ? 2 * order->n_room : 16;
	struct holding **heap;

	if (order->n < order->n_room)
		return SM_OK;
	heap = reallocarray(order->heap, room, sizeof(*heap));
	if (!heap)
		return SM_EXHAUSTED;
	order->heap = heap;
	order->n_room = room;
	return SM_OK;
}

static void enter(struct order *order, int which, struct holding *entry)
{
	TAILQ_INSERT_TAIL(&order->queues[entry->is.is_negative], entry, in[which].link);
	order->cost += entry->is.cost;
	order->n++;
	sift_up(order, which, order->n - 1, entry);
}

static void leave(struct order *order, int which, struct holding *entry)
{
	uint32_t at = entry->in[which].at;
	struct holding *last = order->heap[--order->n];

	TAILQ_REMOVE(&order->queues[entry->is.is_negative], entry, in[which].link);
	order->cost -= entry->is.cost;
	if (last == entry)
		return;
	if (at > 0 && order->heap[(at - 1) / 2]->is.expires_ns > last->is.expires_ns)
		sift_up(order, which, at, last);
	else
		sift_down(order, which, at, last);
}

static void init_order(struct order *order)
{
	memset(order, 0, sizeof(*order));
	TAILQ_INIT(&order->queues[0]);
	TAILQ_INIT(&order->queues[1]);
}

/* The order must not be empty. */
static const struct holding *first_to_go(const struct order *order, int64_t now_ns)
{
	if (order->heap[0]->is.expires_ns <= now_ns)
		return order->heap[0];
	if (!TAILQ_EMPTY(&order->queues[true]))
		return TAILQ_FIRST(&order->queues[true]);
	return TAILQ_FIRST(&order->queues[false]);
}

/* ---- the ledger */

enum sm_status sm_ledger_open(uint64_t max_cost, uint32_t max_entries, uint32_t quota_percent, struct sm_ledger **ret)
{
	struct sm_ledger *ledger = calloc(1, sizeof(*ledger));

	if (!ledger)
		return SM_EXHAUSTED;
	ledger->max_cost = max_cost;
	ledger->max_entries = max_entries;
	ledger->quota_percent = quota_percent;
	init_order(&ledger->all);
	*ret = ledger;
	return SM_OK;
}

static void free_share(void *share)
{
	free(((struct share *)share)->order.heap);
	free(share);
}

void sm_ledger_close(struct sm_ledger *ledger)
{
	if (!ledger)
		return;
	tdestroy(ledger->by_name, free);
	tdestroy(ledger->by_uid, free_share);
	free(ledger->all.heap);
	free(ledger);
}

static struct holding *find_entry(const struct sm_ledger *ledger, const struct sm_name *name)
{
	const struct holding key = {.name = name->text};
	struct holding **found = tfind(&key, &ledger->by_name, compare_names);

	return found ? *found : NULL;
}

static struct share *find_share(const struct sm_ledger *ledger, uid_t uid)
{
	const struct share key = {.uid = uid};
	struct share **found = tfind(&key, &ledger->by_uid, compare_uids);

	return found ? *found : NULL;
}

static struct share *make_share(struct sm_ledger *ledger, uid_t uid)
{
	struct share *share = find_share(ledger, uid);

	if (share)
		return share;
	share = malloc(sizeof(*share));
	if (!share)
		return NULL;
	share->uid = uid;
	init_order(&share->order);
	if (tsearch(share, &ledger->by_uid, compare_uids))
		return share;
	free(share);
	return NULL;
}

static void drop_share_if_empty(struct sm_ledger *ledger, struct share *share)
{
	if (share->order.n > 0)
		return;
	tdelete(share, &ledger->by_uid, compare_uids);
	free_share(share);
}

enum sm_status sm_ledger_get(const struct sm_ledger *ledger, const struct sm_name *name, struct sm_ledger_entry *ret)
{
	const struct holding *entry = find_entry(ledger, name);

	if (!entry)
		return SM_MISS;
	*ret = entry->is;
	return SM_OK;
}

void sm_ledger_remove(struct sm_ledger *ledger, const struct sm_name *name)
{
	struct holding *entry = find_entry(ledger, name);

	if (!entry)
		return;
	tdelete(entry, &ledger->by_name, compare_names);
	leave(&ledger->all, ALL, entry);
	leave(&entry->share->order, OWN, entry);
	drop_share_if_empty(ledger, entry->share);
	free(entry);
}

static void copy_name(const struct holding *entry, struct sm_name *ret)
{
	ret->length = (uint8_t)strlen(entry->name);
	memcpy(ret->text, entry->name, ret->length + 1U);
}

static bool is_beyond(const struct order *order, uint32_t cost, uint64_t max_cost, uint64_t max_entries)
{
	return order->cost + cost > max_cost || order->n + 1ULL > max_entries;
}

enum sm_status sm_ledger_victim(const struct sm_ledger *ledger, uid_t uid, uint32_t cost, int64_t now_ns,
                                struct sm_name *ret, bool *ret_is_quota)
{
	uint64_t percent = uid == SM_LEDGER_NOBODY ? 100 : ledger->quota_percent;
	uint64_t max_cost = ledger->max_cost * percent / 100, max_entries = ledger->max_entries * percent / 100;
	const struct share *share = find_share(ledger, uid);

	if (cost > max_cost || max_entries == 0)
		return SM_FULL;
	*ret_is_quota = share && is_beyond(&share->order, cost, max_cost, max_entries);
	if (*ret_is_quota) {
		copy_name(first_to_go(&share->order, now_ns), ret);
		return SM_OK;
	}
	if (!is_beyond(&ledger->all, cost, ledger->max_cost, ledger->max_entries))
		return SM_MISS;
	if (ledger->all.n == 0)
		return SM_FULL;
	copy_name(first_to_go(&ledger->all, now_ns), ret);
	return SM_OK;
}

static void find_heaviest(const void *node, VISIT visit, void *heaviest)
{
	const struct share *share = *(const struct share *const *)node, **found = heaviest;

	if ((visit == postorder || visit == leaf) && (!*found || share->order.cost > (*found)->order.cost))
		*found = share;
}

enum sm_status sm_ledger_least(const struct sm_ledger *ledger, int64_t now_ns, struct sm_name *ret)
{
	const struct share *heaviest = NULL;

	twalk_r(ledger->by_uid, find_heaviest, &heaviest);
	if (!heaviest)
		return SM_MISS;
	copy_name(first_to_go(&heaviest->order, now_ns), ret);
	return SM_OK;
}

void sm_ledger_set_max(struct sm_ledger *ledger, uint64_t max_cost)
{
	ledger->max_cost = max_cost;
}

static struct holding *make_entry(const struct sm_name *name, const struct sm_ledger_entry *is)
{
	struct holding *entry = malloc(sizeof(*entry) + name->length + 1U);

	if (!entry)
		return NULL;
	memcpy(entry->text, name->text, name->length + 1U);
	entry->name = entry->text;
	entry->is = *is;
	return entry;
}

enum sm_status sm_ledger_put(struct sm_ledger *ledger, const struct sm_name *name, const struct sm_ledger_entry *is)
{
	struct share *share = make_share(ledger, is->uid);
	struct holding *entry;

	if (!share)
		return SM_EXHAUSTED;
	entry = make_entry(name, is);
	if (!entry || make_room(&ledger->all) != SM_OK || make_room(&share->order) != SM_OK ||
	    !tsearch(entry, &ledger->by_name, compare_names)) {
		free(entry);
		drop_share_if_empty(ledger, share);
		return SM_EXHAUSTED;
	}
	entry->share = share;
	enter(&ledger->all, ALL, entry);
	enter(&share->order, OWN, entry);
	return SM_OK;
}

struct sm_ledger_states sm_ledger_states(const struct sm_ledger *ledger, int64_t now_ns)
{
	struct sm_ledger_states states = {.n_fresh = 0};

	for (uint32_t i = 0; i < ledger->all.n; i++) {
		const struct sm_ledger_entry *entry = &ledger->all.heap[i]->is;

		if (entry->is_negative)
			states.n_negative++;
		else if (entry->expires_ns > now_ns)
			states.n_fresh++;
		else
			states.n_expired++;
	}
	return states;
}

struct sm_ledger_usage sm_ledger_usage(const struct sm_ledger *ledger)
{
	return (struct sm_ledger_usage){.n_entries = ledger->all.n, .cost = ledger->all.cost};
}
