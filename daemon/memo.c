/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/memo.h"

#define NS_PER_S 1000000000LL

void sm_memo_set(struct sm_memo *memo, const struct sm_name *name, int64_t until_ns)
{
	uint32_t hash = sm_name_hash(name->text), slot = hash % SM_MEMO_SLOTS;

	if (until_ns == 0 && memo->slots[slot].hash != hash)
		return;
	memo->slots[slot].hash = hash;
	memo->slots[slot].until_s = (uint32_t)(until_ns / NS_PER_S);
}

bool sm_memo_holds(const struct sm_memo *memo, const struct sm_name *name, int64_t now_ns)
{
	uint32_t hash = sm_name_hash(name->text), slot = hash % SM_MEMO_SLOTS;

	return memo->slots[slot].hash == hash && now_ns / NS_PER_S < memo->slots[slot].until_s;
}
