/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which threads are inside a lookup. A signal handler of the program may leave one by siglongjmp(3): what it leaves behind is
 * found when the same thread enters again, no deeper in its stack, and is put in order then. A thread's place is in a table of
 * the process, in fork-zeroed memory, and not in thread-local storage, which a module that is loaded late may not get. */
#pragma once

#include "base/thread.h"

#include <stdatomic.h>
#include <stdbool.h>

#define SM_INSIDE_PLACES 32
#define SM_INSIDE_FDS 5

struct sm_stay;
struct sm_inside_place {
	_Alignas(64) _Atomic uintptr_t thread; /* 0: free */
	const struct sm_stay *stay;            /* on its stack */
	bool is_guarded;                       /* it cannot be cancelled, and: */
	int8_t cancel_state;                   /* before it was guarded */
	uint16_t n_fds; /* sockets that it has opened; the last ones are: */
	struct {
		int fd;
		uint32_t inode;
	} fds[SM_INSIDE_FDS];
};

_Static_assert(sizeof(struct sm_inside_place) == 64, "a cache line");

struct sm_inside {
	struct sm_inside_place places[SM_INSIDE_PLACES];
	_Atomic uint32_t n_others; /* threads without a place: another one has it, or they are in a handler inside a lookup */
};

/* One thread's stay, from its entering to its leaving. */
struct sm_stay {
	struct sm_inside_place *place; /* NULL: among the others */
	uintptr_t thread;
	bool is_guarded;  /* and then: */
	int cancel_state; /* to be restored at its end */
};

/* For sm_inside_note_socket: where this process keeps its places. */
void sm_inside_use(struct sm_inside *inside);

static inline struct sm_inside_place *sm_inside_place(struct sm_inside *inside, uintptr_t thread)
{
	return &inside->places[(thread >> 6) * 0x9e3779b97f4a7c15ULL >> 59];
}

/* The place is not free. true: see sm_inside_enter. */
bool sm_inside_enter_seldom(struct sm_inside *inside, struct sm_stay *stay);

/* Enters. true: this thread has left an earlier lookup without a word. Its descriptors are closed and its cancel state is as it
 * was; locks are the caller's to free, by sm_spin_free. Inlined, as what follows: every lookup comes through here. */
static inline bool sm_inside_enter(struct sm_inside *inside, struct sm_stay *stay)
{
	bool has_repaired = false;
	uintptr_t nobody = 0;

	stay->is_guarded = false;
	stay->thread = sm_thread_self();
	stay->place = sm_inside_place(inside, stay->thread);
	if (!atomic_compare_exchange_strong(&stay->place->thread, &nobody, stay->thread)) {
		has_repaired = sm_inside_enter_seldom(inside, stay);
		if (!stay->place)
			return false;
	}
	stay->place->stay = stay;
	stay->place->is_guarded = false;
	stay->place->n_fds = 0;
	return has_repaired;
}

void sm_inside_leave_seldom(struct sm_inside *inside);

/* In the child of a handler that has forked inside a lookup the table is empty already. */
static inline void sm_inside_leave(struct sm_inside *inside, const struct sm_stay *stay)
{
	if (!stay->place)
		sm_inside_leave_seldom(inside);
	else if (atomic_load_explicit(&stay->place->thread, memory_order_relaxed) == stay->thread)
		atomic_store_explicit(&stay->place->thread, 0, memory_order_release);
}

/* Until the stay's end the thread cannot be cancelled: before any cancellation point (pthreads(7)). */
void sm_inside_guard(struct sm_stay *stay);
/* After sm_inside_leave. */
static inline void sm_inside_unguard(const struct sm_stay *stay)
{
	if (stay->is_guarded)
		pthread_setcancelstate(stay->cancel_state, NULL);
}

/* Is there no other thread inside? */
bool sm_inside_is_alone(const struct sm_inside *inside, const struct sm_stay *stay);

/* The thread has opened a socket, and may wait for it. */
void sm_inside_note_socket(int fd);
