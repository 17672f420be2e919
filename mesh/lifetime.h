/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long an answer may be kept, and how it may be used meanwhile: TTL clamps, negative answers (RFC 2308), failures
 * (RFC 9520), serving stale answers (RFC 8767), early renewal. Pure; times are those of base/clock.h. */
#pragma once

#include "mesh/answer.h"
#include "mesh/rule.h"

struct sm_times {
	int64_t made_ns;
	int64_t expires_ns; /* fresh until then */
	int64_t recheck_ns; /* after a failed renewal, past its TTL, or a failed question for a family that it has left out: no
	                     * new try is needed until then (RFC 8767, 5; RFC 9520) */
	int64_t stale_ns;   /* not to be used from then on */
	uint8_t n_unrenewed; /* renewals that a process has cut short, up to SM_UNRENEWED_MAX */
};

#define SM_UNRENEWED_MAX 3
/* No moment of a record is further from when it was made. 104 days: more than thirty of life and thirty of stale. */
#define SM_LIFE_MAX_NS (1LL << 53)
/* Nor was a record made further from the boot: after it, or before it on another host. */
#define SM_MADE_MAX_NS (INT64_MAX / 2)
#define SM_IN_USE_NS (60 * 1000000000LL) /* past its lifetime a name may still be in use */

/* Below 2 * SM_LIFE_MAX_NS where the moment is near enough. */
static inline uint64_t sm_lifetime_distance(int64_t made_ns, int64_t moment_ns)
{
	return (uint64_t)moment_ns - (uint64_t)made_ns + SM_LIFE_MAX_NS;
}

/* Nobody's record has been made then. */
static inline bool sm_lifetime_is_made_up(int64_t made_ns)
{
	return (uint64_t)made_ns + SM_MADE_MAX_NS > 2ULL * SM_MADE_MAX_NS;
}

/* May whoever reckons with these times of a record meet an overflow? The bound is a power of two: one comparison for all. */
static inline bool sm_lifetime_is_beyond_reckoning(const struct sm_times *times)
{
	uint64_t distances = sm_lifetime_distance(times->made_ns, times->expires_ns) |
	                     sm_lifetime_distance(times->made_ns, times->recheck_ns) |
	                     sm_lifetime_distance(times->made_ns, times->stale_ns);

	return sm_lifetime_is_made_up(times->made_ns) || distances >= 2ULL * SM_LIFE_MAX_NS;
}

/* The nearest times that are not. */
void sm_lifetime_bring_in(struct sm_times *times);

/* Milliseconds; 0: not at all. */
uint32_t sm_lifetime_ms(const struct sm_answer *answer, const struct sm_rule *rule);
/* For an answer that has just arrived. Only addresses may be served stale, never negative answers or failures. */
struct sm_times sm_lifetime_times(const struct sm_answer *answer, const struct sm_rule *rule, int64_t now_ns);
/* The answer is past its time from now on, but may serve as long as before. */
void sm_lifetime_end(struct sm_times *times, int64_t now_ns);
/* The times of the same answer after its renewal has failed. */
struct sm_times sm_lifetime_unrenewed(const struct sm_times *times, const struct sm_rule *rule, int64_t now_ns);
/* How long a program waits for a renewal before it gets the old answer, where the renewal ends with the waiting:
 * `stale_after`, twice as long after each renewal that was cut short, and at last `deadline`. So the renewal succeeds,
 * however long the servers need, and its price is bounded. */
uint32_t sm_lifetime_patience_ms(const struct sm_times *times, const struct sm_rule *rule);
/* A failure, or an answer of which a part failed, whose servers do answer, but badly: twice as long as the one before it,
 * `before`, but not above five seconds. */
struct sm_times sm_lifetime_failed_again(const struct sm_times *times, const struct sm_times *before);

enum sm_freshness {
	SM_FRESH,
	SM_DUE,   /* fresh, in the last tenth of its life, at a moment of its own: time to renew */
	SM_STALE, /* past its TTL, served at once, because a renewal has just failed */
	SM_OLD,   /* past its TTL: renew first, and serve it if the renewal fails or takes too long */
	SM_DEAD,  /* expired, or made in the future, which means in another boot */
};

/* When a hit in the last tenth of the life renews the name: a moment of its own. */
int64_t sm_lifetime_due_ns(const struct sm_times *times);
enum sm_freshness sm_lifetime_freshness(const struct sm_times *times, int64_t now_ns);

/* What is known of the servers of a rule (resolve/servers.h). */
struct sm_outlook {
	bool are_down;     /* all of them, for more than one name */
	bool is_lasting;   /* for some seconds, and until just now */
	int64_t back_ns;  /* when one was last heard again; 0: never */
	int64_t turn_ns;  /* after a jump of the clock: of the name's renewal, sm_lifetime_turn_ns; 0: there was none */
};

#define SM_JUMP_NS (10 * 1000000000LL) /* a clock that moves so far at once has jumped: a suspend, a paused machine */

/* After a jump everything expires together. So that not everything is asked for together, each name's renewal has its turn
 * within five seconds. `jumped_ns`: when it was noticed; 0: never. 0: there is nothing to wait for. */
int64_t sm_lifetime_turn_ns(uint32_t name_hash, int64_t jumped_ns, int64_t now_ns);

enum sm_use {
	SM_USE,          /* give it */
	SM_USE_AND_ASK,  /* give it, and ask behind it */
	SM_ASK,          /* ask; where it is old, it is given when the answer takes too long */
	SM_ASK_OR_FAIL,  /* one name in a second asks; all others fail at once */
};

/* What to do with what is kept of a name, the one table for processes and srvmeshd.
 *
 *   kept                                      servers             do
 *   fresh                                     any                 SM_USE
 *   fresh, in its last tenth                  any                 SM_USE_AND_ASK
 *   past its TTL, just not renewed            any                 SM_USE
 *   past its TTL                              down                SM_USE_AND_ASK
 *   past its TTL, just after a jump           any                 SM_USE, and in its turn SM_USE_AND_ASK
 *   past its TTL                              else                SM_ASK
 *   a failure, fresh                          back since then     SM_ASK
 *   a failure, fresh                          else                SM_USE
 *   nothing, or what is dead                  down for seconds    SM_ASK_OR_FAIL
 *   nothing, or what is dead                  else                SM_ASK */
enum sm_use sm_lifetime_use(const struct sm_times *times, enum sm_answer_kind kind, const struct sm_outlook *outlook,
                            int64_t now_ns);
