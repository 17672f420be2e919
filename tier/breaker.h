/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When the tier is asked: not while it is silent, broken or slow. Pure.
 *
 *   answers in time ──► CLOSED ──3 failures in a row──► the connection is given up; its back-off says when it is tried again
 *                        │  ▲
 *       the median of 15 │  │ an answer in time
 *         is too slow    ▼  │
 *                        SLOW, for 1 s, 2 s, ... 60 s; then one probe, for which nobody waits */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SM_BREAKER_FAILURES 3
#define SM_BREAKER_SAMPLES 15
#define SM_BREAKER_FIRST_NS 1000000000LL
#define SM_BREAKER_MAX_NS (60 * 1000000000LL)

struct sm_breaker {
	uint32_t n_failures;      /* in a row */
	uint32_t n_samples, next; /* of the last answers, in a ring */
	int64_t samples_ns[SM_BREAKER_SAMPLES];
	bool is_slow, is_probing;
	uint32_t n_slow; /* times in a row */
	int64_t probes_ns; /* while it is slow: when one job asks it again */
	uint64_t seed;
};

enum sm_breaker_way {
	SM_BREAKER_WAIT,  /* ask the tier, and DNS after the head start */
	SM_BREAKER_PROBE, /* ask both at once */
	SM_BREAKER_PASS,  /* ask DNS alone */
};

enum sm_breaker_way sm_breaker_way(struct sm_breaker *breaker, int64_t now_ns);
/* An answer came, after `took_ns`. true: the tier has become slow, or is in time again. */
bool sm_breaker_heard(struct sm_breaker *breaker, int64_t took_ns, int64_t head_start_ns, int64_t now_ns);
/* None came in time, or an error. true: the connection is to be given up. */
bool sm_breaker_failed(struct sm_breaker *breaker);
/* Another connection. */
void sm_breaker_begin(struct sm_breaker *breaker, uint64_t seed);
