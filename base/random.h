/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random numbers: unpredictable bytes for query ids, and a cheap sequence for drawing targets. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fills from getrandom(2) and never waits. Before the kernel's pool is ready (PID 1's first children), or where a
 * sandbox refuses the call, it uses the clock and the random bytes that the kernel gave the process at exec. */
void sm_random_fill(void *bytes, size_t size);

/* The same from bytes that were got together, 256 at a time, for a process of ours that never forks: each is given once, and
 * wiped. For one thread. All zero in the beginning. `reserve` NULL: sm_random_fill. */
struct sm_random_reserve {
	uint8_t bytes[256];
	size_t n_left; /* at the beginning of `bytes` */
};

void sm_random_take(struct sm_random_reserve *reserve, void *bytes, size_t size);

/* Fills from getrandom(2) alone. false: the kernel has no unpredictable bytes yet, or refuses. */
bool sm_random_secret(void *bytes, size_t size);

/* The next number of a sequence. Its state is one word that threads may share; 0 means not yet seeded, and this call
 * then seeds it. If the word lies in fork-zeroed memory, a child never repeats its parent's draws. */
uint64_t sm_random_draw(_Atomic uint64_t *state);

/* The SplitMix64 step (Steele, Lea, Flood 2014): advances *state, returns a well-mixed number. Not for secrets. */
uint64_t sm_random_step(uint64_t *state);

/* `value`, which is not negative, a quarter more or less, as a random number says: many hosts that wait so long do not come
 * together. */
static inline int64_t sm_random_around(int64_t value, uint64_t number)
{
	return value / 4 * 3 + (int64_t)(number % (uint64_t)(value / 2 + 1));
}

/* How long to wait after `n` earlier failures: `first`, twice as long after each, and at last `longest`; a quarter more or
 * less. */
static inline int64_t sm_random_pause(int64_t first, int64_t longest, uint32_t n, uint64_t number)
{
	int64_t pause = n < 16 && first << n < longest ? first << n : longest;

	return sm_random_around(pause, number);
}
