/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/counters.h"

#include "base/clock.h"
#include "mesh/record.h"

#define WINDOW_NS (60 * SM_NS_PER_S)

void sm_counters_note_stale(struct sm_counters *counters, const void *record, size_t size, int64_t now_ns)
{
	struct sm_record_head head;

	counters->stale++;
	if (sm_record_head(record, size, &head) != SM_OK)
		return;
	if (now_ns - counters->stale_use[0].began_ns >= WINDOW_NS) {
		counters->stale_use[1] = counters->stale_use[0];
		counters->stale_use[0].began_ns = now_ns;
		counters->stale_use[0].oldest_ns = 0;
	}
	if (now_ns - head.times.expires_ns > counters->stale_use[0].oldest_ns)
		counters->stale_use[0].oldest_ns = now_ns - head.times.expires_ns;
}

int64_t sm_counters_stale_ns(const struct sm_counters *counters, int64_t now_ns)
{
	int64_t oldest_ns = 0;

	for (int i = 0; i < 2; i++)
		if (now_ns - counters->stale_use[i].began_ns < 2 * WINDOW_NS && counters->stale_use[i].oldest_ns > oldest_ns)
			oldest_ns = counters->stale_use[i].oldest_ns;
	return oldest_ns;
}
