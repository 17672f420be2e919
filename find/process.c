/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Process state, without a lock for which any thread waits.
 *
 * A generation is published by one atomic pointer. Users are known (base/inside.h). The thread that replaces a generation
 * retires the old one, and frees it when it is itself the only user: every later user sees the new pointer. Their table, the
 * reloader's lock and the random state are in fork-zeroed memory, so that a child does not wait for threads that it
 * does not have. */
#include "find/process.h"

#include "base/clock.h"
#include "base/forkzero.h"
#include "base/random.h"
#include "base/spin.h"
#include "cache/trust.h"
#include "find/inherit.h"
#include "find/view.h"
#include "mesh/lifetime.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_AGAIN_NS SM_NS_PER_S
#define LOOK_SOON_NS (200 * SM_NS_PER_MS)
#define OLDER_NS (10 * SM_NS_PER_S) /* an upgraded daemon is asked in the newest format again */
#define HINTS 64
#define HINT_AGAIN_NS (10 * SM_NS_PER_S)
#define HINT_OTHER_NS (SM_NS_PER_S / 10) /* so that two records that share a slot do not send hints in turn */
#define BYPASS_AGAIN_NS (60 * SM_NS_PER_S)
#define RETIRED_MAX 8 /* if a process always has lookups running, it stops replacing generations at this number */

/* Zeroed in the child of a fork. What every lookup, and the first one, needs comes first, and is in one page. */
struct wiped_state {
	struct sm_inside inside;
	_Alignas(64) _Atomic uint32_t reloading; /* a lock of base/spin.h */
	_Alignas(64) _Atomic uint64_t dice;
	_Alignas(64) _Atomic int64_t looked_ns; /* so that a child looks at once: it may be in a time namespace of its own */
	_Atomic int64_t looked_ticks_ns; /* sm_clock_ticks_ns at that look */
	_Atomic int64_t suspended_ns; /* of the clock at the last look; 0: none yet */
	_Atomic int64_t jumped_ns;
	_Atomic int64_t daemon_back_ns; /* not asked until then */
	_Atomic int64_t older_until_ns; /* the daemon knows only the format before ours */
	_Atomic uint32_t bypass;        /* not told yet */
	_Atomic int64_t bypass_told_ns; /* 0: never */
	struct sm_ready ready;
	struct hint {
		_Atomic uint64_t record;
		_Atomic int64_t sent_ns;
	} hints[HINTS];
	_Alignas(64) _Atomic uint32_t servers_lock;
	struct sm_servers servers;
};

SM_BESIDE_DATA static struct {
	_Atomic(struct sm_generation *) current;
	_Atomic(struct wiped_state *) wiped; /* NULL: nobody has entered */
	_Atomic bool is_wiped; /* it is fork-zeroed. Else nothing can be freed, because a child could not trust its counter */
	struct sm_generation *retired; /* only the reloader uses these three */
	struct sm_view *retired_views;
	uint32_t n_retired;
} process;

#define PAGES(size) (((size) + SM_PAGE_MAX - 1) / SM_PAGE_MAX * SM_PAGE_MAX)

/* Static memory costs one call, which two threads may make. It is not aligned as a whole: what stands behind the hole would take
 * a page of its own. */
__attribute__((noinline))
static struct wiped_state *make_state(void)
{
	static char room[PAGES(sizeof(struct wiped_state)) + SM_PAGE_MAX];
	struct wiped_state *state = (void *)PAGES((uintptr_t)room);

	atomic_store(&process.is_wiped, sm_forkzero_mark(state, PAGES(sizeof(*state))));
	sm_inside_use(&state->inside);
	atomic_store_explicit(&process.wiped, state, memory_order_release);
	return state;
}

static inline struct wiped_state *state_of_process(void)
{
	struct wiped_state *state = atomic_load_explicit(&process.wiped, memory_order_acquire);

	return state ? state : make_state();
}

static void free_generation(struct sm_generation *generation)
{
	sm_view_free(atomic_load(&generation->view));
	sm_memory_clear(&generation->memory);
	sm_conf_free(generation->conf);
	sm_watch_end(&generation->watch);
	free(generation);
}

static struct sm_conf_sources sources(void)
{
	const char *named = secure_getenv("SRVMESH_CONF");
	struct sm_conf_sources sources = sm_conf_sources(named);

	sources.is_conf_private = named != NULL;
	sources.waits = true;
	return sources;
}

/* SRVMESH=off: the plugin is switched off in this process; SRVMESH=trace: it tells what it does. */
static bool is_told(const char *what)
{
	const char *word = secure_getenv("SRVMESH");

	return word && strcmp(word, what) == 0;
}

/* Loads the files as they are now; for a file that cannot be used, takes its contents from `old`. */
static enum sm_status load_generation(const struct sm_conf *old, struct sm_generation **ret)
{
	struct sm_generation *generation = calloc(1, sizeof(*generation));
	struct sm_conf_sources from = sources();
	struct sm_complaints nobody = {.hear = NULL};
	enum sm_status status = SM_OK;

	if (!generation)
		return SM_EXHAUSTED;
	if (is_told("off"))
		sm_watch_begin(&generation->watch);
	else
		status = sm_conf_load(&from, old, &generation->watch, &nobody, &generation->conf);
	if (status != SM_OK) {
		free(generation);
		return status;
	}
	generation->is_conf_private = from.is_conf_private;
	generation->is_traced = is_told("trace");
	if (generation->conf) {
		sm_memory_init(&generation->memory, generation->conf->host.memory_entries);
		atomic_init(&generation->view, sm_view_make(generation));
		generation->is_quiet = !generation->conf->rules.elsewhere.is_disabled && !generation->is_traced;
	}
	*ret = generation;
	return SM_OK;
}

static struct sm_generation *load_first(void)
{
	struct sm_generation *generation, *other = NULL;

	if (load_generation(NULL, &generation) != SM_OK)
		return NULL;
	if (atomic_compare_exchange_strong(&process.current, &other, generation))
		return generation;
	free_generation(generation);
	return other;
}

static void replace(struct sm_generation *old, struct sm_generation *fresh)
{
	atomic_store(&process.current, fresh);
	sm_ready_forget(&state_of_process()->ready);
	process.n_retired++; /* before it is in the list: another thread may fork in between */
	old->next = process.retired;
	process.retired = old;
}

/* Replaces a view by a fresh one, which is already mapped. The old one is freed when no thread can be reading it. */
static void replace_view(struct sm_generation *generation, struct sm_view *fresh)
{
	struct sm_view *old = atomic_exchange(&generation->view, fresh);

	sm_ready_forget(&state_of_process()->ready);
	if (!old)
		return;
	process.n_retired++; /* as above */
	old->next = process.retired_views;
	process.retired_views = old;
}

/* Maps the file if none is mapped, or if another file has replaced it. If the path leads nowhere, the old mapping
 * stays: its records expire by themselves. true: more can be read than before. */
static bool look_at_map(struct sm_generation *generation)
{
	struct sm_view *view = atomic_load(&generation->view), *fresh;
	size_t size = view ? view->mapped.size : 0;

	if (!generation->conf || generation->conf->host.directory[0] == '\0')
		return false;
	if (view) {
		enum sm_status status = sm_reader_look(generation->conf->host.directory, &view->mapped);

		if (status == SM_CORRUPT) {
			replace_view(generation, NULL);
			sm_process_note_bypass(SM_BYPASS_MAP_VERSION);
			return false;
		}
		if (status != SM_INVALID) {
			if (view->mapped.size > size)
				sm_ready_forget(&state_of_process()->ready);
			return view->mapped.size > size;
		}
		if (process.n_retired >= RETIRED_MAX)
			return false;
	}
	fresh = sm_view_make(generation);
	if (fresh)
		replace_view(generation, fresh);
	return fresh;
}

static void free_retired(const struct wiped_state *state, const struct sm_stay *stay)
{
	if (!atomic_load(&process.is_wiped) || !sm_inside_is_alone(&state->inside, stay))
		return;
	while (process.retired) {
		struct sm_generation *generation = process.retired;

		/* remove it from the list first: another thread may fork, and so copy the list, at any moment */
		process.retired = generation->next;
		process.n_retired--;
		free_generation(generation);
	}
	while (process.retired_views) {
		struct sm_view *view = process.retired_views;

		process.retired_views = view->next;
		process.n_retired--;
		sm_view_free(view);
	}
}

/* false: the files may still be changing, and should be looked at again soon. */
static bool reload_generation(struct sm_generation *old, int64_t now_ns)
{
	struct sm_generation *fresh;
	enum sm_watch_state state;

	if (process.n_retired >= RETIRED_MAX)
		return true;
	state = sm_conf_look(old->conf, &old->watch, now_ns);
	if (state == SM_WATCH_CHANGED && load_generation(old->conf, &fresh) == SM_OK) {
		if (old->conf && fresh->conf)
			sm_generation_inherit(fresh, old, now_ns);
		replace(old, fresh);
	}
	return state != SM_WATCH_FRESH && state != SM_WATCH_FADING;
}

static void look_at_clock(struct wiped_state *state, int64_t now_ns)
{
	int64_t suspended_ns = sm_clock_suspended_ns() | 1;
	int64_t before_ns = atomic_exchange_explicit(&state->suspended_ns, suspended_ns, memory_order_relaxed);

	if (before_ns && suspended_ns - before_ns > SM_JUMP_NS)
		atomic_store_explicit(&state->jumped_ns, now_ns, memory_order_relaxed);
}

int64_t sm_process_jumped_ns(void)
{
	return atomic_load_explicit(&state_of_process()->jumped_ns, memory_order_relaxed);
}

/* A clock goes back only where the process has come into another time namespace: moments of the one before mean nothing. */
static void forget_moments(struct wiped_state *state)
{
	state->daemon_back_ns = state->older_until_ns = state->bypass_told_ns = state->jumped_ns = 0;
	for (int i = 0; i < HINTS; i++)
		state->hints[i].sent_ns = 0;
	if (!sm_spin_try(&state->servers_lock))
		return;
	sm_servers_init(&state->servers, 0);
	sm_spin_leave(&state->servers_lock);
}

static void note_look(struct wiped_state *state, int64_t looked_ns, int64_t earlier_ns)
{
	atomic_store_explicit(&state->looked_ns, looked_ns, memory_order_relaxed);
	atomic_store_explicit(&state->looked_ticks_ns, sm_clock_ticks_ns() - earlier_ns, memory_order_relaxed);
}

/* Once a second, by one thread. */
__attribute__((noinline))
static void look_again(struct wiped_state *state, const struct sm_stay *stay, int64_t now_ns)
{
	int64_t looked_ns = now_ns;

	if (!sm_spin_try_once(&state->reloading))
		return;
	if (now_ns < atomic_load_explicit(&state->looked_ns, memory_order_relaxed))
		forget_moments(state);
	if (!reload_generation(atomic_load(&process.current), now_ns))
		looked_ns = now_ns - LOOK_AGAIN_NS + LOOK_SOON_NS;
	note_look(state, looked_ns, now_ns - looked_ns);
	look_at_clock(state, now_ns);
	look_at_map(atomic_load(&process.current));
	sm_view_look_again_at_namespace(atomic_load(&atomic_load(&process.current)->view), now_ns);
	free_retired(state, stay);
	sm_spin_leave(&state->reloading);
}

bool sm_process_look_at_map(struct sm_generation *generation)
{
	struct wiped_state *state = state_of_process();
	bool sees_more;

	if (!sm_spin_try_once(&state->reloading))
		return false;
	sees_more = look_at_map(generation);
	sm_spin_leave(&state->reloading);
	return sees_more;
}

bool sm_process_has_daemon(const struct sm_generation *generation, int64_t now_ns)
{
	return generation->conf->host.socket[0] != '\0' &&
	       now_ns >= atomic_load_explicit(&state_of_process()->daemon_back_ns, memory_order_relaxed);
}

static int64_t socket_owner(const struct sm_generation *generation)
{
	uid_t owner;
	enum sm_status status = sm_trust_socket(generation->conf->host.socket, generation->is_conf_private, &owner);

	if (status == SM_OK)
		return owner;
	return status == SM_MISS ? -2 : -1;
}

enum sm_status sm_process_socket(struct sm_generation *generation, int64_t now_ns, struct sm_client_socket *ret)
{
	int64_t looked_ns = atomic_load_explicit(&generation->socket_looked_ns, memory_order_acquire), owner;

	if (looked_ns == 0 || now_ns < looked_ns || now_ns - looked_ns >= LOOK_AGAIN_NS) {
		atomic_store_explicit(&generation->socket_owner, socket_owner(generation), memory_order_relaxed);
		atomic_store_explicit(&generation->socket_looked_ns, now_ns, memory_order_release);
	}
	owner = atomic_load_explicit(&generation->socket_owner, memory_order_relaxed);
	if (owner < 0)
		return owner == -1 ? SM_INVALID : SM_REFUSED;
	*ret = (struct sm_client_socket){generation->conf->host.socket, (uid_t)owner};
	return SM_OK;
}

enum sm_format sm_process_format(int64_t now_ns)
{
	return now_ns < atomic_load_explicit(&state_of_process()->older_until_ns, memory_order_relaxed) ? SM_FORMAT_1 : SM_FORMAT;
}

void sm_process_set_format(enum sm_format format, int64_t now_ns)
{
	if (format == SM_FORMAT_1)
		atomic_store_explicit(&state_of_process()->older_until_ns, now_ns + OLDER_NS, memory_order_relaxed);
}

void sm_process_give_daemon_up(int64_t until_ns)
{
	atomic_store_explicit(&state_of_process()->daemon_back_ns, until_ns, memory_order_relaxed);
}

void sm_process_note_bypass(enum sm_bypass why)
{
	atomic_store_explicit(&state_of_process()->bypass, why, memory_order_relaxed);
}

enum sm_bypass sm_process_take_bypass(int64_t now_ns)
{
	struct wiped_state *state = state_of_process();
	int64_t told_ns = atomic_load_explicit(&state->bypass_told_ns, memory_order_relaxed);

	if (told_ns != 0 && now_ns - told_ns < BYPASS_AGAIN_NS)
		return SM_BYPASS_NONE;
	if (atomic_load_explicit(&state->bypass, memory_order_relaxed) == SM_BYPASS_NONE)
		return SM_BYPASS_NONE;
	atomic_store_explicit(&state->bypass_told_ns, now_ns, memory_order_relaxed);
	return atomic_exchange_explicit(&state->bypass, SM_BYPASS_NONE, memory_order_relaxed);
}

bool sm_process_takes_hint(uint64_t record, int64_t now_ns)
{
	struct hint *hint = &state_of_process()->hints[record % HINTS];
	int64_t since_ns = now_ns - atomic_load_explicit(&hint->sent_ns, memory_order_relaxed);
	bool is_same = atomic_load_explicit(&hint->record, memory_order_relaxed) == record;

	if (since_ns < (is_same ? HINT_AGAIN_NS : HINT_OTHER_NS))
		return false;
	atomic_store_explicit(&hint->record, record, memory_order_relaxed);
	atomic_store_explicit(&hint->sent_ns, now_ns, memory_order_relaxed);
	return true;
}

void sm_process_untake_hint(uint64_t record)
{
	atomic_store_explicit(&state_of_process()->hints[record % HINTS].record, 0, memory_order_relaxed);
}

void sm_process_get_servers(struct sm_servers *ret)
{
	struct wiped_state *state = state_of_process();

	if (sm_spin_try(&state->servers_lock)) {
		*ret = state->servers;
		sm_spin_leave(&state->servers_lock);
	} else {
		sm_servers_init(ret, 0);
	}
	ret->seed = sm_process_draw();
}

void sm_process_put_servers(const struct sm_servers *servers)
{
	struct wiped_state *state = state_of_process();

	if (!sm_spin_try(&state->servers_lock))
		return;
	sm_servers_merge(&state->servers, servers);
	sm_spin_leave(&state->servers_lock);
}

/* This thread was called away out of an earlier lookup, perhaps while it held a lock. */
__attribute__((noinline, cold))
static void free_locks(struct wiped_state *state)
{
	struct sm_generation *generation = atomic_load(&process.current);

	sm_spin_free(&state->reloading);
	sm_spin_free(&state->ready.lock);
	sm_ready_forget(&state->ready); /* it may have changed something, and not come to say so */
	if (sm_spin_free(&state->servers_lock))
		sm_servers_init(&state->servers, 0); /* it may be half of one and half of another */
	if (generation)
		sm_memory_free_lock(&generation->memory);
}

__attribute__((noinline))
static struct sm_generation *look_first(struct wiped_state *state, int64_t now_ns)
{
	note_look(state, now_ns, 0);
	look_at_clock(state, now_ns);
	return load_first();
}

/* A look that lies ahead was in another time namespace. */
static inline bool is_recent(const _Atomic int64_t *looked_ns, int64_t now_ns)
{
	return (uint64_t)now_ns - (uint64_t)atomic_load_explicit(looked_ns, memory_order_relaxed) < LOOK_AGAIN_NS;
}

struct sm_generation *sm_process_step_in(struct sm_stay *stay)
{
	struct wiped_state *state = state_of_process();

	if (sm_inside_enter(&state->inside, stay))
		free_locks(state);
	return atomic_load(&process.current);
}

bool sm_process_is_settled(int64_t now_ns)
{
	return is_recent(&state_of_process()->looked_ns, now_ns);
}

bool sm_process_is_settled_by_ticks(void)
{
	return is_recent(&state_of_process()->looked_ticks_ns, sm_clock_ticks_ns());
}

struct sm_generation *sm_process_settle(struct sm_stay *stay, int64_t now_ns)
{
	struct wiped_state *state = state_of_process();
	struct sm_generation *generation = atomic_load(&process.current);

	if (is_recent(&state->looked_ns, now_ns) && generation)
		return generation;
	sm_inside_guard(stay);
	if (!generation)
		return look_first(state, now_ns);
	look_again(state, stay, now_ns);
	return atomic_load(&process.current);
}

void sm_process_leave(struct sm_stay *stay)
{
	sm_inside_leave(&state_of_process()->inside, stay);
	sm_inside_unguard(stay);
}

struct sm_ready *sm_process_ready(void)
{
	return &state_of_process()->ready;
}

bool sm_process_has_drawn(void)
{
	return atomic_load_explicit(&state_of_process()->dice, memory_order_relaxed) != 0;
}

uint64_t sm_process_draw(void)
{
	return sm_random_draw(&state_of_process()->dice);
}
