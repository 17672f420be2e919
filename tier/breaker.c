/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tier/breaker.h"

#include "base/random.h"

#include <string.h>

void sm_breaker_begin(struct sm_breaker *breaker, uint64_t seed)
{
	*breaker = (struct sm_breaker){.seed = seed};
}

enum sm_breaker_way sm_breaker_way(struct sm_breaker *breaker, int64_t now_ns)
{
	if (!breaker->is_slow)
		return SM_BREAKER_WAIT;
	if (breaker->is_probing || now_ns < breaker->probes_ns)
		return SM_BREAKER_PASS;
	breaker->is_probing = true;
	return SM_BREAKER_PROBE;
}

/* Is the median slower? */
static bool are_slow(const struct sm_breaker *breaker, int64_t head_start_ns)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < SM_BREAKER_SAMPLES; i++)
		n += breaker->samples_ns[i] > head_start_ns;
	return n > SM_BREAKER_SAMPLES / 2;
}

static void open_for_a_time(struct sm_breaker *breaker, int64_t now_ns)
{
	breaker->probes_ns = now_ns + sm_random_pause(SM_BREAKER_FIRST_NS, SM_BREAKER_MAX_NS, breaker->n_slow++,
	                                              sm_random_step(&breaker->seed));
}

bool sm_breaker_heard(struct sm_breaker *breaker, int64_t took_ns, int64_t head_start_ns, int64_t now_ns)
{
	bool was_probe = breaker->is_probing;

	breaker->n_failures = 0;
	breaker->is_probing = false;
	if (breaker->is_slow) {
		if (!was_probe)
			return false;
		if (took_ns > head_start_ns) {
			open_for_a_time(breaker, now_ns);
			return false;
		}
		breaker->is_slow = false;
		return true;
	}
	breaker->samples_ns[breaker->next] = took_ns;
	breaker->next = (breaker->next + 1) % SM_BREAKER_SAMPLES;
	breaker->n_samples += breaker->n_samples < SM_BREAKER_SAMPLES;
	if (breaker->n_samples < SM_BREAKER_SAMPLES)
		return false;
	if (!are_slow(breaker, head_start_ns)) {
		breaker->n_slow = 0;
		return false;
	}
	breaker->is_slow = true;
	breaker->n_samples = 0;
	open_for_a_time(breaker, now_ns);
	return true;
}

bool sm_breaker_failed(struct sm_breaker *breaker)
{
	breaker->is_probing = false;
	return ++breaker->n_failures >= SM_BREAKER_FAILURES;
}
