/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The only writer of the host map. Owns the file (liblmdb), the lock that keeps a second owner out, and the ledger
 * of the file's entries. Puts go into one open transaction; sm_owner_commit makes them visible. Not for two threads
 * at once.
 *
 * A file of this boot and format is taken over with its entries, whatever the configuration says today: what it makes of
 * them is for the caller to judge. Any other is removed and replaced by a new one. After a failure of the file system (no
 * space, for example) the uncommitted entries are lost, but the owner goes on and removes old entries to make space for
 * new ones. */
#pragma once

#include "base/status.h"
#include "cache/ledger.h"
#include "cache/map.h"
#include "mesh/lifetime.h"
#include "mesh/record.h"

struct sm_owner;

#define SM_OWNER_LOCK_FILE "owner.lock"

/* `directory`: cache/trust.h; it is created if only the last component is missing. SM_REFUSED: another owner uses
 * it, or it cannot be written. SM_INVALID: other users own it or can write to it. SM_CORRUPT: liblmdb is not version
 * 0.9. SM_EXHAUSTED. */
enum sm_status sm_owner_open(const char *directory, uint64_t size_bytes, uint32_t quota_percent,
                             struct sm_owner **ret) SM_MUST_CHECK;
/* The release of liblmdb in use, as it names itself. */
const char *sm_owner_library(void);

/* Commits; the file stays. */
void sm_owner_close(struct sm_owner *owner);

/* The record of a name, committed or not, valid until the next call. SM_MISS: there is none. */
enum sm_status sm_owner_get(struct sm_owner *owner, const struct sm_name *name, const void **ret,
                            size_t *ret_size) SM_MUST_CHECK;
/* Keeps an answer on the quota of `uid`, or of the uid on whose quota the name already is. Returns the record, valid
 * until the next call, even if it cannot be kept. SM_FULL: the answer exceeds all bounds; there is no record. */
enum sm_status sm_owner_put(struct sm_owner *owner, const struct sm_name *name, const struct sm_answer *answer,
                            const struct sm_times *times, uid_t uid, int64_t now_ns, const void **ret,
                            size_t *ret_size) SM_MUST_CHECK;
/* Keeps an answer of an earlier boot, at nobody's expense. SM_MISS: there is no room for it, or no file. */
enum sm_status sm_owner_take_back(struct sm_owner *owner, const struct sm_name *name, const struct sm_answer *answer,
                                  const struct sm_times *times, int64_t now_ns) SM_MUST_CHECK;
/* The uid uses what is kept of the name, on whose quota it may be: it goes over to this one before it would be evicted. */
void sm_owner_use(struct sm_owner *owner, const struct sm_name *name, uid_t uid);
/* There is no record of the name any more. */
void sm_owner_remove(struct sm_owner *owner, const struct sm_name *name);
/* What the map says of itself, at nobody's expense: one value of each kind, of bounded size. As with names.
 * SM_EXHAUSTED: it could not be put. */
enum sm_status sm_owner_put_own(struct sm_owner *owner, enum sm_map_kind kind, const void *bytes, size_t size) SM_MUST_CHECK;
enum sm_status sm_owner_get_own(struct sm_owner *owner, enum sm_map_kind kind, const void **ret, size_t *ret_size) SM_MUST_CHECK;

/* SM_OK also when there was nothing to commit. SM_EXHAUSTED: all puts since the last commit are lost. */
enum sm_status sm_owner_commit(struct sm_owner *owner) SM_MUST_CHECK;

/* The next name after `after`, in a fixed order; `after` NULL: the first name. SM_MISS: there is none. SM_EXHAUSTED: that
 * cannot be told. */
enum sm_status sm_owner_next(struct sm_owner *owner, const struct sm_name *after, struct sm_name *ret) SM_MUST_CHECK;

struct sm_owner_usage {
	struct sm_ledger_usage held;
	uint64_t n_commits, n_evicted, n_failures;
	uint64_t n_over_quota; /* of the evicted: their uid had more than its share */
	uint64_t file_bytes;
	uint32_t n_restored; /* entries taken over when the file was opened */
};
struct sm_ledger_states sm_owner_states(const struct sm_owner *owner, int64_t now_ns);
struct sm_owner_usage sm_owner_usage(const struct sm_owner *owner);
