/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/spin.h"

#include "base/thread.h"

#define TRIES 200 /* some microseconds: ten times as long as such a lock is held */

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

/* Never 0. Two threads have the same only if their stacks are 256 GiB apart. */
static uint32_t own_mark(void)
{
	return (uint32_t)(sm_thread_self() >> 6) | 1;
}

bool sm_spin_try_once(_Atomic uint32_t *lock)
{
	uint32_t nobody = 0;

	return atomic_load_explicit(lock, memory_order_relaxed) == 0 && atomic_compare_exchange_strong(lock, &nobody, own_mark());
}

__attribute__((noinline, cold))
static bool try_again(_Atomic uint32_t *lock)
{
	for (int i = 1; i < TRIES; i++) {
		pause_briefly();
		if (sm_spin_try_once(lock))
			return true;
	}
	return false;
}

bool sm_spin_try(_Atomic uint32_t *lock)
{
	return sm_spin_try_once(lock) || try_again(lock);
}

void sm_spin_leave(_Atomic uint32_t *lock)
{
	atomic_store_explicit(lock, 0, memory_order_release);
}

bool sm_spin_free(_Atomic uint32_t *lock)
{
	if (atomic_load_explicit(lock, memory_order_relaxed) != own_mark())
		return false;
	sm_spin_leave(lock);
	return true;
}
