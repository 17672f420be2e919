/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The entries: what is in the environment (cache/environment.h), at whose expense, and what goes when space is short. */
#include "cache/owner.h"

#include "base/clock.h"
#include "base/usdt.h"
#include "base/scope.h"
#include "cache/environment.h"
#include "cache/map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COST_MIN 100        /* of the smallest entry */
#define COST_PERCENT 50     /* of the map for entries: pages are never all full, and a commit needs free ones */
#define PUTS_PER_COMMIT 256 /* ITS#9155: large transactions leak in 0.9.24 */
#define PAGES_PER_PUT 64    /* of the map: pages freed by the last three transactions cannot be reused yet */
#define THIN_AT_ONCE 4      /* entries of a transaction that makes room: it needs pages itself */
#define RETRY_NS SM_NS_PER_S

SM_USDT_DEFINE(commit);

struct sm_owner {
	struct sm_environment map;
	uint32_t quota_percent;
	MDB_txn *puts; /* NULL: nothing to commit */
	uint32_t n_puts;
	int64_t refuses_until_ns; /* after a failure of the file system */
	bool is_out_of_space;     /* the file system: fewer entries are kept until it has more space */
	uint64_t max_cost;        /* the ledger's bound at the moment */
	bool is_full;             /* the map, in spite of the ledger: pages can be emptier than COST_PERCENT assumes */
	struct sm_ledger *ledger; /* of all services in the map */
	struct sm_owner_usage usage;
	uint8_t encoded[SM_RECORD_MAX];
	uint8_t found[SM_RECORD_MAX];
};

static bool succeeded(struct sm_owner *owner, int code)
{
	owner->is_full |= code == MDB_MAP_FULL;
	owner->is_out_of_space |= code == ENOSPC || code == EIO || code == EFBIG || code == EDQUOT;
	return code == MDB_SUCCESS;
}

/* ---- what is in the file */

static enum sm_status restore_all(struct sm_owner *owner, const struct sm_survivor *survivors, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct sm_ledger_entry entry = {
			.uid = SM_LEDGER_NOBODY,
			.other = SM_LEDGER_NOBODY,
			.cost = survivors[i].cost,
			.is_negative = survivors[i].is.kind != SM_ANSWER_ADDRESSES,
			.expires_ns = survivors[i].is.times.expires_ns,
		};

		if (sm_ledger_put(owner->ledger, &survivors[i].is.name, &entry) != SM_OK)
			return SM_EXHAUSTED;
	}
	owner->usage.n_restored = (uint32_t)n;
	return SM_OK;
}

/* Makes a new ledger of the entries in the file. */
static enum sm_status take_stock(struct sm_owner *owner)
{
	uint64_t max_cost = owner->map.size_bytes / 100 * COST_PERCENT;
	uint32_t max_entries = (uint32_t)(max_cost / COST_MIN); /* so that bytes are what counts */
	SM_SCOPE_FREE struct sm_survivor *survivors = NULL;
	MDB_txn *txn;
	MDB_stat stat;
	size_t n = 0;
	int code;

	sm_ledger_close(owner->ledger);
	owner->ledger = NULL;
	owner->max_cost = max_cost;
	if (sm_ledger_open(owner->max_cost, max_entries, owner->quota_percent, &owner->ledger) != SM_OK)
		return SM_EXHAUSTED;
	if (mdb_env_stat(owner->map.env, &stat) != MDB_SUCCESS)
		return SM_CORRUPT;
	owner->map.page_size = stat.ms_psize;
	if (stat.ms_entries == 0)
		return SM_OK;
	survivors = reallocarray(NULL, stat.ms_entries, sizeof(*survivors));
	if (!survivors || mdb_txn_begin(owner->map.env, NULL, 0, &txn) != MDB_SUCCESS)
		return SM_EXHAUSTED;
	code = sm_environment_survivors(&owner->map, txn, survivors,
	                                stat.ms_entries < max_entries ? stat.ms_entries : max_entries, &n);
	if (code == MDB_SUCCESS)
		code = mdb_txn_commit(txn);
	else
		mdb_txn_abort(txn);
	return code == MDB_SUCCESS ? restore_all(owner, survivors, n) : sm_environment_status(code);
}

static bool delete(struct sm_owner *owner, const struct sm_name *name)
{
	uint8_t bytes[SM_MAP_KEY_MAX];
	MDB_val key = {sm_map_key(SM_MAP_SERVICE, name, bytes), bytes};
	int code = mdb_del(owner->puts, owner->map.records, &key, NULL);

	sm_ledger_remove(owner->ledger, name);
	return code == MDB_NOTFOUND || succeeded(owner, code);
}

static bool delete_least(struct sm_owner *owner)
{
	struct sm_name name;

	if (sm_ledger_least(owner->ledger, sm_clock_now_ns(), &name) != SM_OK)
		return false;
	owner->usage.n_evicted++;
	return delete(owner, &name);
}

static int delete_some(struct sm_owner *owner)
{
	int code = mdb_txn_begin(owner->map.env, NULL, 0, &owner->puts);

	if (code != MDB_SUCCESS)
		return code;
	for (int i = 0; i < THIN_AT_ONCE && delete_least(owner); i++)
		continue;
	code = mdb_txn_commit(owner->puts);
	owner->puts = NULL;
	return code == MDB_BAD_TXN ? MDB_MAP_FULL : code; /* a delete has failed, and the usual cause is a full map */
}

/* Removes a quarter of the entries, a few at a time: each transaction needs pages itself. SM_FULL: even that fails. */
static enum sm_status thin_out(struct sm_owner *owner)
{
	uint64_t goal = sm_ledger_usage(owner->ledger).cost / 4 * 3;
	int code = MDB_SUCCESS;

	while (code == MDB_SUCCESS && sm_ledger_usage(owner->ledger).cost > goal)
		code = delete_some(owner);
	return sm_environment_status(code);
}

static void set_max_cost(struct sm_owner *owner, uint64_t max_cost)
{
	uint64_t most = owner->map.size_bytes / 100 * COST_PERCENT;

	owner->max_cost = max_cost < most ? max_cost : most;
	sm_ledger_set_max(owner->ledger, owner->max_cost);
}

static void close_file(struct sm_owner *owner)
{
	mdb_txn_abort(owner->puts);
	owner->puts = NULL;
	sm_environment_close(&owner->map);
}

static enum sm_status begin_file(struct sm_owner *owner)
{
	enum sm_status status = sm_environment_open_anew(&owner->map);

	if (status == SM_OK)
		status = take_stock(owner);
	if (status != SM_OK)
		close_file(owner);
	return status;
}

/* The file system has no more space: below what did not fit. Where that was next to nothing, the space is not ours to make. */
static void keep_less(struct sm_owner *owner, uint64_t too_much)
{
	uint64_t page = owner->map.page_size, page_more = sm_ledger_usage(owner->ledger).cost + page;
	uint64_t less = page_more < too_much / 8 * 7 ? page_more : too_much / 8 * 7;

	if (less < page)
		owner->refuses_until_ns = sm_clock_now_ns() + RETRY_NS;
	set_max_cost(owner, less < page ? page : less);
}

/* Where space is short, removes old entries to make space for new ones. */
static enum sm_status make_space(struct sm_owner *owner)
{
	uint64_t too_much = sm_ledger_usage(owner->ledger).cost;
	enum sm_status status = SM_OK;

	if (owner->is_full || owner->is_out_of_space)
		status = thin_out(owner);
	if (status == SM_OK && owner->is_out_of_space)
		keep_less(owner, too_much);
	owner->is_full = owner->is_out_of_space = false;
	return status;
}

static enum sm_status open_map(struct sm_owner *owner)
{
	enum sm_status status = sm_environment_check(&owner->map);

	if (status == SM_OK)
		status = sm_environment_open(&owner->map);
	if (status == SM_OK)
		status = take_stock(owner);
	if (status == SM_OK)
		status = make_space(owner);
	if (status == SM_OK)
		return SM_OK;
	close_file(owner);
	if (status != SM_CORRUPT && status != SM_FULL)
		return status; /* no space or no memory: the entries of the file are worth keeping */
	return begin_file(owner);
}

enum sm_status sm_owner_open(const char *directory, uint64_t size_bytes, uint32_t quota_percent,
                             struct sm_owner **ret)
{
	struct sm_owner *owner = calloc(1, sizeof(*owner));
	enum sm_status status;

	if (!owner)
		return SM_EXHAUSTED;
	owner->quota_percent = quota_percent;
	status = sm_environment_lock(directory, size_bytes, &owner->map);
	if (status == SM_OK)
		status = open_map(owner);
	if (status != SM_OK) {
		sm_owner_close(owner);
		return status;
	}
	*ret = owner;
	return SM_OK;
}

const char *sm_owner_library(void)
{
	return mdb_version(NULL, NULL, NULL);
}

void sm_owner_close(struct sm_owner *owner)
{
	if (!owner)
		return;
	if (owner->map.env)
		(void)!sm_owner_commit(owner); /* entries that cannot be kept are resolved again */
	sm_environment_close(&owner->map);
	sm_environment_unlock(&owner->map);
	sm_ledger_close(owner->ledger);
	free(owner);
}

/* ---- after a failure: starts again from the file, and removes entries to make space */

static void recover(struct sm_owner *owner)
{
	owner->usage.n_failures++;
	close_file(owner);
	if (open_map(owner) != SM_OK)
		owner->refuses_until_ns = sm_clock_now_ns() + RETRY_NS;
}

/* ---- getting and putting */

/* The transaction to read in, the open one if there is one; NULL: none can be had. */
static MDB_txn *begin_reading(const struct sm_owner *owner)
{
	MDB_txn *txn = owner->puts;

	if (!owner->map.env || (!txn && mdb_txn_begin(owner->map.env, NULL, MDB_RDONLY, &txn) != MDB_SUCCESS))
		return NULL;
	return txn;
}

static enum sm_status get(struct sm_owner *owner, enum sm_map_kind kind, const struct sm_name *name, const void **ret,
                          size_t *ret_size)
{
	uint8_t bytes[SM_MAP_KEY_MAX];
	MDB_val key = {sm_map_key(kind, name, bytes), bytes}, value;
	MDB_txn *txn = begin_reading(owner);
	int code;

	if (!txn)
		return SM_MISS;
	code = mdb_get(txn, owner->map.records, &key, &value);
	if (code == MDB_SUCCESS && value.mv_size > sizeof(owner->found))
		code = MDB_NOTFOUND; /* not one of our records */
	if (code == MDB_SUCCESS) {
		memcpy(owner->found, value.mv_data, value.mv_size);
		*ret = owner->found;
		*ret_size = value.mv_size;
	}
	if (txn != owner->puts)
		mdb_txn_abort(txn);
	return code == MDB_SUCCESS ? SM_OK : SM_MISS;
}

enum sm_status sm_owner_get(struct sm_owner *owner, const struct sm_name *name, const void **ret, size_t *ret_size)
{
	return owner->ledger && sm_ledger_has(owner->ledger, name) ? get(owner, SM_MAP_SERVICE, name, ret, ret_size) : SM_MISS;
}

enum sm_status sm_owner_get_own(struct sm_owner *owner, enum sm_map_kind kind, const void **ret, size_t *ret_size)
{
	return get(owner, kind, NULL, ret, ret_size);
}

/* Removes entries from the ledger and the map until the new one fits. */
static enum sm_status evict(struct sm_owner *owner, uid_t uid, uint32_t cost, int64_t now_ns)
{
	struct sm_name victim;
	bool is_quota;

	for (;;) {
		enum sm_status status = sm_ledger_victim(owner->ledger, uid, cost, now_ns, &victim, &is_quota);

		if (status == SM_MISS)
			return SM_OK;
		if (status != SM_OK)
			return status;
		if (!delete(owner, &victim))
			return SM_CORRUPT;
		owner->usage.n_evicted++;
		owner->usage.n_over_quota += is_quota;
	}
}

static bool begin_puts(struct sm_owner *owner, int64_t now_ns)
{
	if (now_ns < owner->refuses_until_ns)
		return false;
	if (!owner->map.env && open_map(owner) != SM_OK) {
		owner->refuses_until_ns = now_ns + RETRY_NS;
		return false;
	}
	return owner->puts || mdb_txn_begin(owner->map.env, NULL, 0, &owner->puts) == MDB_SUCCESS;
}

static enum sm_status write_record(struct sm_owner *owner, const struct sm_name *name, size_t size,
                                   const struct sm_ledger_entry *entry)
{
	uint8_t bytes[SM_MAP_KEY_MAX];
	MDB_val key = {sm_map_key(SM_MAP_SERVICE, name, bytes), bytes}, value = {size, owner->encoded};

	if (!succeeded(owner, mdb_put(owner->puts, owner->map.records, &key, &value, 0)))
		return SM_CORRUPT;
	return sm_ledger_put(owner->ledger, name, entry) == SM_OK ? SM_OK : SM_CORRUPT;
}

/* SM_OK: kept, or there was no room. Any other status: the transaction is unusable. */
static enum sm_status keep_record(struct sm_owner *owner, const struct sm_name *name, size_t size, struct sm_ledger_entry *entry,
                           bool is_taken_back, int64_t now_ns)
{
	struct sm_ledger_entry old;
	enum sm_status status;

	if (sm_ledger_get(owner->ledger, name, &old) == SM_MISS) {
		if (entry->uid == SM_LEDGER_NOBODY && !is_taken_back)
			return SM_OK; /* the entry was removed meanwhile, and there is no uid to pay for a new one */
	} else {
		entry->other = old.other;
		if (entry->uid != old.uid && entry->uid != SM_LEDGER_NOBODY)
			entry->other = entry->uid;
		if (old.uid != SM_LEDGER_NOBODY)
			entry->uid = old.uid;
		sm_ledger_remove(owner->ledger, name);
	}
	status = evict(owner, entry->uid, entry->cost, now_ns);
	if (status == SM_OK)
		return write_record(owner, name, size, entry);
	if (status == SM_FULL)
		return delete(owner, name) ? SM_OK : SM_CORRUPT;
	return status;
}

enum sm_status sm_owner_next(struct sm_owner *owner, const struct sm_name *after, struct sm_name *ret)
{
	uint8_t bytes[SM_MAP_KEY_MAX];
	MDB_val key = {sm_map_key(SM_MAP_SERVICE, after, bytes), bytes};
	MDB_txn *txn = begin_reading(owner);
	MDB_cursor *cursor;
	int code;

	if (!txn)
		return SM_EXHAUSTED;
	code = mdb_cursor_open(txn, owner->map.records, &cursor);
	if (code == MDB_SUCCESS) {
		code = sm_environment_next(cursor, &key, ret);
		mdb_cursor_close(cursor);
	}
	if (txn != owner->puts)
		mdb_txn_abort(txn);
	if (code == MDB_SUCCESS)
		return SM_OK;
	return code == MDB_NOTFOUND ? SM_MISS : SM_EXHAUSTED;
}

static uint32_t puts_per_commit(const struct sm_owner *owner)
{
	uint64_t n = owner->map.size_bytes / 4096 / PAGES_PER_PUT;

	return n < PUTS_PER_COMMIT ? (uint32_t)n : PUTS_PER_COMMIT;
}

static enum sm_status put(struct sm_owner *owner, const struct sm_name *name, const struct sm_answer *answer,
                          const struct sm_times *times, uid_t uid, bool is_taken_back, int64_t now_ns, size_t *ret_size)
{
	struct sm_ledger_entry entry = {
		.uid = uid,
		.other = SM_LEDGER_NOBODY,
		.is_negative = answer->kind != SM_ANSWER_ADDRESSES,
		.expires_ns = times->expires_ns,
	};
	size_t size;

	if (sm_record_encode(name, answer, times, SM_FORMAT, owner->encoded, sizeof(owner->encoded), &size) != SM_OK)
		return SM_FULL;
	*ret_size = size;
	entry.cost = sm_environment_cost(&owner->map, name, size);
	if (times->expires_ns <= now_ns && times->stale_ns <= now_ns)
		return SM_OK;
	if (!begin_puts(owner, now_ns))
		return SM_OK;
	if (keep_record(owner, name, size, &entry, is_taken_back, now_ns) != SM_OK) {
		recover(owner);
		return SM_OK;
	}
	owner->n_puts++;
	if (owner->n_puts >= puts_per_commit(owner))
		(void)!sm_owner_commit(owner); /* recover counts the failure */
	return SM_OK;
}

enum sm_status sm_owner_put(struct sm_owner *owner, const struct sm_name *name, const struct sm_answer *answer,
                            const struct sm_times *times, uid_t uid, int64_t now_ns, const void **ret, size_t *ret_size)
{
	*ret = owner->encoded;
	return put(owner, name, answer, times, uid, false, now_ns, ret_size);
}

enum sm_status sm_owner_take_back(struct sm_owner *owner, const struct sm_name *name, const struct sm_answer *answer,
                                  const struct sm_times *times, int64_t now_ns)
{
	struct sm_ledger_entry entry;
	size_t size;
	enum sm_status status = put(owner, name, answer, times, SM_LEDGER_NOBODY, true, now_ns, &size);

	return status == SM_OK ? sm_ledger_get(owner->ledger, name, &entry) : status;
}

void sm_owner_use(struct sm_owner *owner, const struct sm_name *name, uid_t uid)
{
	if (owner->ledger)
		sm_ledger_use(owner->ledger, name, uid);
}

void sm_owner_remove(struct sm_owner *owner, const struct sm_name *name)
{
	if (begin_puts(owner, sm_clock_now_ns()) && !delete(owner, name))
		recover(owner);
}

enum sm_status sm_owner_put_own(struct sm_owner *owner, enum sm_map_kind kind, const void *bytes, size_t size)
{
	if (!begin_puts(owner, sm_clock_now_ns()))
		return SM_EXHAUSTED;
	if (succeeded(owner, sm_environment_put_own(&owner->map, owner->puts, kind, bytes, size)))
		return SM_OK;
	recover(owner);
	return SM_EXHAUSTED;
}

enum sm_status sm_owner_commit(struct sm_owner *owner)
{
	MDB_txn *txn = owner->puts;

	if (!txn)
		return SM_OK;
	SM_USDT_1(commit, owner->n_puts);
	owner->puts = NULL;
	owner->n_puts = 0;
	if (!succeeded(owner, mdb_txn_commit(txn))) {
		recover(owner);
		return SM_EXHAUSTED;
	}
	owner->usage.n_commits++;
	set_max_cost(owner, owner->max_cost + owner->max_cost / 256); /* there may be space again */
	return SM_OK;
}

struct sm_ledger_states sm_owner_states(const struct sm_owner *owner, int64_t now_ns)
{
	return sm_ledger_states(owner->ledger, now_ns);
}

struct sm_owner_usage sm_owner_usage(const struct sm_owner *owner)
{
	struct sm_owner_usage usage = owner->usage;

	if (owner->ledger)
		usage.held = sm_ledger_usage(owner->ledger);
	usage.file_bytes = sm_environment_bytes(&owner->map);
	return usage;
}
