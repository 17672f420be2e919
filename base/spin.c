/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/spin.h"

#define TRIES 200 /* some microseconds: ten times as long as such a lock is held */

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

bool sm_spin_try(_Atomic uint32_t *lock)
{
	for (int i = 0; i < TRIES; i++) {
		if (atomic_load_explicit(lock, memory_order_relaxed) == 0 &&
		    atomic_exchange_explicit(lock, 1, memory_order_acquire) == 0)
			return true;
		pause_briefly();
	}
	return false;
}

void sm_spin_leave(_Atomic uint32_t *lock)
{
	atomic_store_explicit(lock, 0, memory_order_release);
}
