/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "health/health.h"

#include "base/random.h"
#include "mesh/choose.h"
#include "tests/answer.h"
#include "tests/test.h"

#define MS 1000000LL
#define S (1000 * MS)

static struct sm_health health;
static const struct sm_health_terms lazy = {SM_HEALTH_LAZY, 10000, 1000, 2, 1}, tcp = {SM_HEALTH_TCP, 10000, 1000, 2, 1};
static int64_t now_ns;
static uint64_t last_cookie; /* of a connection without an answer */

static int fresh(void **state)
{
	(void)state;
	sm_health_init(&health, 20261126);
	now_ns = 1000 * S;
	return 0;
}

static struct sm_endpoint endpoint_of(uint32_t number)
{
	return (struct sm_endpoint){{SM_IPV4, {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number}}, 80};
}

static struct sm_watched *watch(uint32_t number, const struct sm_health_terms *terms)
{
	struct sm_endpoint endpoint = endpoint_of(number);
	struct sm_watched *watched = sm_health_watch(&health, &endpoint, terms, now_ns + 3600 * S, now_ns);

	assert_non_null(watched);
	return watched;
}

/* The next probe, as soon as it is due; what comes of it after a millisecond. */
static struct sm_watched *probe(enum sm_health_reason result)
{
	struct sm_watched *watched = sm_health_begin_probe(&health, now_ns);

	while (!watched) {
		assert_true(sm_health_wakes_ns(&health) < INT64_MAX);
		now_ns = sm_health_wakes_ns(&health);
		watched = sm_health_begin_probe(&health, now_ns);
	}
	now_ns += 1 * MS;
	sm_health_end_probe(&health, watched, result, now_ns);
	return watched;
}

static void go_down(struct sm_watched *watched)
{
	sm_health_doubt(watched, ++last_cookie, now_ns);
	while (watched->state != SM_HEALTH_DOWN)
		probe(SM_REASON_SILENT);
}

/* ---- the way down, and up */

static void what_nobody_doubts_is_never_probed(void **state)
{
	(void)state;
	watch(1, &lazy);
	watch(2, &lazy);
	assert_int_equal(sm_health_wakes_ns(&health), INT64_MAX);
	now_ns += 3600 * S;
	assert_null(sm_health_begin_probe(&health, now_ns));
}

static void a_doubt_is_probed_at_once_and_counts_as_up(void **state)
{
	struct sm_watched *watched = watch(1, &lazy);

	(void)state;
	sm_health_doubt(watched, ++last_cookie, now_ns);
	assert_int_equal(watched->state, SM_HEALTH_DOUBT);
	assert_false(sm_health_set_marks(&health, now_ns));
	assert_ptr_equal(sm_health_begin_probe(&health, now_ns), watched);
	sm_health_end_probe(&health, watched, SM_REASON_SILENT, now_ns + 1 * S);
	assert_int_equal(watched->state, SM_HEALTH_DOWN); /* two failures: the connection's, and the probe's */
	assert_int_equal(watched->reason, SM_REASON_SILENT);
}

static void a_doubt_alone_never_leads_down(void **state)
{
	static const struct sm_health_terms once = {SM_HEALTH_LAZY, 10000, 1000, 1, 1};
	struct sm_watched *watched = watch(1, &once);

	(void)state;
	for (int i = 0; i < 600; i++) {
		sm_health_doubt(watched, ++last_cookie, now_ns);
		if (watched->state == SM_HEALTH_DOUBT)
			probe(SM_REASON_ANSWERED);
		assert_int_equal(watched->state, SM_HEALTH_UP);
		now_ns += 1 * S;
	}
}

/* A user who raises a doubt each second, by ever new connections, costs a living target a probe in some seconds. */
static void refuted_doubts_are_bounded(void **state)
{
	struct sm_watched *watched = watch(1, &lazy);
	int n_probes = 0;

	(void)state;
	for (int i = 0; i < 600; i++, now_ns += 1 * S) {
		sm_health_doubt(watched, ++last_cookie, now_ns);
		if (watched->state != SM_HEALTH_DOUBT)
			continue;
		probe(SM_REASON_ANSWERED);
		n_probes++;
	}
	assert_in_range(n_probes, 150, 310);
}

/* What never gets an answer raises one doubt, and keeps nobody from raising others. */
static void a_connection_that_was_wrong_is_not_heard_again(void **state)
{
	struct sm_watched *watched = watch(1, &lazy);

	(void)state;
	sm_health_doubt(watched, 7, now_ns);
	probe(SM_REASON_ANSWERED);
	now_ns += 1 * S;
	sm_health_doubt(watched, 8, now_ns); /* it waited then already */
	for (int i = 0; i < 600; i++, now_ns += 1 * S)
		for (uint64_t cookie = 7; cookie < 9; cookie++) {
			sm_health_doubt(watched, cookie, now_ns);
			assert_int_equal(watched->state, SM_HEALTH_UP);
		}
	sm_health_doubt(watched, 9, now_ns);
	assert_int_equal(watched->state, SM_HEALTH_DOUBT);
}

static void a_doubt_is_probed_each_second_until_it_is_decided(void **state)
{
	static const struct sm_health_terms slow = {SM_HEALTH_LAZY, 10000, 400, 4, 1};
	struct sm_watched *watched = watch(1, &slow);
	int64_t began_ns = now_ns;

	(void)state;
	sm_health_doubt(watched, ++last_cookie, now_ns);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(watched->state, SM_HEALTH_DOUBT);
		probe(SM_REASON_SILENT);
	}
	assert_int_equal(watched->state, SM_HEALTH_DOWN);
	assert_in_range((now_ns - began_ns) / MS, 2000, 2010);
}

static void tcp_probes_once_an_interval_and_never_later(void **state)
{
	struct sm_watched *watched = watch(1, &tcp);
	int64_t last_ns = now_ns;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_ptr_equal(probe(SM_REASON_ANSWERED), watched);
		assert_in_range((now_ns - last_ns) / MS, i == 0 ? 0 : 7999, 10001);
		last_ns = now_ns;
	}
}

static void a_routine_probe_that_fails_is_followed_by_others_each_second(void **state)
{
	struct sm_watched *watched = watch(1, &tcp);

	(void)state;
	probe(SM_REASON_REFUSED);
	assert_int_equal(watched->state, SM_HEALTH_DOUBT);
	assert_int_equal(watched->due_ns - watched->probed_ns, 1 * S);
	probe(SM_REASON_REFUSED);
	assert_int_equal(watched->state, SM_HEALTH_DOWN);
	assert_int_equal(watched->reason, SM_REASON_REFUSED);
}

static void what_is_down_is_probed_less_and_less(void **state)
{
	static const int64_t pauses_s[] = {10, 20, 40, 60, 60};
	struct sm_watched *watched = watch(1, &lazy);

	(void)state;
	go_down(watched);
	for (size_t i = 0; i < COUNT(pauses_s); i++) {
		assert_in_range((watched->due_ns - now_ns) / MS, pauses_s[i] * 800, pauses_s[i] * 1000);
		probe(SM_REASON_SILENT);
		assert_int_equal(watched->state, SM_HEALTH_DOWN);
	}
	probe(SM_REASON_ANSWERED);
	assert_int_equal(watched->state, SM_HEALTH_UP);
	assert_int_equal(watched->due_ns, INT64_MAX);
}

static void it_rises_by_as_many_answers_as_the_rule_wants(void **state)
{
	static const struct sm_health_terms careful = {SM_HEALTH_LAZY, 10000, 1000, 2, 3};
	struct sm_watched *watched = watch(1, &careful);

	(void)state;
	go_down(watched);
	probe(SM_REASON_ANSWERED);
	probe(SM_REASON_ANSWERED);
	probe(SM_REASON_SILENT);
	assert_int_equal(watched->n_successes, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(watched->state, SM_HEALTH_DOWN);
		probe(SM_REASON_ANSWERED);
	}
	assert_int_equal(watched->state, SM_HEALTH_UP);
}

static void a_fault_of_this_host_says_nothing(void **state)
{
	struct sm_watched *watched = watch(1, &tcp), *down = watch(2, &lazy);

	(void)state;
	go_down(down);
	for (int i = 0; i < 50; i++)
		probe(SM_REASON_UNKNOWN);
	assert_int_equal(watched->state, SM_HEALTH_UP);
	assert_int_equal(down->state, SM_HEALTH_DOWN);
}

/* ---- connections */

static void a_new_connection_is_proof_and_an_old_one_is_not(void **state)
{
	struct sm_watched *watched = watch(1, &lazy);
	static const uint64_t old[] = {7, 8}, with_new[] = {8, 9};

	(void)state;
	go_down(watched);
	assert_true(sm_health_wants_connections(watched, now_ns));
	for (int i = 0; i < 5; i++)
		sm_health_connections(&health, watched, old, 2, true, now_ns); /* the first list after the failure, and later ones */
	assert_int_equal(watched->state, SM_HEALTH_DOWN);
	sm_health_connections(&health, watched, with_new, 2, true, now_ns);
	assert_int_equal(watched->state, SM_HEALTH_UP);
	assert_int_equal(watched->reason, SM_REASON_CONNECTION);
}

/* What was there before the last failure cannot be told from what was made before it. */
static void after_each_failure_the_list_begins_anew(void **state)
{
	struct sm_watched *watched = watch(1, &lazy);
	static const uint64_t one[] = {7}, two[] = {7, 8};

	(void)state;
	go_down(watched);
	sm_health_connections(&health, watched, one, 1, true, now_ns);
	probe(SM_REASON_SILENT);
	sm_health_connections(&health, watched, two, 2, true, now_ns);
	assert_int_equal(watched->state, SM_HEALTH_DOWN);
}

static void a_list_that_is_not_whole_is_no_beginning(void **state)
{
	struct sm_watched *watched = watch(1, &lazy);
	static const uint64_t one[] = {7}, two[] = {7, 8};

	(void)state;
	go_down(watched);
	sm_health_connections(&health, watched, one, 1, false, now_ns);
	sm_health_connections(&health, watched, two, 2, true, now_ns);
	assert_int_equal(watched->state, SM_HEALTH_DOWN);
}

/* Not more than that: it does not show that new ones are accepted. */
static void an_open_connection_spares_every_second_routine_probe(void **state)
{
	struct sm_watched *watched = watch(1, &tcp);
	static const uint64_t one[] = {7};
	int n_probes = 0;

	(void)state;
	for (int i = 0; i < 600; i++, now_ns += 1 * S) {
		if (sm_health_wants_connections(watched, now_ns))
			sm_health_connections(&health, watched, one, 1, true, now_ns);
		if (sm_health_begin_probe(&health, now_ns)) {
			sm_health_end_probe(&health, watched, SM_REASON_ANSWERED, now_ns);
			n_probes++;
		}
	}
	assert_in_range(n_probes, 28, 36);
}

/* ---- many endpoints */

static void endpoints_are_shared_and_bounded(void **state)
{
	struct sm_endpoint one = endpoint_of(1), another = endpoint_of(5000);

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct sm_watched *watched = watch(1, &tcp);

		assert_ptr_equal(watched, sm_health_find(&health, &one));
	}
	assert_int_equal(health.n, 1);
	for (uint32_t i = 2; i <= SM_ENDPOINTS_MAX; i++)
		watch(i, &lazy);
	assert_null(sm_health_watch(&health, &another, &lazy, now_ns + S, now_ns));
	assert_int_equal(health.n_turned_away, 1);
	for (uint32_t i = 1; i <= SM_ENDPOINTS_MAX; i++) {
		struct sm_endpoint endpoint = endpoint_of(i);

		assert_non_null(sm_health_find(&health, &endpoint));
	}
}

static void what_no_name_in_use_leads_to_is_forgotten(void **state)
{
	struct sm_endpoint one = endpoint_of(1), two = endpoint_of(2);
	struct sm_watched *first = watch(1, &lazy), *second = watch(2, &lazy);

	(void)state;
	first->needed_until_ns = now_ns + 1 * S;
	now_ns += 2 * S;
	sm_health_begin_census(&health);
	for (int i = 0; i < 200; i++) {
		sm_health_next_name(&health);
		assert_int_equal(sm_health_count(&health, second, i < 100 ? &lazy : &tcp), i == 0);
		assert_false(sm_health_count(&health, second, &lazy)); /* the same name, by another target */
	}
	sm_health_end_census(&health, now_ns);
	assert_null(sm_health_find(&health, &one));
	assert_ptr_equal(sm_health_find(&health, &two), second);
	assert_int_equal(second->n_names, 200);
	assert_int_equal(second->terms.mode, SM_HEALTH_TCP);
	sm_health_begin_census(&health);
	sm_health_next_name(&health);
	assert_true(sm_health_count(&health, second, &lazy));
	sm_health_end_census(&health, now_ns);
	assert_int_equal(second->terms.mode, SM_HEALTH_LAZY); /* nobody wants tcp any more */
	assert_int_equal(sm_health_wakes_ns(&health), INT64_MAX);
}

/* To what no record leads any more no probe goes for long. */
static void what_no_name_leads_to_is_watched_a_minute_more(void **state)
{
	struct sm_endpoint one = endpoint_of(1);

	(void)state;
	watch(1, &tcp); /* for an hour */
	for (int i = 0; i < 2; i++) {
		assert_non_null(sm_health_find(&health, &one));
		sm_health_begin_census(&health);
		sm_health_end_census(&health, now_ns);
		now_ns += 61 * S;
	}
	assert_null(sm_health_find(&health, &one));
}

static void no_more_than_64_probes_are_under_way(void **state)
{
	struct sm_watched *first = NULL;
	int n = 0;

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		sm_health_doubt(watch(i, &lazy), ++last_cookie, now_ns);
	for (int i = 0; i < 1000; i++, now_ns += 50 * MS) {
		struct sm_watched *watched = sm_health_begin_probe(&health, now_ns);

		n += watched != NULL;
		first = first ? first : watched;
	}
	assert_int_equal(n, SM_PROBES_MAX);
	assert_int_equal(sm_health_wakes_ns(&health), INT64_MAX);
	sm_health_end_probe(&health, first, SM_REASON_SILENT, now_ns);
	assert_non_null(sm_health_begin_probe(&health, now_ns));
}

/* 1,000 endpoints down: the budget holds, nobody starves, and probes are spread evenly. */
static void a_thousand_endpoints_down_share_the_budget(void **state)
{
	static bool was_probed[SM_ENDPOINTS_MAX];
	unsigned in_second[60] = {0}, n_probed = 0;
	double chi = 0;
	int64_t began_ns;

	(void)state;
	for (uint32_t i = 1; i <= 1000; i++)
		sm_health_doubt(watch(i, &lazy), ++last_cookie, now_ns);
	began_ns = now_ns;
	while (now_ns < began_ns + 180 * S)
		probe(SM_REASON_SILENT); /* let it settle */
	began_ns = now_ns;
	for (;;) {
		struct sm_watched *watched = probe(SM_REASON_SILENT);

		if (now_ns >= began_ns + 60 * S)
			break;
		in_second[(now_ns - began_ns) / S]++;
		was_probed[watched - health.known] = true;
		assert_int_equal(watched->state, SM_HEALTH_DOWN);
	}
	for (int i = 0; i < 60; i++) {
		assert_true(in_second[i] <= 20);
		chi += (in_second[i] - 16.7) * (in_second[i] - 16.7) / 16.7;
	}
	assert_true(chi < 98.3); /* p = 0.001 at 59 degrees of freedom */
	sm_health_set_marks(&health, now_ns);
	for (uint32_t i = 0; i < 1000; i++) {
		n_probed += was_probed[i];
		assert_true(health.known[i].marked_until_ns > now_ns);
	}
	assert_true(n_probed > 900); /* once in 50 to 63 seconds */
}

/* Doubts, which anybody can raise, do not keep the others from being probed. */
static void doubts_do_not_take_all_probes(void **state)
{
	struct sm_watched *down = watch(5000, &lazy);
	int n_own = 0;

	(void)state;
	go_down(down);
	for (uint32_t i = 1; i <= 900; i++)
		watch(i, &lazy);
	for (int i = 0; i < 2000; i++) {
		for (uint32_t k = 0; k < health.top; k++)
			sm_health_doubt(&health.known[k], ++last_cookie, now_ns);
		n_own += probe(SM_REASON_UNKNOWN) == down;
	}
	assert_true(n_own >= 1);
	assert_true(down->due_ns > now_ns - 2 * S);
}

/* ---- marks */

static void a_mark_ends_by_itself_and_is_renewed_before(void **state)
{
	struct sm_watched *watched = watch(1, &lazy);
	int64_t until_ns;

	(void)state;
	go_down(watched);
	assert_true(sm_health_set_marks(&health, now_ns));
	assert_false(sm_health_set_marks(&health, now_ns));
	until_ns = watched->marked_until_ns;
	assert_int_equal(until_ns, watched->due_ns + 6 * S);
	assert_int_equal(sm_health_renews_ns(&health), until_ns - 4 * S);
	probe(SM_REASON_SILENT);
	now_ns += 3 * S;
	assert_true(sm_health_set_marks(&health, now_ns));
	assert_true(watched->marked_until_ns > until_ns);
	probe(SM_REASON_ANSWERED);
	assert_true(sm_health_set_marks(&health, now_ns));
	assert_int_equal(watched->marked_until_ns, 0);
	assert_int_equal(sm_health_renews_ns(&health), INT64_MAX);
}

static void what_records_say_from_before_the_start_holds_until_a_probe(void **state)
{
	struct sm_watched *watched = watch(1, &lazy);

	(void)state;
	sm_health_adopt(&health, watched, now_ns);
	assert_int_equal(watched->state, SM_HEALTH_DOWN);
	assert_ptr_equal(probe(SM_REASON_ANSWERED), watched);
	assert_int_equal(watched->state, SM_HEALTH_UP);
	sm_health_adopt(&health, watched, now_ns);
	assert_int_equal(watched->state, SM_HEALTH_UP);
}

static void another_network_is_probed_soon(void **state)
{
	struct sm_watched *watched = watch(1, &lazy);

	(void)state;
	go_down(watched);
	for (int i = 0; i < 4; i++)
		probe(SM_REASON_SILENT);
	sm_health_network_changed(&health, now_ns);
	assert_true(watched->due_ns <= now_ns + 10 * S);
	assert_int_equal(watched->state, SM_HEALTH_DOWN); /* nothing was proved yet */
}

/* ---- random histories: what holds whatever happens */

#define HISTORIES 100000
#define TARGETS 6
#define STEPS 48

ROOMY_ANSWER(answer);
static uint64_t chance;

static uint32_t draw(uint32_t n)
{
	return (uint32_t)(sm_random_step(&chance) % n);
}

/* The world that is probed. */
static struct {
	struct sm_watched *watched;
	bool is_alive, was_always_alive;
	uint64_t newest;    /* connection to it, */
	uint64_t at_failure; /* and the newest one when a probe last failed */
} world[TARGETS];

/* Targets in use, as a program sees them with these marks. */
static void check_choice(const struct sm_health_terms *terms)
{
	static struct sm_choice choice;
	struct sm_rule rule = {.answers = SM_ANSWERS_ALL, .max_answers = TARGETS, .health = terms->mode, .health_panic_percent = 50};
	uint32_t n_up = 0;

	answer.kind = SM_ANSWER_ADDRESSES;
	answer.n_targets = answer.n_addresses = TARGETS;
	answer.n_marks = 0;
	for (uint16_t i = 0; i < TARGETS; i++) {
		answer.targets[i] = (struct sm_target){"t", 0, 1, 80, i, 1, .is_marked = world[i].watched->marked_until_ns > now_ns};
		answer.addresses[i] = world[i].watched->is.address;
		answer.ranks[i] = 1;
		if (world[i].watched->marked_until_ns > now_ns)
			answer.marks[answer.n_marks++] = (struct sm_mark){i, i, world[i].watched->marked_until_ns};
		else
			n_up++;
	}
	sm_choose(&answer, &rule, SM_IPV4, NULL, sm_random_step(&chance), now_ns, &choice);
	assert_int_equal(choice.n_addresses, n_up * 2 < TARGETS ? TARGETS : n_up);
}

static struct {
	struct sm_watched *watched;
	int64_t until_ns;
} under_way[SM_PROBES_MAX];
static uint32_t n_under_way;
static int64_t last_begin_ns;

static uint32_t number_of(const struct sm_watched *watched)
{
	for (uint32_t i = 0; i < TARGETS; i++)
		if (world[i].watched == watched)
			return i;
	fail_msg("a stranger is probed");
	return 0;
}

static void end_probe(uint32_t at)
{
	struct sm_watched *watched = under_way[at].watched;
	enum sm_health_state before = watched->state;
	uint32_t which = number_of(watched);
	enum sm_health_reason result = SM_REASON_ANSWERED;

	if (draw(20) == 0)
		result = SM_REASON_UNKNOWN;
	else if (!world[which].is_alive)
		result = draw(2) ? SM_REASON_SILENT : SM_REASON_REFUSED;
	under_way[at] = under_way[--n_under_way];
	sm_health_end_probe(&health, watched, result, now_ns);
	if (result == SM_REASON_SILENT || result == SM_REASON_REFUSED)
		world[which].at_failure = world[which].newest;
	if (before == SM_HEALTH_DOWN && watched->state != SM_HEALTH_DOWN)
		assert_int_equal(result, SM_REASON_ANSWERED);
	if (before != SM_HEALTH_DOWN && watched->state == SM_HEALTH_DOWN)
		assert_true(result == SM_REASON_SILENT || result == SM_REASON_REFUSED);
}

static void begin_probes(void)
{
	struct sm_watched *watched;

	while ((watched = sm_health_begin_probe(&health, now_ns))) {
		assert_true(now_ns - last_begin_ns >= SM_PROBE_GAP_NS);
		assert_true(n_under_way < SM_PROBES_MAX);
		last_begin_ns = now_ns;
		under_way[n_under_way].watched = watched;
		under_way[n_under_way++].until_ns = now_ns + (int64_t)draw(1000) * MS;
	}
	assert_int_equal(health.n_probing, n_under_way);
}

/* What other users and the network do. */
static void happen(void)
{
	uint32_t which = draw(TARGETS);
	struct sm_watched *watched = world[which].watched;
	enum sm_health_state before = watched->state;
	uint64_t cookies[2] = {1, world[which].newest};

	switch (draw(6)) {
	case 0:
		world[which].is_alive = draw(3) > 0;
		world[which].was_always_alive &= world[which].is_alive;
		return;
	case 1:
	case 2:
		sm_health_doubt(watched, ++last_cookie, now_ns);
		assert_true(watched->state != SM_HEALTH_DOWN || before == SM_HEALTH_DOWN);
		return;
	case 3:
		world[which].newest += world[which].is_alive; /* a connection was made */
		cookies[1] = world[which].newest;
		/* fall through */
	case 4:
		sm_health_connections(&health, watched, cookies, 2, draw(4) > 0, now_ns);
		if (before == SM_HEALTH_DOWN && watched->state != SM_HEALTH_DOWN)
			assert_true(world[which].newest > world[which].at_failure);
		return;
	default:
		sm_health_network_changed(&health, now_ns);
		assert_true(watched->state == before);
	}
}

static void step(const struct sm_health_terms *terms)
{
	int64_t next_ns = now_ns + (int64_t)draw(3000) * MS, due_ns = sm_health_wakes_ns(&health);

	for (uint32_t i = 0; i < n_under_way; i++)
		if (under_way[i].until_ns < next_ns)
			next_ns = under_way[i].until_ns;
	if (due_ns < next_ns)
		next_ns = due_ns;
	now_ns = next_ns > now_ns ? next_ns : now_ns;
	for (uint32_t i = n_under_way; i-- > 0;)
		if (under_way[i].until_ns <= now_ns)
			end_probe(i);
	if (draw(2))
		happen();
	begin_probes();
	sm_health_set_marks(&health, now_ns);
	for (uint32_t i = 0; i < TARGETS; i++) {
		bool is_down = world[i].watched->state == SM_HEALTH_DOWN;

		assert_int_equal(is_down, world[i].watched->marked_until_ns > now_ns);
		assert_true(!is_down || !world[i].was_always_alive); /* nobody can make it so */
	}
	check_choice(terms);
}

static void whatever_happens_the_promises_hold(void **state)
{
	(void)state;
	ROOMY_ANSWER_CLEAR(answer);
	for (uint32_t history = 0; history < HISTORIES; history++) {
		const struct sm_health_terms terms = {history % 2 ? SM_HEALTH_TCP : SM_HEALTH_LAZY, 1000 + history % 7 * 3000, 400 + history % 5 * 400,
		                                      1 + history % 4, 1 + history % 3};

		chance = history;
		n_under_way = 0;
		last_begin_ns = 0;
		health.may_probe_ns = 0;
		health.n_probing = 0;
		for (uint32_t i = 0; i < TARGETS; i++) {
			world[i].watched = watch(i, &terms);
			world[i].is_alive = world[i].was_always_alive = true;
			world[i].newest = world[i].at_failure = 2;
		}
		for (int i = 0; i < STEPS; i++)
			step(&terms);
		for (uint32_t i = 0; i < TARGETS; i++) {
			world[i].watched->is_probing = false;
			world[i].watched->needed_until_ns = 0;
		}
		sm_health_begin_census(&health);
		sm_health_end_census(&health, now_ns);
		assert_int_equal(health.n, 0);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)
static const struct CMUnitTest tests[] = {
	TEST(what_nobody_doubts_is_never_probed),
	TEST(a_doubt_is_probed_at_once_and_counts_as_up),
	TEST(a_doubt_alone_never_leads_down),
	TEST(refuted_doubts_are_bounded),
	TEST(a_connection_that_was_wrong_is_not_heard_again),
	TEST(a_doubt_is_probed_each_second_until_it_is_decided),
	TEST(tcp_probes_once_an_interval_and_never_later),
	TEST(a_routine_probe_that_fails_is_followed_by_others_each_second),
	TEST(what_is_down_is_probed_less_and_less),
	TEST(it_rises_by_as_many_answers_as_the_rule_wants),
	TEST(a_fault_of_this_host_says_nothing),
	TEST(a_new_connection_is_proof_and_an_old_one_is_not),
	TEST(after_each_failure_the_list_begins_anew),
	TEST(a_list_that_is_not_whole_is_no_beginning),
	TEST(an_open_connection_spares_every_second_routine_probe),
	TEST(endpoints_are_shared_and_bounded),
	TEST(what_no_name_in_use_leads_to_is_forgotten),
	TEST(what_no_name_leads_to_is_watched_a_minute_more),
	TEST(no_more_than_64_probes_are_under_way),
	TEST(a_thousand_endpoints_down_share_the_budget),
	TEST(doubts_do_not_take_all_probes),
	TEST(a_mark_ends_by_itself_and_is_renewed_before),
	TEST(what_records_say_from_before_the_start_holds_until_a_probe),
	TEST(another_network_is_probed_soon),
	TEST(whatever_happens_the_promises_hold),
};

TESTS_MAIN(tests)
