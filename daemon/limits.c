/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/limits.h"

#include <search.h>
#include <stdlib.h>

struct user {
	uid_t uid;
	uint32_t used[SM_LIMITED_KINDS];
};

static int compare(const void *a, const void *b)
{
	uid_t x = ((const struct user *)a)->uid, y = ((const struct user *)b)->uid;

	return x < y ? -1 : x > y;
}

static struct user *find_user(struct sm_limits *limits, uid_t uid)
{
	const struct user key = {.uid = uid};
	struct user **found = tfind(&key, &limits->by_uid, compare);

	return found ? *found : NULL;
}

static struct user *find_or_make(struct sm_limits *limits, uid_t uid)
{
	struct user *user = find_user(limits, uid);

	if (user)
		return user;
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	if (tsearch(user, &limits->by_uid, compare))
		return user;
	free(user);
	return NULL;
}

static void drop_if_idle(struct sm_limits *limits, struct user *user)
{
	for (int i = 0; i < SM_LIMITED_KINDS; i++)
		if (user->used[i] > 0)
			return;
	tdelete(user, &limits->by_uid, compare);
	free(user);
}

/* Every uid has a share of at least one. */
static uint32_t share_of(const struct sm_limits *limits, enum sm_limited what)
{
	uint64_t share = (uint64_t)limits->max[what] * limits->quota_percent / 100;

	return share > 0 ? (uint32_t)share : 1;
}

bool sm_limits_take(struct sm_limits *limits, enum sm_limited what, uid_t uid)
{
	struct user *user;

	if (limits->used[what] >= limits->max[what])
		return false;
	user = find_or_make(limits, uid);
	if (!user)
		return false;
	if (user->used[what] >= share_of(limits, what)) {
		drop_if_idle(limits, user);
		return false;
	}
	user->used[what]++;
	limits->used[what]++;
	return true;
}

void sm_limits_give(struct sm_limits *limits, enum sm_limited what, uid_t uid)
{
	struct user *user = find_user(limits, uid);

	limits->used[what]--;
	user->used[what]--;
	drop_if_idle(limits, user);
}
