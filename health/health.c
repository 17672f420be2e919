/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "health/health.h"

#include "base/random.h"

#include <string.h>

#define NS_PER_MS 1000000LL
#define NS_PER_S 1000000000LL
#define DOUBT_NS NS_PER_S            /* between the probes of an endpoint in doubt */
#define PAUSE_MAX_MS 60000
#define SHARE_NS (1000 * NS_PER_MS / 16) /* of the budget, for each endpoint that is probed regularly; some is left for doubts */
#define JITTER_PERCENT 20            /* of an interval, by which a probe may be early; never late: a bound is a bound */
#define SPARED_NS (3 * NS_PER_S / 2) /* an open connection that was seen so lately spares a routine probe, */
#define SPARED_MAX 1                 /* but not two in a row: an old connection does not show that new ones are accepted */
#define LYING_NS (2 * NS_PER_S)      /* after a refuted doubt, in which all connections without an answer count as liars */
#define UNNAMED_NS (60 * NS_PER_S)   /* that an endpoint is still watched to which no record in use leads */
#define MARK_SPARE_NS (5 * NS_PER_S)
#define MARK_RENEW_NS (4 * NS_PER_S) /* before its end */
#define N_SLOTS (2 * SM_ENDPOINTS_MAX)

void sm_health_init(struct sm_health *health, uint64_t seed)
{
	memset(health, 0, sizeof(*health));
	health->seed = seed;
}

/* ---- finding */

static uint32_t slot_of(const struct sm_endpoint *endpoint)
{
	return sm_address_hash(&endpoint->address, endpoint->port) % N_SLOTS;
}

static bool is_at(const struct sm_watched *watched, const struct sm_endpoint *endpoint)
{
	return watched->is.port == endpoint->port && sm_address_is_same(&watched->is.address, &endpoint->address);
}

/* Its slot, or the free one where it belongs. The table is never more than half full. */
static uint16_t *find_slot(struct sm_health *health, const struct sm_endpoint *endpoint)
{
	uint32_t slot = slot_of(endpoint);

	while (health->slots[slot] && !is_at(&health->known[health->slots[slot] - 1], endpoint))
		slot = (slot + 1) % N_SLOTS;
	return &health->slots[slot];
}

struct sm_watched *sm_health_find(struct sm_health *health, const struct sm_endpoint *endpoint)
{
	uint16_t found = *find_slot(health, endpoint);

	return found ? &health->known[found - 1] : NULL;
}

static void make_slots(struct sm_health *health)
{
	memset(health->slots, 0, sizeof(health->slots));
	for (uint32_t i = 0; i < health->top; i++)
		if (health->known[i].is_used)
			*find_slot(health, &health->known[i].is) = (uint16_t)(i + 1);
}

/* ---- when to probe */

static bool is_regular(const struct sm_watched *watched)
{
	return watched->state != SM_HEALTH_UP || watched->terms.mode == SM_HEALTH_TCP;
}

/* The shortest interval at which the budget suffices for all that is probed regularly. */
static int64_t fair_interval_ns(const struct sm_health *health)
{
	int64_t n = 0;

	for (uint32_t i = 0; i < health->top; i++)
		n += health->known[i].is_used && is_regular(&health->known[i]);
	return n * SHARE_NS;
}

static int64_t in_interval(struct sm_health *health, uint32_t interval_ms)
{
	int64_t interval_ns = interval_ms * NS_PER_MS, fair_ns = fair_interval_ns(health);

	if (interval_ns < fair_ns)
		interval_ns = fair_ns;
	return interval_ns - interval_ns / 100 * (int64_t)(sm_random_step(&health->seed) % (JITTER_PERCENT + 1));
}

/* The next probe of an endpoint that is up. */
static void set_routine(struct sm_health *health, struct sm_watched *watched, int64_t now_ns)
{
	bool is_probed = watched->terms.mode == SM_HEALTH_TCP;

	watched->due_ns = is_probed ? now_ns + in_interval(health, watched->terms.interval_ms) : INT64_MAX;
}

static void set_state(struct sm_watched *watched, enum sm_health_state state, enum sm_health_reason reason, int64_t now_ns)
{
	watched->state = state;
	watched->reason = reason;
	watched->since_ns = now_ns;
	watched->n_successes = 0;
}

/* ---- who is watched */

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static void merge(struct sm_health_terms *into, const struct sm_health_terms *terms)
{
	if (into->mode == SM_HEALTH_OFF) {
		*into = *terms;
		return;
	}
	into->mode = into->mode > terms->mode ? into->mode : terms->mode;
	into->interval_ms = into->interval_ms < terms->interval_ms ? into->interval_ms : terms->interval_ms;
	into->timeout_ms = larger(into->timeout_ms, terms->timeout_ms);
	into->fall = larger(into->fall, terms->fall);
	into->rise = larger(into->rise, terms->rise);
}

static struct sm_watched *begin_watching(struct sm_health *health, const struct sm_endpoint *endpoint,
                                         const struct sm_health_terms *terms, int64_t now_ns)
{
	uint32_t at = 0;
	struct sm_watched *watched;

	if (health->n == SM_ENDPOINTS_MAX) {
		health->n_turned_away++;
		return NULL;
	}
	while (health->known[at].is_used)
		at++;
	if (at == health->top)
		health->top++;
	watched = &health->known[at];
	memset(watched, 0, sizeof(*watched));
	watched->is = *endpoint;
	watched->is_used = true;
	watched->terms = *terms;
	watched->since_ns = now_ns;
	watched->due_ns = INT64_MAX;
	if (terms->mode == SM_HEALTH_TCP)
		watched->due_ns = now_ns + (int64_t)(sm_random_step(&health->seed) % (terms->interval_ms * (uint64_t)NS_PER_MS));
	health->n++;
	*find_slot(health, endpoint) = (uint16_t)(at + 1);
	return watched;
}

struct sm_watched *sm_health_watch(struct sm_health *health, const struct sm_endpoint *endpoint,
                                   const struct sm_health_terms *terms, int64_t until_ns, int64_t now_ns)
{
	struct sm_watched *watched = sm_health_find(health, endpoint);
	enum sm_health_mode mode;

	if (!watched)
		watched = begin_watching(health, endpoint, terms, now_ns);
	if (!watched)
		return NULL;
	mode = watched->terms.mode;
	merge(&watched->terms, terms);
	if (watched->terms.mode != mode && watched->state == SM_HEALTH_UP && !watched->is_probing)
		set_routine(health, watched, now_ns);
	if (watched->needed_until_ns < until_ns)
		watched->needed_until_ns = until_ns;
	return watched;
}

static void go_down(struct sm_health *health, struct sm_watched *watched, enum sm_health_reason reason, int64_t now_ns)
{
	set_state(watched, SM_HEALTH_DOWN, reason, now_ns);
	watched->pause_ms = watched->terms.interval_ms;
	watched->due_ns = now_ns + in_interval(health, watched->pause_ms);
}

void sm_health_adopt(struct sm_health *health, struct sm_watched *watched, int64_t now_ns)
{
	if (watched->state != SM_HEALTH_UP || watched->reason != SM_REASON_NEW)
		return;
	go_down(health, watched, SM_REASON_BEFORE, now_ns);
	watched->due_ns = now_ns;
}

/* ---- the census */

void sm_health_begin_census(struct sm_health *health)
{
	health->census = 0;
	health->n_turned_away = 0;
	for (uint32_t i = 0; i < health->top; i++) {
		health->known[i].next_terms = (struct sm_health_terms){.mode = SM_HEALTH_OFF};
		health->known[i].n_next_names = health->known[i].counted = 0;
	}
}

void sm_health_next_name(struct sm_health *health)
{
	health->census++;
}

bool sm_health_count(struct sm_health *health, struct sm_watched *watched, const struct sm_health_terms *terms)
{
	if (watched->counted == health->census)
		return false;
	watched->counted = health->census;
	merge(&watched->next_terms, terms);
	return watched->n_next_names++ == 0;
}

void sm_health_end_census(struct sm_health *health, int64_t now_ns)
{
	for (uint32_t i = 0; i < health->top; i++) {
		struct sm_watched *watched = &health->known[i];

		if (!watched->is_used)
			continue;
		watched->n_names = watched->n_next_names;
		if (watched->n_names == 0 && watched->needed_until_ns > now_ns + UNNAMED_NS)
			watched->needed_until_ns = now_ns + UNNAMED_NS;
		if (watched->needed_until_ns <= now_ns && !watched->is_probing) {
			watched->is_used = false;
			health->n--;
		} else if (watched->n_names > 0) {
			enum sm_health_mode mode = watched->terms.mode;

			watched->terms = watched->next_terms;
			if (watched->terms.mode != mode && watched->state == SM_HEALTH_UP && !watched->is_probing)
				set_routine(health, watched, now_ns);
		}
	}
	while (health->top > 0 && !health->known[health->top - 1].is_used)
		health->top--;
	make_slots(health);
}

/* ---- connections of this host */

static bool is_liar(const struct sm_watched *watched, uint64_t cookie)
{
	for (uint32_t i = 0; i < watched->n_liars && i < SM_LIARS_MAX; i++)
		if (watched->liars[i] == cookie)
			return true;
	return false;
}

static void remember_liar(struct sm_watched *watched, uint64_t cookie)
{
	if (!is_liar(watched, cookie))
		watched->liars[watched->n_liars++ % SM_LIARS_MAX] = cookie;
}

/* What a probe has just refuted is no doubt again: who raises doubts of a living target costs it a probe in some seconds. */
void sm_health_doubt(struct sm_watched *watched, uint64_t cookie, int64_t now_ns)
{
	if (watched->state != SM_HEALTH_UP || watched->is_probing || is_liar(watched, cookie))
		return;
	if (watched->refuted_ns > 0 && now_ns - watched->refuted_ns < LYING_NS) {
		remember_liar(watched, cookie);
		return;
	}
	watched->doubted_by = cookie;
	set_state(watched, SM_HEALTH_DOUBT, SM_REASON_CONNECTION, now_ns);
	watched->n_failures = 1;
	watched->has_cookies = false;
	watched->due_ns = now_ns;
}

bool sm_health_wants_connections(const struct sm_watched *watched, int64_t now_ns)
{
	if (!watched->is_used)
		return false;
	return watched->state != SM_HEALTH_UP || (watched->terms.mode == SM_HEALTH_TCP && watched->due_ns < now_ns + SPARED_NS);
}

static bool has_cookie(const struct sm_watched *watched, uint64_t cookie)
{
	for (uint32_t i = 0; i < watched->n_cookies; i++)
		if (watched->cookies[i] == cookie)
			return true;
	return false;
}

/* A sign of life. */
static void succeed(struct sm_health *health, struct sm_watched *watched, enum sm_health_reason reason, int64_t now_ns)
{
	watched->n_failures = 0;
	watched->n_successes++;
	if (watched->state == SM_HEALTH_DOWN && watched->n_successes < watched->terms.rise) {
		watched->due_ns = watched->probed_ns + DOUBT_NS;
		return;
	}
	if (watched->state != SM_HEALTH_UP || watched->reason == SM_REASON_NEW)
		set_state(watched, SM_HEALTH_UP, reason, now_ns);
	set_routine(health, watched, now_ns);
}

/* The connections after a failure are remembered; a later one that is not among them was made since. An old one proves nothing: a
 * server that accepts no more still acknowledges on it. */
void sm_health_connections(struct sm_health *health, struct sm_watched *watched, const uint64_t *cookies, uint32_t n,
                           bool is_whole, int64_t now_ns)
{
	if (n > 0)
		watched->seen_ns = now_ns;
	if (watched->state == SM_HEALTH_UP)
		return;
	if (watched->has_cookies) {
		for (uint32_t i = 0; i < n; i++)
			if (!has_cookie(watched, cookies[i])) {
				succeed(health, watched, SM_REASON_CONNECTION, now_ns);
				watched->has_cookies = false;
				return;
			}
		return;
	}
	watched->has_cookies = is_whole && n <= SM_COOKIES_MAX;
	watched->n_cookies = watched->has_cookies ? n : 0;
	memcpy(watched->cookies, cookies, watched->n_cookies * sizeof(cookies[0]));
}

/* ---- probes */

static bool is_spared(const struct sm_watched *watched, int64_t now_ns)
{
	return watched->state == SM_HEALTH_UP && watched->n_spared < SPARED_MAX && watched->seen_ns > 0 &&
	       now_ns - watched->seen_ns < SPARED_NS;
}

static bool is_better(const struct sm_health *health, const struct sm_watched *a, const struct sm_watched *b)
{
	bool is_doubt = a->state == SM_HEALTH_DOUBT, was_doubt = b->state == SM_HEALTH_DOUBT;

	if (is_doubt != was_doubt && !health->is_others_turn)
		return is_doubt;
	return a->due_ns < b->due_ns;
}

struct sm_watched *sm_health_begin_probe(struct sm_health *health, int64_t now_ns)
{
	struct sm_watched *best = NULL;

	if (now_ns < health->may_probe_ns || health->n_probing == SM_PROBES_MAX)
		return NULL;
	for (uint32_t i = 0; i < health->top; i++) {
		struct sm_watched *watched = &health->known[i];

		if (!watched->is_used || watched->is_probing || watched->due_ns > now_ns)
			continue;
		if (is_spared(watched, now_ns)) {
			watched->n_spared++;
			set_routine(health, watched, now_ns);
		} else if (!best || is_better(health, watched, best)) {
			best = watched;
		}
	}
	if (!best)
		return NULL;
	best->is_probing = true;
	best->n_spared = 0;
	best->probed_ns = now_ns;
	health->n_probing++;
	health->may_probe_ns = now_ns + SM_PROBE_GAP_NS;
	health->is_others_turn = !health->is_others_turn;
	return best;
}

static void fail(struct sm_health *health, struct sm_watched *watched, enum sm_health_reason reason, int64_t now_ns)
{
	watched->n_successes = 0;
	watched->n_failures += watched->n_failures < UINT32_MAX;
	watched->has_cookies = false;
	if (watched->state == SM_HEALTH_DOWN) {
		watched->reason = reason;
		watched->pause_ms = larger(watched->terms.interval_ms,
		                           watched->pause_ms < PAUSE_MAX_MS / 2 ? watched->pause_ms * 2 : PAUSE_MAX_MS);
		watched->due_ns = now_ns + in_interval(health, watched->pause_ms);
	} else if (watched->n_failures >= watched->terms.fall) {
		go_down(health, watched, reason, now_ns);
	} else {
		if (watched->state == SM_HEALTH_UP)
			set_state(watched, SM_HEALTH_DOUBT, reason, now_ns);
		watched->due_ns = watched->probed_ns + DOUBT_NS;
	}
}

void sm_health_end_probe(struct sm_health *health, struct sm_watched *watched, enum sm_health_reason result, int64_t now_ns)
{
	watched->is_probing = false;
	health->n_probing--;
	switch (result) {
	case SM_REASON_ANSWERED:
		if (watched->state == SM_HEALTH_DOUBT && watched->reason == SM_REASON_CONNECTION) {
			remember_liar(watched, watched->doubted_by);
			watched->refuted_ns = now_ns;
		}
		succeed(health, watched, result, now_ns);
		break;
	case SM_REASON_REFUSED:
	case SM_REASON_SILENT:
	case SM_REASON_UNREACHABLE:
		fail(health, watched, result, now_ns);
		break;
	case SM_REASON_NEW:
	case SM_REASON_BEFORE:
	case SM_REASON_CONNECTION:
	case SM_REASON_UNKNOWN:
		if (watched->state == SM_HEALTH_DOUBT)
			watched->due_ns = now_ns + DOUBT_NS;
		else
			watched->due_ns = now_ns + in_interval(health, larger(watched->pause_ms, watched->terms.interval_ms));
		break;
	}
}

int64_t sm_health_wakes_ns(const struct sm_health *health)
{
	int64_t wakes_ns = INT64_MAX;

	if (health->n_probing == SM_PROBES_MAX)
		return INT64_MAX; /* the end of one wakes */
	for (uint32_t i = 0; i < health->top; i++)
		if (health->known[i].is_used && !health->known[i].is_probing && health->known[i].due_ns < wakes_ns)
			wakes_ns = health->known[i].due_ns;
	return wakes_ns < health->may_probe_ns ? health->may_probe_ns : wakes_ns;
}

void sm_health_network_changed(struct sm_health *health, int64_t now_ns)
{
	for (uint32_t i = 0; i < health->top; i++) {
		struct sm_watched *watched = &health->known[i];
		uint64_t interval_ns = watched->terms.interval_ms * (uint64_t)NS_PER_MS;
		int64_t due_ns;

		if (!watched->is_used || watched->is_probing || watched->state != SM_HEALTH_DOWN)
			continue;
		watched->pause_ms = watched->terms.interval_ms;
		due_ns = now_ns + (int64_t)(sm_random_step(&health->seed) % interval_ns);
		watched->due_ns = due_ns < watched->due_ns ? due_ns : watched->due_ns;
	}
}

/* ---- marks */

/* Until the next probe has had its time, however long it waits for its turn, and the records have followed. */
static int64_t mark_of(const struct sm_health *health, const struct sm_watched *watched, int64_t now_ns)
{
	int64_t next_ns = watched->due_ns > now_ns && !watched->is_probing ? watched->due_ns : now_ns;

	return next_ns + watched->terms.timeout_ms * NS_PER_MS + MARK_SPARE_NS + health->lag_ns;
}

bool sm_health_set_marks(struct sm_health *health, int64_t now_ns)
{
	bool has_changed = false;

	for (uint32_t i = 0; i < health->top; i++) {
		struct sm_watched *watched = &health->known[i];
		bool is_down = watched->is_used && watched->state == SM_HEALTH_DOWN;

		if (is_down && watched->marked_until_ns < now_ns + MARK_RENEW_NS + health->lag_ns)
			watched->marked_until_ns = mark_of(health, watched, now_ns);
		else if (!is_down && watched->marked_until_ns > 0)
			watched->marked_until_ns = 0;
		else
			continue;
		has_changed = true;
	}
	return has_changed;
}

int64_t sm_health_renews_ns(const struct sm_health *health)
{
	int64_t renews_ns = INT64_MAX, before_ns = MARK_RENEW_NS + health->lag_ns;

	for (uint32_t i = 0; i < health->top; i++) {
		const struct sm_watched *watched = &health->known[i];

		if (watched->is_used && watched->state == SM_HEALTH_DOWN && watched->marked_until_ns - before_ns < renews_ns)
			renews_ns = watched->marked_until_ns - before_ns;
	}
	return renews_ns;
}
