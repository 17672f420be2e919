/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/limits.h"

#include <search.h>
#include <stdlib.h>

struct user {
	uid_t account;
	uint32_t used[SM_LIMITED_KINDS];
};

static int compare(const void *a, const void *b)
{
	uid_t x = ((const struct user *)a)->account, y = ((const struct user *)b)->account;

	return x < y ? -1 : x > y;
}

static struct user *find_user(struct sm_limits *limits, uid_t account)
{
	const struct user key = {.account = account};
	struct user **found = tfind(&key, &limits->by_account, compare);

	return found ? *found : NULL;
}

static struct user *find_or_make(struct sm_limits *limits, uid_t account)
{
	struct user *user = find_user(limits, account);

	if (user)
		return user;
	user = malloc(sizeof(*user));
	if (!user)
		return NULL;
	*user = (struct user){.account = account};
	if (tsearch(user, &limits->by_account, compare))
		return user;
	free(user);
	return NULL;
}

static void drop_if_idle(struct sm_limits *limits, struct user *user)
{
	for (int i = 0; i < SM_LIMITED_KINDS; i++)
		if (user->used[i] > 0)
			return;
	tdelete(user, &limits->by_account, compare);
	free(user);
}

#define RESERVE_SHARE 16 /* of each limit, for uid 0 */
#define SHARE_PERCENT 50

/* Of what others leave, half; or as much more as the quota says. At least one. */
static uint32_t share_of(const struct sm_limits *limits, enum sm_limited what, uint32_t own)
{
	uint32_t percent = limits->quota_percent > SHARE_PERCENT ? limits->quota_percent : SHARE_PERCENT;
	uint32_t others = limits->used[what] - own;
	uint64_t share = others < limits->max[what] ? (uint64_t)(limits->max[what] - others) * percent / 100 : 0;

	return share > 0 ? (uint32_t)share : 1;
}

bool sm_limits_take(struct sm_limits *limits, enum sm_limited what, uid_t account)
{
	uint32_t max = account == 0 ? limits->max[what] : limits->max[what] - limits->max[what] / RESERVE_SHARE;
	struct user *user;

	if (limits->used[what] >= max)
		return false;
	user = find_or_make(limits, account);
	if (!user)
		return false;
	if (user->used[what] >= share_of(limits, what, user->used[what])) {
		drop_if_idle(limits, user);
		return false;
	}
	user->used[what]++;
	limits->used[what]++;
	return true;
}

void sm_limits_give(struct sm_limits *limits, enum sm_limited what, uid_t account)
{
	struct user *user = find_user(limits, account);

	limits->used[what]--;
	user->used[what]--;
	drop_if_idle(limits, user);
}

uint32_t sm_limits_used(struct sm_limits *limits, enum sm_limited what, uid_t account)
{
	const struct user *user = find_user(limits, account);

	return user ? user->used[what] : 0;
}
