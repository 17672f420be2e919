/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ledger: entries by name (a hash table), shares by uid (tsearch). Each entry is in the order of its uid's. Names are what
 * users ask for, so the hash is one that they cannot foresee.
 *
 * The table grows by linear hashing (Litwin, 1980): with an entry that is more than there are buckets one more is opened, to
 * which those of one other are split. So no entry waits for all the others to move, and the buckets of a small cache are in few
 * pages. */
#include "cache/ledger.h"

#include "base/random.h"
#include "cache/slabs.h"

#define XXH_INLINE_ALL
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <xxhash.h>

#define BUCKETS_MAX (1U << 26)
#define SECRET_BYTES 192 /* of XXH3 */

/* What one uid has, in the order of removal: by expiry in a heap, and by age in two queues. */
struct share {
	uid_t uid;
	struct holding **heap;
	uint32_t n, n_room;
	TAILQ_HEAD(queue, holding) queues[2]; /* with addresses; negative */
	uint64_t cost;
};

struct holding {
	struct holding *next; /* in its bucket */
	struct sm_ledger_entry is;
	struct share *share;
	TAILQ_ENTRY(holding) link;
	uint32_t at; /* in the heap */
	uint8_t length;
	char name[];
};

struct sm_ledger {
	uint64_t max_cost;
	uint32_t max_entries, quota_percent;
	void *by_uid;
	struct holding **buckets;
	uint32_t n_buckets, n_open; /* room, and those in use; memory is taken for these alone */
	uint32_t mask; /* the smallest 2^k - 1 that all in use are below, or are */
	uint8_t secret[SECRET_BYTES];
	struct sm_slabs slabs; /* of the entries */
	uint32_t n;
	uint64_t cost;
};

static int compare_uids(const void *a, const void *b)
{
	uid_t x = ((const struct share *)a)->uid, y = ((const struct share *)b)->uid;

	return x < y ? -1 : x > y;
}

/* ---- the heap: the soonest expiry on top */

static void place(struct share *share, uint32_t at, struct holding *entry)
{
	share->heap[at] = entry;
	entry->at = at;
}

static void sift_up(struct share *share, uint32_t at, struct holding *entry)
{
	while (at > 0 && share->heap[(at - 1) / 2]->is.expires_ns > entry->is.expires_ns) {
		place(share, at, share->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	place(share, at, entry);
}

static void sift_down(struct share *share, uint32_t at, struct holding *entry)
{
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < share->n && share->heap[child + 1]->is.expires_ns < share->heap[child]->is.expires_ns)
			child++;
		if (child >= share->n || share->heap[child]->is.expires_ns >= entry->is.expires_ns)
			break;
		place(share, at, share->heap[child]);
		at = child;
	}
	place(share, at, entry);
}

static enum sm_status make_room(struct share *share)
{
	uint32_t room = share->n_room ? 2 * share->n_room : 16;
	struct holding **heap;

	if (share->n < share->n_room)
		return SM_OK;
	heap = reallocarray(share->heap, room, sizeof(*heap));
	if (!heap)
		return SM_EXHAUSTED;
	share->heap = heap;
	share->n_room = room;
	return SM_OK;
}

static void enter(struct share *share, struct holding *entry)
{
	TAILQ_INSERT_TAIL(&share->queues[entry->is.is_negative], entry, link);
	share->cost += entry->is.cost;
	share->n++;
	sift_up(share, share->n - 1, entry);
}

static void leave(struct share *share, struct holding *entry)
{
	uint32_t at = entry->at;
	struct holding *last = share->heap[--share->n];

	TAILQ_REMOVE(&share->queues[entry->is.is_negative], entry, link);
	share->cost -= entry->is.cost;
	if (last == entry)
		return;
	if (at > 0 && share->heap[(at - 1) / 2]->is.expires_ns > last->is.expires_ns)
		sift_up(share, at, last);
	else
		sift_down(share, at, last);
}

/* The share must not be empty. */
static struct holding *first_to_go(const struct share *share, int64_t now_ns)
{
	if (share->heap[0]->is.expires_ns <= now_ns)
		return share->heap[0];
	if (!TAILQ_EMPTY(&share->queues[true]))
		return TAILQ_FIRST(&share->queues[true]);
	return TAILQ_FIRST(&share->queues[false]);
}

/* ---- the ledger */

enum sm_status sm_ledger_open(uint64_t max_cost, uint32_t max_entries, uint32_t quota_percent, struct sm_ledger **ret)
{
	struct sm_ledger *ledger = calloc(1, sizeof(*ledger));

	if (!ledger)
		return SM_EXHAUSTED;
	ledger->n_buckets = max_entries == 0 ? 1 : max_entries < BUCKETS_MAX ? max_entries : BUCKETS_MAX;
	ledger->n_open = 1;
	ledger->buckets = calloc(ledger->n_buckets, sizeof(*ledger->buckets));
	if (!ledger->buckets) {
		free(ledger);
		return SM_EXHAUSTED;
	}
	sm_random_fill(ledger->secret, sizeof(ledger->secret));
	ledger->max_cost = max_cost;
	ledger->max_entries = max_entries;
	ledger->quota_percent = quota_percent;
	*ret = ledger;
	return SM_OK;
}

static void free_share(void *share)
{
	free(((struct share *)share)->heap);
	free(share);
}

void sm_ledger_close(struct sm_ledger *ledger)
{
	if (!ledger)
		return;
	sm_slabs_clear(&ledger->slabs);
	free(ledger->buckets);
	tdestroy(ledger->by_uid, free_share);
	free(ledger);
}

static uint32_t bucket_of(const struct sm_ledger *ledger, const char *name, size_t length)
{
	uint32_t hash = (uint32_t)XXH3_64bits_withSecret(name, length, ledger->secret, sizeof(ledger->secret));
	uint32_t at = hash & ledger->mask;

	return at < ledger->n_open ? at : at & (ledger->mask >> 1);
}

/* The link to the entry of this name, or to the end of its bucket. */
static struct holding **link_to(const struct sm_ledger *ledger, const struct sm_name *name)
{
	struct holding **link = &ledger->buckets[bucket_of(ledger, name->text, name->length)];

	while (*link && ((*link)->length != name->length || memcmp((*link)->name, name->text, name->length) != 0))
		link = &(*link)->next;
	return link;
}

/* Opens one more, and moves there what belongs there by one bit more. */
static void open_bucket(struct sm_ledger *ledger)
{
	uint32_t fresh = ledger->n_open++;
	struct holding **link, *entry;

	if (fresh > ledger->mask)
		ledger->mask = 2 * ledger->mask + 1;
	link = &ledger->buckets[fresh & (ledger->mask >> 1)];
	while ((entry = *link)) {
		if (bucket_of(ledger, entry->name, entry->length) != fresh) {
			link = &entry->next;
			continue;
		}
		*link = entry->next;
		entry->next = ledger->buckets[fresh];
		ledger->buckets[fresh] = entry;
	}
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
	share = calloc(1, sizeof(*share));
	if (!share)
		return NULL;
	share->uid = uid;
	TAILQ_INIT(&share->queues[0]);
	TAILQ_INIT(&share->queues[1]);
	if (tsearch(share, &ledger->by_uid, compare_uids))
		return share;
	free(share);
	return NULL;
}

static void drop_share_if_empty(struct sm_ledger *ledger, struct share *share)
{
	if (share->n > 0)
		return;
	tdelete(share, &ledger->by_uid, compare_uids);
	free_share(share);
}

bool sm_ledger_has(const struct sm_ledger *ledger, const struct sm_name *name)
{
	return *link_to(ledger, name);
}

enum sm_status sm_ledger_get(const struct sm_ledger *ledger, const struct sm_name *name, struct sm_ledger_entry *ret)
{
	const struct holding *entry = *link_to(ledger, name);

	if (!entry)
		return SM_MISS;
	*ret = entry->is;
	return SM_OK;
}

static size_t size_of(uint8_t length)
{
	return sizeof(struct holding) + length + 1U;
}

void sm_ledger_remove(struct sm_ledger *ledger, const struct sm_name *name)
{
	struct holding **link = link_to(ledger, name), *entry = *link;

	if (!entry)
		return;
	*link = entry->next;
	ledger->n--;
	ledger->cost -= entry->is.cost;
	leave(entry->share, entry);
	drop_share_if_empty(ledger, entry->share);
	sm_slabs_give_back(&ledger->slabs, entry, size_of(entry->length));
}

static void copy_name(const struct holding *entry, struct sm_name *ret)
{
	ret->length = entry->length;
	memcpy(ret->text, entry->name, ret->length + 1U);
}

static bool is_beyond(uint64_t n, uint64_t cost, uint64_t max_entries, uint64_t max_cost)
{
	return n > max_entries || cost > max_cost;
}

/* How much of the ledger a share is: of its bytes, or of its entries. */
static uint64_t weight(const struct sm_ledger *ledger, uint64_t n, uint64_t cost)
{
	uint64_t by_n = n * ledger->max_cost, by_cost = cost * ledger->max_entries;

	return by_n > by_cost ? by_n : by_cost;
}

struct search {
	const struct sm_ledger *ledger;
	const struct share *heaviest;
	uint64_t weight;
};

static void weigh(const void *node, VISIT visit, void *context)
{
	const struct share *share = *(const struct share *const *)node;
	struct search *search = context;
	uint64_t is = weight(search->ledger, share->n, share->cost);

	if ((visit != postorder && visit != leaf) || is <= search->weight)
		return;
	search->heaviest = share;
	search->weight = is;
}

static struct search find_heaviest(const struct sm_ledger *ledger)
{
	struct search search = {.ledger = ledger};

	twalk_r(ledger->by_uid, weigh, &search);
	return search;
}

/* Is the share, with one more entry, more than a uid may have while others want the rest? */
static bool is_over_quota(const struct sm_ledger *ledger, const struct share *share, uint32_t cost)
{
	return share->uid != SM_LEDGER_NOBODY &&
	       is_beyond(share->n + 1ULL, share->cost + cost, (uint64_t)ledger->max_entries * ledger->quota_percent / 100,
	                 ledger->max_cost * ledger->quota_percent / 100);
}

/* false: no memory; then it stays where it is. */
static bool hand_over(struct sm_ledger *ledger, struct holding *entry)
{
	struct share *from = entry->share, *to = make_share(ledger, entry->is.other);

	entry->is.other = SM_LEDGER_NOBODY;
	if (!to)
		return false;
	if (make_room(to) != SM_OK) {
		drop_share_if_empty(ledger, to);
		return false;
	}
	leave(from, entry);
	entry->is.uid = to->uid;
	entry->share = to;
	enter(to, entry);
	drop_share_if_empty(ledger, from);
	return true;
}

/* What a share gives up. NULL: another uid has used that, too, and it has changed hands instead; another share may be the
 * heaviest now. */
static struct holding *give_up(struct sm_ledger *ledger, const struct share *share, int64_t now_ns)
{
	struct holding *entry = first_to_go(share, now_ns);

	if (entry->is.other != SM_LEDGER_NOBODY && entry->is.other != entry->is.uid && hand_over(ledger, entry))
		return NULL;
	return entry;
}

/* The share that has to give up something for an entry of this uid. NULL: the ledger is empty. */
static const struct share *giver(const struct sm_ledger *ledger, uid_t uid, uint32_t cost, bool *ret_is_quota)
{
	const struct share *share = find_share(ledger, uid);
	struct search search;

	*ret_is_quota = share && is_over_quota(ledger, share, cost);
	if (*ret_is_quota)
		return share;
	search = find_heaviest(ledger);
	if (share && weight(ledger, share->n + 1ULL, share->cost + cost) >= search.weight)
		return share;
	return search.heaviest;
}

enum sm_status sm_ledger_victim(struct sm_ledger *ledger, uid_t uid, uint32_t cost, int64_t now_ns, struct sm_name *ret,
                                bool *ret_is_quota)
{
	const struct share *share;
	const struct holding *entry = NULL;

	if (cost > ledger->max_cost || ledger->max_entries == 0)
		return SM_FULL;
	if (!is_beyond(ledger->n + 1ULL, ledger->cost + cost, ledger->max_entries, ledger->max_cost))
		return SM_MISS;
	while (!entry) { /* each turn takes the mark of another user off one entry */
		share = giver(ledger, uid, cost, ret_is_quota);
		if (!share)
			return SM_FULL;
		entry = give_up(ledger, share, now_ns);
	}
	copy_name(entry, ret);
	return SM_OK;
}

enum sm_status sm_ledger_least(struct sm_ledger *ledger, int64_t now_ns, struct sm_name *ret)
{
	const struct holding *entry = NULL;

	while (!entry) {
		const struct share *heaviest = find_heaviest(ledger).heaviest;

		if (!heaviest)
			return SM_MISS;
		entry = give_up(ledger, heaviest, now_ns);
	}
	copy_name(entry, ret);
	return SM_OK;
}

void sm_ledger_use(struct sm_ledger *ledger, const struct sm_name *name, uid_t uid)
{
	struct holding *entry = *link_to(ledger, name);

	if (entry && entry->is.uid != uid)
		entry->is.other = uid;
}

void sm_ledger_set_max(struct sm_ledger *ledger, uint64_t max_cost)
{
	ledger->max_cost = max_cost;
}

static struct holding *make_entry(struct sm_ledger *ledger, const struct sm_name *name, const struct sm_ledger_entry *is)
{
	struct holding *entry = sm_slabs_take(&ledger->slabs, size_of(name->length));

	_Static_assert(sizeof(struct holding) + sizeof(name->text) <= SM_SLAB_ITEM_MAX, "an entry is an item of the slabs");
	if (!entry)
		return NULL;
	*entry = (struct holding){.is = *is, .length = name->length};
	memcpy(entry->name, name->text, name->length + 1U);
	return entry;
}

enum sm_status sm_ledger_put(struct sm_ledger *ledger, const struct sm_name *name, const struct sm_ledger_entry *is)
{
	struct share *share = make_share(ledger, is->uid);
	struct holding *entry;

	if (!share)
		return SM_EXHAUSTED;
	entry = make_room(share) == SM_OK ? make_entry(ledger, name, is) : NULL;
	if (!entry) {
		drop_share_if_empty(ledger, share);
		return SM_EXHAUSTED;
	}
	*link_to(ledger, name) = entry;
	entry->share = share;
	enter(share, entry);
	ledger->n++;
	ledger->cost += is->cost;
	if (ledger->n > ledger->n_open && ledger->n_open < ledger->n_buckets)
		open_bucket(ledger);
	return SM_OK;
}

struct census {
	struct sm_ledger_states states;
	int64_t now_ns;
};

static void count(const void *node, VISIT visit, void *context)
{
	const struct share *share = *(const struct share *const *)node;
	struct census *census = context;

	for (uint32_t i = 0; i < share->n && (visit == postorder || visit == leaf); i++) {
		const struct sm_ledger_entry *is = &share->heap[i]->is;

		census->states.n_negative += is->is_negative;
		census->states.n_fresh += !is->is_negative && is->expires_ns > census->now_ns;
		census->states.n_expired += !is->is_negative && is->expires_ns <= census->now_ns;
	}
}

struct sm_ledger_states sm_ledger_states(const struct sm_ledger *ledger, int64_t now_ns)
{
	struct census census = {.now_ns = now_ns};

	twalk_r(ledger->by_uid, count, &census);
	return census.states;
}

struct sm_ledger_usage sm_ledger_usage(const struct sm_ledger *ledger)
{
	return (struct sm_ledger_usage){.n_entries = ledger->n, .cost = ledger->cost};
}
