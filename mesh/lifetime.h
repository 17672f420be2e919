/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long an answer may be kept, and what it is good for meanwhile: TTL clamps, negative answers (RFC 2308), failures
 * (RFC 9520), stale service (RFC 8767), renewal ahead. Pure; times are those of base/clock.h. */
#pragma once

#include "mesh/answer.h"
#include "mesh/rule.h"

struct sm_times {
	int64_t made_ns;
	int64_t expires_ns; /* fresh until then */
	int64_t recheck_ns; /* past its TTL: renewal has failed, and until then need not be tried first (RFC 8767, 5) */
	int64_t stale_ns;   /* of no use from then on */
};

/* Milliseconds; 0: not at all. */
uint32_t sm_lifetime_ms(const struct sm_answer *answer, const struct sm_rule *rule);
/* Of an answer that has just come. Addresses alone are ever stale. */
struct sm_times sm_lifetime_times(const struct sm_answer *answer, const struct sm_rule *rule, int64_t now_ns);
/* The same answer, after it could not be renewed. */
struct sm_times sm_lifetime_unrenewed(const struct sm_times *times, const struct sm_rule *rule, int64_t now_ns);

enum sm_freshness {
	SM_FRESH,
	SM_DUE,   /* fresh, in the last tenth of its life: time to renew */
	SM_STALE, /* past its TTL, to be served at once: renewing has just failed */
	SM_OLD,   /* past its TTL: renew first, serve it if that takes too long or fails */
	SM_DEAD,  /* also what is from the future, and so from another boot */
};

enum sm_freshness sm_lifetime_freshness(const struct sm_times *times, int64_t now_ns);
