/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long an answer may be kept, and how it may be used meanwhile: TTL clamps, negative answers (RFC 2308), failures
 * (RFC 9520), serving stale answers (RFC 8767), early renewal. Pure; times are those of base/clock.h. */
#pragma once

#include "mesh/answer.h"
#include "mesh/rule.h"

struct sm_times {
	int64_t made_ns;
	int64_t expires_ns; /* fresh until then */
	int64_t recheck_ns; /* past its TTL, after a failed renewal: no new try is needed until then (RFC 8767, 5) */
	int64_t stale_ns;   /* not to be used from then on */
};

/* Milliseconds; 0: not at all. */
uint32_t sm_lifetime_ms(const struct sm_answer *answer, const struct sm_rule *rule);
/* For an answer that has just arrived. Only addresses may be served stale, never negative answers or failures. */
struct sm_times sm_lifetime_times(const struct sm_answer *answer, const struct sm_rule *rule, int64_t now_ns);
/* The times of the same answer after its renewal has failed. */
struct sm_times sm_lifetime_unrenewed(const struct sm_times *times, const struct sm_rule *rule, int64_t now_ns);

enum sm_freshness {
	SM_FRESH,
	SM_DUE,   /* fresh, in the last tenth of its life: time to renew */
	SM_STALE, /* past its TTL, served at once, because a renewal has just failed */
	SM_OLD,   /* past its TTL: renew first, and serve it if the renewal fails or takes too long */
	SM_DEAD,  /* expired, or made in the future, which means in another boot */
};

enum sm_freshness sm_lifetime_freshness(const struct sm_times *times, int64_t now_ns);
