/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who uses how much of what there is a limit of: connections and jobs, in all and by uid. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum sm_limited { SM_LIMITED_CLIENTS, SM_LIMITED_JOBS, SM_LIMITED_KINDS };

struct sm_limits {
	uint32_t max[SM_LIMITED_KINDS];
	uint32_t quota_percent; /* of each, for one uid */
	uint32_t used[SM_LIMITED_KINDS];
	void *by_uid;
};

/* false: the uid's share, or all, is used up. What is taken must be given back. */
bool sm_limits_take(struct sm_limits *limits, enum sm_limited what, uid_t uid);
void sm_limits_give(struct sm_limits *limits, enum sm_limited what, uid_t uid);
