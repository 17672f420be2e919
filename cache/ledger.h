/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host map holds, at whose expense, and who has to go first. Knows sizes and times, not contents. Memory is bounded
 * by `max_entries`, some 200 bytes each. Not for two threads at once. */
#pragma once

#include "base/status.h"
#include "mesh/name.h"

#include <stdint.h>
#include <sys/types.h>

struct sm_ledger;

#define SM_LEDGER_NOBODY ((uid_t)-1) /* who is not known, as after a restart; without a quota */

struct sm_ledger_entry {
	uid_t uid;        /* who pays for it */
	uint32_t cost;    /* bytes that it takes in the map */
	bool is_negative; /* no addresses: no-name, no-data, failure */
	int64_t expires_ns;
};

struct sm_ledger_usage {
	uint32_t n_entries;
	uint64_t cost;
};

/* One uid may have `quota_percent` of both bounds. */
enum sm_status sm_ledger_open(uint64_t max_cost, uint32_t max_entries, uint32_t quota_percent,
                              struct sm_ledger **ret) SM_MUST_CHECK;
void sm_ledger_close(struct sm_ledger *ledger);

/* SM_MISS: not held. */
enum sm_status sm_ledger_get(const struct sm_ledger *ledger, const struct sm_name *name,
                             struct sm_ledger_entry *ret) SM_MUST_CHECK;
void sm_ledger_remove(struct sm_ledger *ledger, const struct sm_name *name);

/* Who must go before an entry of this cost and uid fits: of the uid itself if it is beyond its quota, else of all. First
 * what has expired, then negative answers, then what was put longest ago. SM_MISS: it fits. SM_FULL: it is larger than
 * the uid may ever have. */
enum sm_status sm_ledger_victim(const struct sm_ledger *ledger, uid_t uid, uint32_t cost, int64_t now_ns,
                                struct sm_name *ret) SM_MUST_CHECK;
/* Whom to give up when the map itself is full: of who has the most of it. SM_MISS: it is empty. */
enum sm_status sm_ledger_least(const struct sm_ledger *ledger, int64_t now_ns, struct sm_name *ret) SM_MUST_CHECK;

/* The newest entry. Its name is not held yet. SM_MEMORY. */
enum sm_status sm_ledger_put(struct sm_ledger *ledger, const struct sm_name *name,
                             const struct sm_ledger_entry *entry) SM_MUST_CHECK;

/* Another bound than that of the beginning. */
void sm_ledger_set_max(struct sm_ledger *ledger, uint64_t max_cost);

struct sm_ledger_usage sm_ledger_usage(const struct sm_ledger *ledger);
