/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which entries the host map holds, which uid pays for each, and which entry is removed first. Knows sizes and
 * times, not contents. Memory is bounded by `max_entries`, some 140 bytes each. Not for two threads at once.
 *
 * A uid may have as much as is free. Where nothing is, who has more than his quota gives up his own; else the uid that has most
 * gives something up. So what one has is safe while others have more, however many they are. */
#pragma once

#include "base/status.h"
#include "mesh/name.h"

#include <stdint.h>
#include <sys/types.h>

struct sm_ledger;

#define SM_LEDGER_NOBODY ((uid_t)-1) /* the uid is not known, as after a restart; has no quota, but may have most */

struct sm_ledger_entry {
	uid_t uid;        /* the user whose quota it counts against */
	uid_t other;      /* another one who has used it, and to whom it goes before it is removed; SM_LEDGER_NOBODY: none */
	uint32_t cost;    /* bytes that it occupies in the map */
	bool is_negative; /* no addresses: no-name, no-data, failure */
	int64_t expires_ns;
};

struct sm_ledger_usage {
	uint32_t n_entries;
	uint64_t cost;
};

/* A uid that has more than `quota_percent` of one of both bounds makes room for what is new of him himself. */
enum sm_status sm_ledger_open(uint64_t max_cost, uint32_t max_entries, uint32_t quota_percent,
                              struct sm_ledger **ret) SM_MUST_CHECK;
void sm_ledger_close(struct sm_ledger *ledger);

bool sm_ledger_has(const struct sm_ledger *ledger, const struct sm_name *name);
/* SM_MISS: not held. */
enum sm_status sm_ledger_get(const struct sm_ledger *ledger, const struct sm_name *name,
                             struct sm_ledger_entry *ret) SM_MUST_CHECK;
void sm_ledger_remove(struct sm_ledger *ledger, const struct sm_name *name);

/* The entry to remove before a new one of this cost and uid fits: one of the same uid if the uid would exceed its
 * quota (*ret_is_quota) or have most, else one of the uid that has most. Of its entries expired ones go first, then negative
 * answers, then the oldest; what another uid has used goes over to that one instead. SM_MISS: the new entry fits. SM_FULL: it
 * is larger than the ledger. */
enum sm_status sm_ledger_victim(struct sm_ledger *ledger, uid_t uid, uint32_t cost, int64_t now_ns,
                                struct sm_name *ret, bool *ret_is_quota) SM_MUST_CHECK;
/* The entry to remove when the map itself is full: one of the uid that uses most of it. SM_MISS: the ledger is
 * empty. */
enum sm_status sm_ledger_least(struct sm_ledger *ledger, int64_t now_ns, struct sm_name *ret) SM_MUST_CHECK;

/* The uid has used what is kept of this name. */
void sm_ledger_use(struct sm_ledger *ledger, const struct sm_name *name, uid_t uid);

/* Adds an entry, as the newest one. The ledger must not hold its name yet. SM_EXHAUSTED. */
enum sm_status sm_ledger_put(struct sm_ledger *ledger, const struct sm_name *name,
                             const struct sm_ledger_entry *entry) SM_MUST_CHECK;

/* How many there are of each kind; it takes a look at every entry. */
struct sm_ledger_states {
	uint32_t n_fresh, n_expired, n_negative; /* negative ones are counted as such, expired or not */
};
struct sm_ledger_states sm_ledger_states(const struct sm_ledger *ledger, int64_t now_ns);

/* Replaces the `max_cost` of sm_ledger_open. */
void sm_ledger_set_max(struct sm_ledger *ledger, uint64_t max_cost);

struct sm_ledger_usage sm_ledger_usage(const struct sm_ledger *ledger);
