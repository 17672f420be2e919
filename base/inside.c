/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A place is the thread's by its hash. Who entered by the table leaves by it, who entered as one of the others leaves as that. */
#include "base/inside.h"

#include "base/forkzero.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEAR 16384 /* bytes of the stack */

/* Where this process keeps its places; NULL: nobody has entered. */
SM_BESIDE_DATA static _Atomic(struct sm_inside *) of_process;

void sm_inside_use(struct sm_inside *inside)
{
	atomic_store_explicit(&of_process, inside, memory_order_relaxed);
}

static bool is_on_other_stack(void)
{
	stack_t stack;

	return sigaltstack(NULL, &stack) != 0 || (stack.ss_flags & SS_ONSTACK);
}

/* Whoever entered there was called from no function that is still running. A handler on a stack of its own, and a program that
 * switches stacks, are not taken for that: they are far away. */
static bool is_abandoned(const struct sm_inside_place *place, const struct sm_stay *stay)
{
	return (uintptr_t)stay - (uintptr_t)place->stay < NEAR && !is_on_other_stack();
}

/* The program may have closed them, and have opened something else in their place. */
static void close_sockets(const struct sm_inside_place *place)
{
	uint32_t n = place->n_fds < SM_INSIDE_FDS ? place->n_fds : SM_INSIDE_FDS;

	for (uint32_t i = 0; i < n; i++) {
		struct stat file;

		if (fstat(place->fds[i].fd, &file) == 0 && S_ISSOCK(file.st_mode) &&
		    (uint32_t)file.st_ino == place->fds[i].inode)
			close(place->fds[i].fd);
	}
}

bool sm_inside_enter_seldom(struct sm_inside *inside, struct sm_stay *stay)
{
	int saved = errno, state;

	if (atomic_load_explicit(&stay->place->thread, memory_order_relaxed) == stay->thread && is_abandoned(stay->place, stay)) {
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
		close_sockets(stay->place);
		pthread_setcancelstate(stay->place->is_guarded ? stay->place->cancel_state : state, NULL);
		errno = saved;
		return true;
	}
	errno = saved;
	atomic_fetch_add(&inside->n_others, 1);
	stay->place = NULL;
	return false;
}

void sm_inside_guard(struct sm_stay *stay)
{
	if (stay->is_guarded)
		return;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &stay->cancel_state);
	stay->is_guarded = true;
	if (!stay->place)
		return;
	stay->place->cancel_state = (int8_t)stay->cancel_state;
	stay->place->is_guarded = true;
}

void sm_inside_leave_seldom(struct sm_inside *inside)
{
	uint32_t n = 1;

	while (n > 0 && !atomic_compare_exchange_weak(&inside->n_others, &n, n - 1))
		continue;
}

bool sm_inside_is_alone(const struct sm_inside *inside, const struct sm_stay *stay)
{
	for (uint32_t i = 0; i < SM_INSIDE_PLACES; i++)
		if (&inside->places[i] != stay->place && atomic_load(&inside->places[i].thread) != 0)
			return false;
	return atomic_load(&inside->n_others) == (stay->place ? 0 : 1);
}

void sm_inside_note_socket(int fd)
{
	struct sm_inside *inside = atomic_load_explicit(&of_process, memory_order_relaxed);
	uintptr_t thread = sm_thread_self();
	struct sm_inside_place *place = inside ? sm_inside_place(inside, thread) : NULL;
	struct stat file;
	uint32_t i;

	if (!place || atomic_load_explicit(&place->thread, memory_order_relaxed) != thread || fstat(fd, &file) != 0)
		return;
	i = place->n_fds % SM_INSIDE_FDS;
	place->n_fds = place->n_fds < UINT16_MAX ? (uint16_t)(place->n_fds + 1) : SM_INSIDE_FDS;
	place->fds[i].fd = fd;
	place->fds[i].inode = (uint32_t)file.st_ino;
}
