/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Process state, without a lock that anyone waits for.
 *
 * A generation is published by one atomic pointer. Users are counted; who replaces it puts the old one aside, and frees
 * it at a moment when it counts itself alone: everyone who comes later sees the new pointer. Counter, the reloader's flag
 * and the dice lie in fork-zeroed memory, so that a child does not wait for threads that it does not have. */
#include "nss_srvmesh/process.h"

#include "base/clock.h"
#include "base/forkzero.h"
#include "base/random.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_AGAIN_NS SM_NS_PER_S
#define RETIRED_MAX 8 /* a process that is never without a lookup keeps what it has, rather than pile up what it had */

/* Zeroed in a fork's child. */
struct wiped_state {
	_Alignas(64) _Atomic uint32_t users;
	_Alignas(64) _Atomic uint32_t reloading;
	_Alignas(64) _Atomic uint64_t dice;
};

static struct {
	_Atomic(struct sm_generation *) current;
	_Atomic(struct wiped_state *) wiped;
	_Atomic int64_t looked_ns;
	struct sm_generation *retired; /* these two are the reloader's alone */
	uint32_t n_retired;
} process;

/* Where fork-zeroed memory is refused: nothing can then be freed, for a child could not trust its counter. */
static struct wiped_state unreliable_state;

static struct wiped_state *make_state(void)
{
	struct wiped_state *state = sm_forkzero_map(sizeof(*state)), *other = NULL;

	if (!state)
		state = &unreliable_state;
	if (atomic_compare_exchange_strong(&process.wiped, &other, state))
		return state;
	if (state != &unreliable_state)
		sm_forkzero_unmap(state, sizeof(*state));
	return other;
}

static struct wiped_state *state_of_process(void)
{
	struct wiped_state *state = atomic_load_explicit(&process.wiped, memory_order_acquire);

	return state ? state : make_state();
}

static void free_generation(struct sm_generation *generation)
{
	sm_memory_clear(&generation->memory);
	sm_conf_free(generation->conf);
	free(generation);
}

static struct sm_conf_sources sources(void)
{
	return sm_conf_sources(secure_getenv("SRVMESH_CONF"));
}

/* The files as they are now. With SM_INVALID the generation has no names: the plugin behaves as unconfigured. */
static enum sm_status load(struct sm_generation **ret)
{
	struct sm_generation *generation = calloc(1, sizeof(*generation));
	struct sm_conf_sources from = sources();
	struct sm_conf_error ignored;
	enum sm_status status;

	if (!generation)
		return SM_MEMORY;
	status = sm_conf_load(&from, &generation->watch, &generation->conf, &ignored);
	if (status == SM_MEMORY) {
		free(generation);
		return status;
	}
	if (status == SM_OK && generation->conf->host.is_embedded)
		sm_memory_init(&generation->memory, generation->conf->host.memory_entries);
	*ret = generation;
	return status;
}

static struct sm_generation *load_first(void)
{
	struct sm_generation *generation, *other = NULL;

	if (load(&generation) == SM_MEMORY)
		return NULL;
	if (atomic_compare_exchange_strong(&process.current, &other, generation))
		return generation;
	free_generation(generation);
	return other;
}

static void replace(struct sm_generation *old, struct sm_generation *fresh)
{
	atomic_store(&process.current, fresh);
	old->next = process.retired;
	process.retired = old;
	process.n_retired++;
}

static void free_retired(const struct wiped_state *state)
{
	if (state == &unreliable_state || atomic_load(&state->users) != 1)
		return;
	while (process.retired) {
		struct sm_generation *generation = process.retired;

		/* out of the list first: a fork of another thread may copy the list at any moment */
		process.retired = generation->next;
		process.n_retired--;
		free_generation(generation);
	}
}

/* A bad file changes nothing for a process that has a good configuration; it is looked at again when it changes. */
static void reload(struct sm_generation *old)
{
	struct sm_generation *fresh;
	enum sm_status status;

	if (process.n_retired >= RETIRED_MAX || !sm_watch_has_changed(&old->watch))
		return;
	status = load(&fresh);
	if (status == SM_MEMORY)
		return;
	if (status == SM_OK) {
		replace(old, fresh);
		return;
	}
	memcpy(&old->watch, &fresh->watch, sizeof(old->watch));
	free_generation(fresh);
}

static void look_again(struct wiped_state *state, int64_t now_ns)
{
	int64_t looked_ns = atomic_load_explicit(&process.looked_ns, memory_order_relaxed);

	if (now_ns - looked_ns < LOOK_AGAIN_NS || atomic_exchange(&state->reloading, 1) != 0)
		return;
	atomic_store_explicit(&process.looked_ns, now_ns, memory_order_relaxed);
	reload(atomic_load(&process.current));
	free_retired(state);
	atomic_store(&state->reloading, 0);
}

const struct sm_generation *sm_process_enter(int64_t now_ns)
{
	struct wiped_state *state = state_of_process();
	struct sm_generation *generation;

	atomic_fetch_add(&state->users, 1);
	if (!atomic_load(&process.current)) {
		atomic_store_explicit(&process.looked_ns, now_ns, memory_order_relaxed);
		generation = load_first();
	} else {
		look_again(state, now_ns);
		generation = atomic_load(&process.current);
	}
	if (!generation)
		sm_process_leave();
	return generation;
}

void sm_process_leave(void)
{
	struct wiped_state *state = state_of_process();
	uint32_t users = atomic_load(&state->users);

	/* zero already: a signal handler forked in the middle of a lookup, and this is the child */
	while (users > 0 && !atomic_compare_exchange_weak(&state->users, &users, users - 1))
		continue;
}

uint64_t sm_process_draw(void)
{
	return sm_random_draw(&state_of_process()->dice);
}
