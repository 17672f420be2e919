/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/renewals.h"

#define NS_PER_MS 1000000LL
#define LEAST_MS 1000
#define BAD_MAX_MS 5000

static uint32_t slot_of(const struct sm_renewals *renewals, uint32_t hash)
{
	return (uint32_t)((hash ^ renewals->seed) * 0x9e3779b97f4a7c15ULL >> 32) % SM_RENEWALS_SLOTS;
}

bool sm_renewals_begin(struct sm_renewals *renewals, const struct sm_name *name, int64_t life_ns, int64_t now_ns)
{
	uint32_t hash = sm_name_hash(name->text), i = slot_of(renewals, hash);
	bool is_same = renewals->slots[i].hash == hash;
	int64_t wait_ms = is_same ? renewals->slots[i].wait_ms : LEAST_MS, tenth_ms = life_ns / 10 / NS_PER_MS;

	if (renewals->slots[i].began_ns != 0 && now_ns - renewals->slots[i].began_ns < wait_ms * NS_PER_MS)
		return false;
	if (!is_same)
		renewals->slots[i].pause_ms = 0;
	renewals->slots[i].hash = hash;
	renewals->slots[i].began_ns = now_ns;
	renewals->slots[i].wait_ms = tenth_ms > LEAST_MS ? (uint32_t)(tenth_ms < UINT32_MAX ? tenth_ms : UINT32_MAX) : LEAST_MS;
	return true;
}

void sm_renewals_fail(struct sm_renewals *renewals, const struct sm_name *name, bool is_bad, int64_t now_ns)
{
	uint32_t hash = sm_name_hash(name->text), i = slot_of(renewals, hash), pause_ms = LEAST_MS;

	if (renewals->slots[i].hash != hash)
		return;
	if (is_bad && renewals->slots[i].pause_ms > 0)
		pause_ms = 2 * renewals->slots[i].pause_ms < BAD_MAX_MS ? 2 * renewals->slots[i].pause_ms : BAD_MAX_MS;
	renewals->slots[i].pause_ms = is_bad ? pause_ms : 0;
	renewals->slots[i].began_ns = now_ns;
	renewals->slots[i].wait_ms = pause_ms;
}

void sm_renewals_succeed(struct sm_renewals *renewals, const struct sm_name *name)
{
	uint32_t hash = sm_name_hash(name->text), i = slot_of(renewals, hash);

	if (renewals->slots[i].hash == hash)
		renewals->slots[i].pause_ms = 0;
}
