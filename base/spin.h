/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A lock for which no thread waits longer than a bounded moment: who does not get it goes without. So a thread that was
 * stopped, cancelled or killed while it held the lock blocks nobody. It is a word of zero while it is free, and so is free
 * in fork-zeroed memory; else a mark of the thread that holds it. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* false: another thread holds it. */
bool sm_spin_try_once(_Atomic uint32_t *lock);
/* Tries for some microseconds. */
bool sm_spin_try(_Atomic uint32_t *lock);
void sm_spin_leave(_Atomic uint32_t *lock);
/* This thread has left, without a word, whatever it was doing: frees the lock if it has kept it. */
bool sm_spin_free(_Atomic uint32_t *lock);
