/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host map's one writer. Owns the file (liblmdb), the lock that keeps a second owner out, and the ledger of what is in
 * it. Puts go into one open transaction; sm_owner_commit makes them visible. Not for two threads at once.
 *
 * A file of this boot, format and configuration is taken over with what is in it; any other is removed and made anew.
 * Failures of the file system (no space, say) lose what was not committed, never the owner: what is old then makes space
 * for what is to come. */
#pragma once

#include "base/status.h"
#include "cache/ledger.h"
#include "mesh/lifetime.h"
#include "mesh/record.h"

struct sm_owner;

#define SM_OWNER_LOCK_FILE "owner.lock"

#define SM_OWNER_ANY 0 /* a fingerprint: whichever the file has, because the one that is meant is not known */

/* `directory`: cache/trust.h; it is made if only the last component is missing. SM_REFUSED: another owner has it, or it
 * cannot be written. SM_INVALID: it is not this user's alone. SM_CORRUPT: liblmdb is none of 0.9. SM_MEMORY. */
enum sm_status sm_owner_open(const char *directory, uint64_t size_bytes, uint32_t quota_percent, uint64_t fingerprint,
                             struct sm_owner **ret) SM_MUST_CHECK;
/* Another configuration is in force: begins a new file unless the fingerprint is the same. SM_MEMORY: there will be none
 * before there is space. */
enum sm_status sm_owner_follow(struct sm_owner *owner, uint64_t fingerprint) SM_MUST_CHECK;
/* Commits, and leaves the file behind. */
void sm_owner_close(struct sm_owner *owner);

/* The record of a name, committed or not, good until the next call. SM_MISS: there is none. */
enum sm_status sm_owner_get(struct sm_owner *owner, const struct sm_name *name, const void **ret,
                            size_t *ret_size) SM_MUST_CHECK;
/* Keeps an answer at the expense of `uid`, or of who has paid for the name so far. The record, good until the next call, is
 * returned whether or not it can be kept. SM_FULL: an answer above all bounds; there is no record. */
enum sm_status sm_owner_put(struct sm_owner *owner, const struct sm_name *name, const struct sm_answer *answer,
                            const struct sm_times *times, uid_t uid, int64_t now_ns, const void **ret,
                            size_t *ret_size) SM_MUST_CHECK;
/* SM_OK also when there was nothing to commit. SM_MEMORY: what was put since the last commit is lost. */
enum sm_status sm_owner_commit(struct sm_owner *owner) SM_MUST_CHECK;

/* The first name behind `after`, in some order that does not change; NULL: the very first. SM_MISS: there is none. */
enum sm_status sm_owner_next(struct sm_owner *owner, const struct sm_name *after, struct sm_name *ret) SM_MUST_CHECK;

struct sm_owner_usage {
	struct sm_ledger_usage held;
	uint64_t n_commits, n_evicted, n_failures;
	uint64_t file_bytes;
	uint32_t n_restored; /* taken over when it was opened */
};
struct sm_owner_usage sm_owner_usage(const struct sm_owner *owner);
