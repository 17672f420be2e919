/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/targets.h"

#include "base/clock.h"
#include "daemon/endpoints.h"
#include "daemon/log.h"
#include "mesh/record.h"
#include "resolve/outlook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUTS_AT_ONCE 256                 /* a commit's worth */
#define VISITS_AT_ONCE 32                /* between two looks at the clock */
#define SLICE_NS (4 * SM_NS_PER_MS)      /* of a pass in one turn of the loop */
#define PAUSE_SHARE 4                    /* passes take a fifth of the time at most */
#define CENSUS_NS (60 * SM_NS_PER_S)     /* between passes where nothing changes */
#define EXACT_NS (5 * SM_NS_PER_S)       /* so old a count of names may be */
#define LISTING_MS 3000                  /* that a client waits for the table */

/* ---- what is watched */

static const struct sm_rule *rule_of(const struct sm_targets *targets, const struct sm_name *name)
{
	return sm_rules_match(&targets->reload->settings->conf->rules, name->text, name->length);
}

static struct sm_health_terms terms_of(const struct sm_rule *rule)
{
	return (struct sm_health_terms){rule->health, rule->health_interval_ms, rule->health_timeout_ms, rule->health_fall,
	                                rule->health_rise};
}

/* Where there is nothing to choose, health is of no use. */
static bool is_watchable(const struct sm_rule *rule, const struct sm_answer *answer)
{
	return rule && !rule->is_disabled && rule->health != SM_HEALTH_OFF && answer->kind == SM_ANSWER_ADDRESSES &&
	       answer->n_targets > 1;
}

/* A link-local address needs a zone, which DNS does not tell. */
static bool has_endpoint(const struct sm_answer *answer, uint32_t target, uint32_t address, struct sm_endpoint *ret)
{
	const struct sm_address *of = &answer->addresses[address];

	*ret = (struct sm_endpoint){*of, answer->targets[target].port};
	return ret->port != 0 && !sm_address_is_link_local(of);
}

static void on_change(void *context, struct sm_watched *watched);

struct visit {
	struct sm_targets *targets;
	const struct sm_rule *rule;
	const struct sm_name *name;
	struct sm_answer *answer;
	int64_t now_ns, until_ns; /* names lead there until then; 0: it is not in use */
	bool is_counted;
};

static bool is_marked(const struct sm_answer *answer, uint32_t target, uint32_t address, int64_t now_ns)
{
	for (uint32_t i = 0; i < answer->n_marks; i++)
		if (answer->marks[i].target == target && answer->marks[i].address == address)
			return now_ns < answer->marks[i].until_ns;
	return false;
}

static struct sm_watched *watch(const struct visit *visit, uint32_t target, uint32_t address)
{
	struct sm_targets *targets = visit->targets;
	struct sm_health *health = targets->prober.health;
	const struct sm_health_terms terms = terms_of(visit->rule);
	struct sm_endpoint endpoint;
	struct sm_watched *watched;
	bool is_new;

	if (!has_endpoint(visit->answer, target, address, &endpoint))
		return NULL;
	watched = sm_health_find(health, &endpoint);
	is_new = !watched;
	if (visit->until_ns)
		watched = sm_health_watch(health, &endpoint, &terms, visit->until_ns, visit->now_ns);
	if (!visit->until_ns || !watched)
		return watched;
	if ((visit->is_counted && sm_health_count(health, watched, &terms)) || is_new)
		targets->names[watched - health->known] = *visit->name;
	if (targets->is_adopting && is_marked(visit->answer, target, address, visit->now_ns)) {
		sm_health_adopt(health, watched, visit->now_ns);
		on_change(targets, watched);
	}
	return watched;
}

/* Watches all endpoints of the answer, and sets `marks`, which has room for SM_MARKS_MAX. */
static uint32_t watch_all(const struct visit *visit, struct sm_mark *marks)
{
	uint32_t n = 0;

	for (uint32_t target = 0; target < visit->answer->n_targets; target++) {
		uint32_t first = visit->answer->targets[target].first_address;

		for (uint32_t k = 0; k < visit->answer->targets[target].n_addresses; k++) {
			const struct sm_watched *watched = watch(visit, target, first + k);

			if (watched && watched->marked_until_ns > visit->now_ns && n < SM_MARKS_MAX)
				marks[n++] = (struct sm_mark){(uint16_t)target, (uint16_t)(first + k), watched->marked_until_ns};
		}
	}
	return n;
}

static void note_turned_away(struct sm_targets *targets)
{
	uint64_t n = targets->prober.health->n_turned_away;

	if (n > 0 && targets->n_turned_away == 0)
		sm_log(SM_LOG_WARNING, "too many targets: the health of endpoints beyond 1024 is not watched", NULL);
	targets->n_turned_away = n;
}

void sm_targets_mark(struct sm_targets *targets, const struct sm_rule *rule, const struct sm_name *name,
                     struct sm_answer *answer)
{
	static struct sm_mark marks[SM_MARKS_MAX];
	int64_t now_ns = sm_clock_now_ns();
	const struct visit visit = {
		.targets = targets,
		.rule = rule_of(targets, name), /* the job may be of an older configuration */
		.name = name,
		.answer = answer,
		.now_ns = now_ns,
		.until_ns = now_ns + sm_lifetime_ms(answer, rule) * SM_NS_PER_MS + SM_IN_USE_NS,
	};

	answer->n_marks = 0;
	if (!targets->prober.health || !is_watchable(visit.rule, answer))
		return;
	answer->n_marks = (uint16_t)watch_all(&visit, marks);
	answer->marks = marks;
	note_turned_away(targets);
	sm_prober_look_again(&targets->prober);
}

/* ---- passes over the records */

static void pass_soon(struct sm_targets *targets);
static void want_pass(struct sm_targets *targets);

/* A name is in use within its lifetime, and some time past it; where its servers are down, as long as it is given. */
static int64_t used_until_ns(const struct sm_targets *targets, const struct sm_rule *rule, const struct sm_times *times,
                             int64_t now_ns)
{
	int64_t until_ns = times->expires_ns + SM_IN_USE_NS;

	if (now_ns < until_ns)
		return until_ns;
	if (now_ns < times->stale_ns && sm_outlook_is_down(&targets->upstream->servers, rule, now_ns))
		return now_ns + SM_IN_USE_NS;
	return 0;
}

static bool have_same_marks(const struct sm_answer *answer, const struct sm_mark *marks, uint32_t n)
{
	for (uint32_t i = 0; i < n && n == answer->n_marks; i++)
		if (answer->marks[i].target != marks[i].target || answer->marks[i].address != marks[i].address ||
		    answer->marks[i].until_ns != marks[i].until_ns)
			return false;
	return n == answer->n_marks;
}

/* Counts what the record leads to, and writes it again if its marks are not those of now. true: it was written. */
static bool visit_record(struct sm_targets *targets, const struct sm_name *name, int64_t now_ns)
{
	static struct sm_mark marks[SM_MARKS_MAX];
	const struct sm_rule *rule = rule_of(targets, name);
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	struct sm_answer answer;
	struct visit visit = {
		.targets = targets,
		.rule = rule,
		.name = name,
		.answer = &answer,
		.now_ns = now_ns,
		.is_counted = true,
	};
	struct sm_times times;
	enum sm_status status;
	const void *record;
	uint32_t n_marks;
	size_t size;

	if (!rule || rule->health == SM_HEALTH_OFF || sm_owner_get(targets->owner, name, &record, &size) != SM_OK ||
	    sm_record_decode(name, record, size, &arena, &answer, &times) != SM_OK || !is_watchable(rule, &answer))
		return false;
	visit.until_ns = used_until_ns(targets, rule, &times, now_ns);
	sm_health_next_name(targets->prober.health);
	n_marks = watch_all(&visit, marks);
	if (have_same_marks(&answer, marks, n_marks))
		return false;
	answer.marks = marks;
	answer.n_marks = (uint16_t)n_marks;
	status = sm_owner_put(targets->owner, name, &answer, &times, SM_LEDGER_NOBODY, now_ns, &record, &size);
	(void)status; /* an answer that cannot be kept is no longer in the map */
	return true;
}

static void answer_asking(struct sm_targets *targets)
{
	struct sm_client *client;

	targets->text.made_ns = 0;
	while ((client = TAILQ_FIRST(&targets->asking)))
		sm_targets_list_now(targets, client);
}

static void note_written(const struct sm_targets *targets, int64_t now_ns)
{
	char records[16], ms[24];

	snprintf(records, sizeof(records), "%u", targets->n_written);
	snprintf(ms, sizeof(ms), "%lld", (long long)((now_ns - targets->wanted_ns) / SM_NS_PER_MS));
	if (targets->n_written > 0)
		sm_log(SM_LOG_DEBUG, "marks are written", "records", records, "ms", ms, NULL);
}

static void end_pass(struct sm_targets *targets, int64_t now_ns)
{
	note_written(targets, now_ns);
	uv_idle_stop(&targets->passing);
	targets->is_passing = targets->is_adopting = false;
	targets->ended_ns = now_ns;
	targets->pause_ns = targets->slices_ns * PAUSE_SHARE;
	targets->prober.health->lag_ns = targets->slices_ns + targets->pause_ns;
	sm_health_end_census(targets->prober.health, now_ns);
	note_turned_away(targets);
	answer_asking(targets);
	if (sm_health_set_marks(targets->prober.health, now_ns))
		want_pass(targets);
	else
		pass_soon(targets);
}

static void on_passing(uv_idle_t *idle)
{
	struct sm_targets *targets = idle->data;
	int64_t began_ns = sm_clock_now_ns(), now_ns = began_ns;
	uint32_t n_puts = 0;
	bool has_more = true;

	while (has_more && n_puts < PUTS_AT_ONCE && now_ns - began_ns < SLICE_NS) {
		for (int i = 0; i < VISITS_AT_ONCE && has_more && n_puts < PUTS_AT_ONCE; i++) {
			has_more = sm_owner_next(targets->owner, targets->has_begun ? &targets->at : NULL, &targets->at) == SM_OK;
			targets->has_begun = true;
			n_puts += has_more && visit_record(targets, &targets->at, now_ns);
		}
		now_ns = sm_clock_now_ns();
	}
	sm_prober_look_again(&targets->prober);
	targets->n_written += n_puts;
	targets->slices_ns += now_ns - began_ns;
	if (!has_more)
		end_pass(targets, now_ns);
}

static void begin_pass(struct sm_targets *targets)
{
	targets->is_passing = true;
	targets->is_wanted = targets->has_begun = false;
	targets->slices_ns = 0;
	targets->n_written = 0;
	sm_health_begin_census(targets->prober.health);
	uv_idle_start(&targets->passing, on_passing);
}

static void on_pause_over(uv_timer_t *timer)
{
	struct sm_targets *targets = timer->data;
	int64_t now_ns = sm_clock_now_ns();

	if (!targets->prober.health || targets->is_passing)
		return;
	if (!targets->is_wanted)
		targets->wanted_ns = now_ns;
	if (sm_health_set_marks(targets->prober.health, now_ns) || targets->is_wanted || now_ns - targets->ended_ns >= CENSUS_NS)
		begin_pass(targets);
	else
		pass_soon(targets);
}

/* When the next pass is due: at once, or when marks near their end, or at the next census; in any case after the pause. */
static void pass_soon(struct sm_targets *targets)
{
	int64_t now_ns = sm_clock_now_ns(), when_ns = targets->ended_ns + CENSUS_NS;

	if (!targets->prober.health || targets->is_passing)
		return;
	when_ns = sm_sooner(when_ns, sm_health_renews_ns(targets->prober.health));
	if (targets->is_wanted)
		when_ns = now_ns;
	if (when_ns < targets->ended_ns + targets->pause_ns)
		when_ns = targets->ended_ns + targets->pause_ns;
	targets->due_ns = when_ns;
	sm_loop_wake(&targets->pausing, on_pause_over, when_ns, now_ns);
}

static void want_pass(struct sm_targets *targets)
{
	if (!targets->is_wanted)
		targets->wanted_ns = sm_clock_now_ns();
	targets->is_wanted = true;
	pass_soon(targets);
}

/* ---- changes */

/* The log, and the records, follow. */
static void on_change(void *context, struct sm_watched *watched)
{
	struct sm_targets *targets = context;
	const struct sm_health *health = targets->prober.health;

	if (watched->told == watched->state)
		return;
	sm_endpoints_log(watched, &targets->names[watched - health->known]);
	watched->told = watched->state;
	if (sm_health_set_marks(targets->prober.health, sm_clock_now_ns()))
		want_pass(targets);
}

static bool wants_health(const struct sm_rules *rules)
{
	for (uint32_t i = 0; i < rules->n_rules; i++)
		if (rules->rules[i].health != SM_HEALTH_OFF)
			return true;
	return false;
}

static void switch_off(struct sm_targets *targets)
{
	uv_idle_stop(&targets->passing);
	uv_timer_stop(&targets->pausing);
	targets->is_passing = targets->is_wanted = false;
	targets->is_adopting = true; /* what records say then is all that is known */
	sm_prober_switch_off(&targets->prober);
	free(targets->names);
	targets->names = NULL;
	answer_asking(targets);
}

static enum sm_status switch_on(struct sm_targets *targets)
{
	if (!targets->names)
		targets->names = calloc(SM_ENDPOINTS_MAX, sizeof(*targets->names));
	return targets->names ? sm_prober_switch_on(&targets->prober) : SM_EXHAUSTED;
}

void sm_targets_follow(struct sm_targets *targets)
{
	if (!wants_health(&targets->reload->settings->conf->rules)) {
		switch_off(targets);
	} else if (switch_on(targets) != SM_OK) {
		sm_log(SM_LOG_WARNING, "the health of targets is not watched: out of memory", NULL);
	} else {
		want_pass(targets);
	}
}

void sm_targets_network_changed(struct sm_targets *targets)
{
	if (targets->prober.health)
		sm_health_network_changed(targets->prober.health, sm_clock_now_ns());
	sm_prober_look_again(&targets->prober);
}

void sm_targets_before_waiting(struct sm_targets *targets)
{
	sm_prober_begin_probes(&targets->prober);
}

/* After a suspend the loop's timers are late, but not the ends of marks. */
static void on_tick(void *context)
{
	struct sm_targets *targets = context;

	if (!targets->is_passing && sm_clock_now_ns() >= targets->due_ns)
		pass_soon(targets);
}

enum sm_status sm_targets_start(struct sm_targets *targets)
{
	TAILQ_INIT(&targets->asking);
	targets->prober.loop = targets->loop;
	targets->prober.tell = on_change;
	targets->prober.tick = on_tick;
	targets->prober.context = targets;
	targets->is_adopting = true;
	uv_idle_init(targets->loop, &targets->passing);
	uv_timer_init(targets->loop, &targets->pausing);
	targets->passing.data = targets->pausing.data = targets;
	if (sm_prober_start(&targets->prober) != SM_OK)
		return SM_EXHAUSTED;
	sm_targets_follow(targets);
	return SM_OK;
}

void sm_targets_stop(struct sm_targets *targets)
{
	switch_off(targets);
	free(targets->text.text);
	targets->text = (struct sm_endpoints_text){.text = NULL};
	sm_prober_stop(&targets->prober);
	uv_close((uv_handle_t *)&targets->passing, NULL);
	uv_close((uv_handle_t *)&targets->pausing, NULL);
}

/* ---- the table */

void sm_targets_list(struct sm_targets *targets, struct sm_client *client)
{
	bool is_exact = sm_clock_now_ns() - targets->ended_ns < EXACT_NS;

	if (!targets->prober.health || is_exact) {
		sm_endpoints_reply(&targets->text, targets->prober.health, targets->names, client);
		return;
	}
	TAILQ_INSERT_TAIL(&targets->asking, client, asking);
	client->is_asking = true;
	sm_client_wait(client, LISTING_MS);
	if (!targets->is_passing)
		want_pass(targets);
}

void sm_targets_list_now(struct sm_targets *targets, struct sm_client *client)
{
	sm_targets_forget(targets, client);
	sm_endpoints_reply(&targets->text, targets->prober.health, targets->names, client);
}

struct sm_targets_usage sm_targets_usage(const struct sm_targets *targets)
{
	const struct sm_health *health = targets->prober.health;
	struct sm_targets_usage usage = {.n_probes = targets->prober.n_probes, .n_turned_away = targets->n_turned_away};

	for (uint32_t i = 0; health && i < health->top; i++)
		usage.n_down += health->known[i].is_used && health->known[i].state == SM_HEALTH_DOWN;
	usage.n_watched = health ? health->n : 0;
	return usage;
}

void sm_targets_forget(struct sm_targets *targets, struct sm_client *client)
{
	if (client->is_asking)
		TAILQ_REMOVE(&targets->asking, client, asking);
	client->is_asking = false;
}
