/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Chance: unpredictable bytes for query ids, and a cheap sequence for drawing targets. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Fills from getrandom(2), never waiting: before the kernel's pool is ready (PID 1's first children), or where a
 * sandbox refuses the call, from what the kernel gave the process at exec and the clock. */
void sm_random_fill(void *bytes, size_t size);

/* The next number of a sequence whose state is one word that any thread may share; 0 = not yet seeded, and it seeds
 * itself. Keep the word in fork-zeroed memory, and a child never repeats its parent's draws. */
uint64_t sm_random_draw(_Atomic uint64_t *state);

/* The SplitMix64 step (Steele, Lea, Flood 2014): advances *state, returns a well-mixed number. Not for secrets. */
uint64_t sm_random_step(uint64_t *state);
