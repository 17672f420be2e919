/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How one job uses the tier: when it reads, when DNS is asked, and when a host leaves the question to another one. Pure.
 *
 *   a miss       READ ──► what is fresh is taken; else, or after the head start, DNS is asked
 *   a renewal    READ ──► newer than what this host has: taken
 *                  ▲ └──► not newer: CLAIM ──► the first host of all that claims asks DNS
 *                  └─ PAUSE ◄──────┘ lost: another one is asking; at last it is left to that one
 *
 * Nobody waits for a renewal, so it may take its time: thousands of hosts whose answers end together ask DNS once. A claim holds
 * a second. Pauses of 80, 240 and 720 ms are longer together, so that a host that dies with a claim holds nobody up. Where the
 * claims of others lead to no answer DNS is in trouble, and would not be helped by more questions: what is kept is still fresh,
 * and the next client that needs a new answer asks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SM_COURSE_CLAIM_MS 1000
#define SM_COURSE_PAUSES 3

enum sm_course_state {
	SM_COURSE_READ,  /* read it, and wait */
	SM_COURSE_CLAIM, /* claim the name, and wait */
	SM_COURSE_PAUSE, /* wait, then read again */
	SM_COURSE_ASK,   /* ask DNS; what is still read may come first */
	SM_COURSE_DONE,  /* the tier's answer is taken, and DNS is not asked */
	SM_COURSE_LEFT,  /* nothing is done: another host has asked */
};

struct sm_course {
	enum sm_course_state state;
	bool is_renewal, may_claim;
	uint32_t n_pauses;
	int64_t waits_ns; /* for a read */
	int64_t wakes_ns; /* of READ: DNS is asked then; of PAUSE: it reads again; INT64_MAX: not by time */
};

enum sm_course_found {
	SM_COURSE_NOTHING, /* or nothing that may be used */
	SM_COURSE_OLD,     /* only for want of anything better */
	SM_COURSE_SAME,    /* not newer than what is to be renewed */
	SM_COURSE_FRESH,
};

/* `is_renewal`: nobody waits for this job. `waits_ns`: the head start; of a renewal, how long the tier may take.
 * `may_claim`: this host writes. */
struct sm_course sm_course_begin(bool is_renewal, bool may_claim, int64_t waits_ns, int64_t now_ns);
/* DNS alone. */
struct sm_course sm_course_without(void);

/* What was read. It is to be taken if DONE is the state then, or it is fresh, and DNS has not answered yet. */
void sm_course_heard(struct sm_course *course, enum sm_course_found found);
/* The claim is ours, or another host's, whose answer will come soon. `number`: a random one. */
void sm_course_claimed(struct sm_course *course, bool is_ours, int64_t now_ns, uint64_t number);
/* It is time, perhaps. */
void sm_course_wake(struct sm_course *course, int64_t now_ns);
/* Somebody waits now: DNS is asked after the head start at the latest. */
void sm_course_hurry(struct sm_course *course, int64_t head_start_ns, int64_t now_ns);
/* The tier fails: DNS is asked. */
void sm_course_fail(struct sm_course *course);
