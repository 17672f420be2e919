/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A lock for which no thread waits longer than a bounded moment: who does not get it goes without. So a thread that was
 * stopped, cancelled or killed while it held the lock blocks nobody. It is a word of zero while it is free, and so is free
 * in fork-zeroed memory. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Tries for some microseconds; false: another thread holds it. */
bool sm_spin_try(_Atomic uint32_t *lock);
void sm_spin_leave(_Atomic uint32_t *lock);
