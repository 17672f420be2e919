/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counts the use of limited resources: connections, jobs, and what they keep, in total and for each account
 * (daemon/accounts.h). An account has at most half of what the others leave: so there is always something left for one more. A
 * sixteenth is uid 0's alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum sm_limited {
	SM_LIMITED_CLIENTS,
	SM_LIMITED_JOBS,
	SM_LIMITED_FOLLOWERS, /* clients that follow events */
	SM_LIMITED_TEXTS,     /* large texts for administrators that are kept until the client has taken them */
	SM_LIMITED_KINDS
};

struct sm_limits {
	uint32_t max[SM_LIMITED_KINDS];
	uint32_t quota_percent; /* of what the others leave, where that is more than half */
	uint32_t used[SM_LIMITED_KINDS];
	void *by_account;
};

/* false: the account's share, or the total, is used up. The caller must give back what it has taken. */
bool sm_limits_take(struct sm_limits *limits, enum sm_limited what, uid_t account);
void sm_limits_give(struct sm_limits *limits, enum sm_limited what, uid_t account);
uint32_t sm_limits_used(struct sm_limits *limits, enum sm_limited what, uid_t account);
