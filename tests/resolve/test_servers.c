/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resolve/servers.h"

#include "resolve/outlook.h"
#include "resolve/table.h"
#include "tests/test.h"

#define MS 1000000LL
#define S (1000 * MS)
#define BEGAN (100 * S)

/* Three servers 10.0.0.0, 10.0.0.1, 10.0.0.2. */
static struct sm_rule rule;
static struct sm_servers servers;
static int64_t now_ns;

static int begin(void **state)
{
	(void)state;
	rule = (struct sm_rule){.n_servers = 3, .timeout_ms = 500};
	for (uint8_t i = 0; i < 3; i++)
		rule.servers[i] = (struct sm_server){.address = {SM_IPV4, {10, 0, 0, i}}, .port = 53};
	sm_servers_init(&servers, 42);
	now_ns = BEGAN;
	return 0;
}

static struct sm_sent sent(uint32_t i)
{
	return sm_servers_sent(&servers, &rule.servers[i], now_ns);
}

static void hear(uint32_t i, int64_t rtt_ns)
{
	struct sm_sent token = sent(i);

	now_ns += rtt_ns;
	sm_servers_heard(&servers, &rule.servers[i], &token, SM_HEARD_GOOD, now_ns);
}

static void be_bad(uint32_t i, enum sm_heard what)
{
	struct sm_sent token = sent(i);

	now_ns += MS;
	sm_servers_heard(&servers, &rule.servers[i], &token, what, now_ns);
}

static void be_silent(uint32_t i, uint32_t name)
{
	struct sm_sent token = sent(i);

	now_ns += 500 * MS;
	sm_servers_silent(&servers, &rule.servers[i], &token, name, now_ns);
}

static const struct sm_server_known *known(uint32_t i)
{
	return sm_servers_find(&servers, &rule.servers[i]);
}

static void assert_order(const char *expected)
{
	uint8_t order[SM_SERVERS_MAX];
	char text[4] = "";

	sm_servers_order(&servers, &rule, false, now_ns, order);
	for (int i = 0; i < 3; i++)
		text[i] = (char)('0' + order[i]);
	assert_string_equal(text, expected);
}

static bool is_lasting(int64_t at_ns)
{
	return sm_outlook_of(&servers, &rule, at_ns).is_lasting;
}

static void unknown_servers_are_asked_as_configured(void **state)
{
	(void)state;
	assert_order("012");
	assert_int_equal(sm_servers_hedge_ns(&servers, &rule, 0, now_ns), 150 * MS);
	rule.timeout_ms = 100;
	assert_int_equal(sm_servers_hedge_ns(&servers, &rule, 0, now_ns), 50 * MS);
}

static void the_hedge_follows_the_round_trips_of_rfc_6298(void **state)
{
	(void)state;
	hear(0, 40 * MS);
	assert_int_equal(known(0)->srtt_us, 40000);
	assert_int_equal(known(0)->var_us, 20000);
	assert_int_equal(sm_servers_hedge_ns(&servers, &rule, 0, now_ns), 120 * MS);
	for (int i = 0; i < 100; i++)
		hear(0, 40 * MS);
	assert_int_equal(sm_servers_hedge_ns(&servers, &rule, 0, now_ns) / MS, 40);
	for (int i = 0; i < 100; i++)
		hear(0, MS);
	assert_int_equal(sm_servers_hedge_ns(&servers, &rule, 0, now_ns), 20 * MS); /* the least, */
	for (int i = 0; i < 100; i++)
		hear(0, 400 * MS);
	assert_int_equal(sm_servers_hedge_ns(&servers, &rule, 0, now_ns), 250 * MS); /* and the most */
}

static void a_server_far_slower_than_the_best_stands_behind_until_it_is_no_longer(void **state)
{
	(void)state;
	hear(0, 450 * MS);
	assert_order("012"); /* nothing is known of the others */
	hear(1, 2 * MS);
	assert_order("120");
	for (int i = 0; i < 50; i++)
		hear(0, MS);
	assert_order("012");
	hear(2, 45 * MS);
	assert_order("012"); /* 22 times as slow, but not by 50 ms */
}

static void two_failures_make_a_server_unusable_and_one_does_not(void **state)
{
	(void)state;
	be_silent(0, 1);
	assert_order("012");
	be_silent(0, 1);
	assert_order("120");
	assert_int_equal(known(0)->backoff_ms, 1000);
	assert_in_range(known(0)->retry_ns - now_ns, 750 * MS, 1250 * MS);
}

static void refusals_count_and_servfails_only_beside_a_failure(void **state)
{
	(void)state;
	be_bad(0, SM_HEARD_BAD);
	be_bad(0, SM_HEARD_BAD);
	be_bad(1, SM_HEARD_UNREACHABLE);
	be_bad(1, SM_HEARD_UNREACHABLE);
	for (int i = 0; i < 20; i++)
		be_bad(2, SM_HEARD_POOR);
	assert_order("201");
	be_silent(2, 1);
	assert_int_equal(known(2)->backoff_ms, 1000);
}

static void a_server_that_declines_what_is_not_its_own_has_not_failed(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		be_bad(0, SM_HEARD_ALIVE);
	assert_order("012");
}

static void the_time_doubles_up_to_thirty_seconds_jitter_included(void **state)
{
	static const uint32_t steps[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};

	(void)state;
	be_silent(0, 1);
	for (size_t i = 0; i < COUNT(steps); i++) {
		be_silent(0, 1);
		assert_int_equal(known(0)->backoff_ms, steps[i]);
		assert_in_range(known(0)->retry_ns - now_ns, steps[i] * MS * 3 / 4, 30000 * MS);
	}
}

static void a_burst_of_silences_is_one(void **state)
{
	struct sm_sent burst[30];

	(void)state;
	for (int i = 0; i < 30; i++)
		burst[i] = sent(0);
	now_ns += 500 * MS;
	for (int i = 0; i < 30; i++)
		sm_servers_silent(&servers, &rule.servers[0], &burst[i], 1, now_ns + i);
	assert_int_equal(known(0)->n_failures, 1);
	assert_order("012");
	for (int i = 0; i < 30; i++)
		burst[i] = sent(0);
	now_ns += 500 * MS;
	for (int i = 0; i < 30; i++)
		sm_servers_silent(&servers, &rule.servers[0], &burst[i], 1, now_ns + i);
	assert_int_equal(known(0)->backoff_ms, 1000);
}

static void a_good_message_forgives_everything_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		be_silent(0, (uint32_t)i);
	assert_order("120");
	hear(0, MS);
	assert_order("012");
	assert_int_equal(known(0)->n_failures, 0);
	assert_int_equal(known(0)->backoff_ms, 0);
	assert_int_equal(sm_outlook_of(&servers, &rule, now_ns).back_ns, now_ns);
}

static void a_silence_does_not_count_where_the_server_answered_others_meanwhile(void **state)
{
	struct sm_sent broken;

	(void)state;
	for (int i = 0; i < 10; i++) {
		broken = sent(0);
		now_ns += MS;
		hear(0, MS);
		now_ns += 500 * MS;
		sm_servers_silent(&servers, &rule.servers[0], &broken, (uint32_t)i, now_ns);
	}
	assert_int_equal(known(0)->n_failures, 0);
	assert_int_equal(known(0)->n_names, 0);
	sm_servers_overtaken(&servers, &rule.servers[0], &broken, now_ns);
	assert_order("012");
}

static void an_overtaken_server_stands_behind_until_it_is_heard(void **state)
{
	struct sm_sent waiting = sent(0);

	(void)state;
	now_ns += 150 * MS;
	sm_servers_overtaken(&servers, &rule.servers[0], &waiting, now_ns);
	assert_order("120");
	assert_true(sm_servers_is_worse_since(&servers, &rule.servers[0], waiting.at_ns));
	assert_false(sm_servers_is_worse_since(&servers, &rule.servers[0], now_ns));
	assert_int_equal(servers.n_overtaken, 1);
	sm_servers_heard(&servers, &rule.servers[0], &waiting, SM_HEARD_GOOD, now_ns + MS);
	assert_order("012");
}

static void an_overtaken_server_that_stays_silent_backs_off_at_once(void **state)
{
	struct sm_sent waiting = sent(0);

	(void)state;
	now_ns += 150 * MS;
	sm_servers_overtaken(&servers, &rule.servers[0], &waiting, now_ns);
	now_ns += 350 * MS;
	sm_servers_silent(&servers, &rule.servers[0], &waiting, 1, now_ns);
	assert_int_equal(known(0)->backoff_ms, 1000);
	assert_order("120");
}

static void a_server_whose_time_has_come_is_probed_once(void **state)
{
	(void)state;
	be_silent(0, 1);
	be_silent(0, 1);
	assert_false(sm_servers_take_probe(&servers, &rule, 0, now_ns));
	now_ns = known(0)->retry_ns;
	assert_order("120"); /* others are asked first, */
	assert_true(sm_servers_take_probe(&servers, &rule, 0, now_ns));
	assert_false(sm_servers_take_probe(&servers, &rule, 0, now_ns + 400 * MS)); /* while one is under way */
	assert_true(sm_servers_take_probe(&servers, &rule, 0, now_ns + 600 * MS));
	assert_false(sm_servers_take_probe(&servers, &rule, 1, now_ns + 600 * MS)); /* nothing is wrong with it */
}

static void a_process_asks_a_server_whose_time_has_come_first_and_waits_20_ms(void **state)
{
	uint8_t order[SM_SERVERS_MAX];

	(void)state;
	hear(1, MS);
	be_silent(0, 1);
	be_silent(0, 1);
	be_silent(2, 1);
	be_silent(2, 1);
	now_ns += 2 * S;
	sm_servers_order(&servers, &rule, true, now_ns, order);
	assert_int_equal(order[0], 0);
	assert_int_equal(order[1], 1); /* one at a time */
	assert_int_equal(sm_servers_hedge_ns(&servers, &rule, 0, now_ns), 20 * MS);
	sm_servers_order(&servers, &rule, true, now_ns + MS, order);
	assert_int_equal(order[0], 2);
	sm_servers_order(&servers, &rule, true, now_ns + 2 * MS, order);
	assert_int_equal(order[0], 1);
}

static void overtaken_and_slow_servers_get_a_second_look_after_thirty_seconds(void **state)
{
	struct sm_sent waiting;

	(void)state;
	hear(0, 450 * MS);
	hear(1, MS);
	waiting = sent(2);
	now_ns += 150 * MS;
	sm_servers_overtaken(&servers, &rule.servers[2], &waiting, now_ns);
	assert_order("102");
	for (uint32_t i = 0; i < 3; i++)
		assert_false(sm_servers_take_probe(&servers, &rule, i, now_ns + 29 * S));
	assert_true(sm_servers_take_probe(&servers, &rule, 0, now_ns + 31 * S));
	assert_false(sm_servers_take_probe(&servers, &rule, 1, now_ns + 31 * S));
	assert_true(sm_servers_take_probe(&servers, &rule, 2, now_ns + 31 * S));
}

static void down_is_every_server_silent_on_two_names(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		be_silent(i, 1);
		be_silent(i, 1);
		be_silent(i, 1);
	}
	assert_false(sm_outlook_is_down(&servers, &rule, now_ns)); /* one name: its own trouble */
	for (uint32_t i = 0; i < 3; i++) {
		assert_false(sm_outlook_is_down(&servers, &rule, now_ns));
		be_silent(i, 2);
	}
	assert_true(sm_outlook_is_down(&servers, &rule, now_ns));
	assert_false(sm_outlook_is_down(&servers, &rule, now_ns + 40 * S)); /* nobody has asked for long */
	be_bad(2, SM_HEARD_POOR);
	assert_false(sm_outlook_is_down(&servers, &rule, now_ns)); /* it is there */
	rule.n_servers = 0;
	assert_false(sm_outlook_is_down(&servers, &rule, now_ns));
}

static void down_for_long_is_three_seconds_of_nothing_and_lately(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		be_silent(i, i);
	for (uint32_t i = 0; i < 3; i++)
		be_silent(i, i + 1);
	assert_true(sm_outlook_is_down(&servers, &rule, now_ns));
	assert_false(is_lasting(now_ns)); /* the third is silent since 1.5 s */
	now_ns += 1000 * MS;
	be_silent(1, 1);
	assert_false(is_lasting(now_ns - MS));
	assert_true(is_lasting(now_ns));
	assert_false(is_lasting(now_ns + 3 * S)); /* nobody has looked since */
	be_bad(1, SM_HEARD_ALIVE);
	assert_false(is_lasting(now_ns));
}

static void unreachable_servers_are_not_silent(void **state)
{
	(void)state;
	for (int k = 0; k < 5; k++)
		for (uint32_t i = 0; i < 3; i++)
			be_bad(i, SM_HEARD_UNREACHABLE);
	assert_false(sm_outlook_is_down(&servers, &rule, now_ns)); /* to ask them costs nothing */
}

static void a_server_where_nobody_listens_is_down_beside_a_silent_one(void **state)
{
	(void)state;
	for (int k = 0; k < 2; k++) {
		be_bad(0, SM_HEARD_UNREACHABLE);
		be_bad(1, SM_HEARD_UNREACHABLE);
		assert_false(sm_outlook_is_down(&servers, &rule, now_ns));
		be_silent(2, (uint32_t)k);
	}
	assert_true(sm_outlook_is_down(&servers, &rule, now_ns));
	be_bad(1, SM_HEARD_BAD); /* it is there */
	assert_false(sm_outlook_is_down(&servers, &rule, now_ns));
}

static void a_full_memory_keeps_what_is_newer(void **state)
{
	struct sm_server_known other = {.server = rule.servers[0], .changed_ns = BEGAN - S};

	(void)state;
	for (uint16_t port = 1; port <= 64; port++) {
		struct sm_server server = rule.servers[0];
		struct sm_sent token;

		server.port = (uint16_t)(1000 + port);
		token = sm_servers_sent(&servers, &server, now_ns);
		sm_servers_heard(&servers, &server, &token, SM_HEARD_GOOD, now_ns + port);
	}
	sm_servers_learn(&servers, &other);
	assert_null(known(0));
	other.changed_ns = now_ns + S;
	sm_servers_learn(&servers, &other);
	assert_non_null(known(0));
}

static void one_name_in_a_second_asks_servers_that_are_down(void **state)
{
	(void)state;
	assert_true(sm_servers_take_scout(&servers, &rule, false, now_ns));
	assert_false(sm_servers_take_scout(&servers, &rule, false, now_ns + 999 * MS));
	assert_true(sm_servers_take_scout(&servers, &rule, false, now_ns + 1000 * MS));
}

static void an_old_answer_at_hand_asks_only_when_the_time_of_a_server_has_come(void **state)
{
	(void)state;
	rule.n_servers = 1;
	be_silent(0, 1);
	be_silent(0, 2);
	assert_false(sm_servers_take_scout(&servers, &rule, true, now_ns + 700 * MS));
	assert_true(sm_servers_take_scout(&servers, &rule, true, now_ns + 1300 * MS));
}

/* ---- what a hostile reader found */

static void a_server_that_is_overtaken_again_and_again_is_not_asked_first_each_time(void **state)
{
	uint8_t order[SM_SERVERS_MAX];
	int n_first = 0;

	(void)state;
	hear(1, MS);
	for (int i = 0; i < 600; i++) {
		struct sm_sent waiting;

		now_ns += 500 * MS;
		sm_servers_order(&servers, &rule, true, now_ns, order);
		if (order[0] != 0)
			continue;
		waiting = sent(0);
		sm_servers_overtaken(&servers, &rule.servers[0], &waiting, now_ns + 20 * MS);
		n_first++;
	}
	assert_in_range(n_first, 9, 11); /* in 300 seconds, every 30 */
}

static void a_due_server_that_is_overtaken_backs_off_for_longer(void **state)
{
	struct sm_sent waiting;

	(void)state;
	be_silent(0, 1);
	be_silent(0, 1);
	now_ns += 2 * S;
	assert_true(sm_servers_take_probe(&servers, &rule, 0, now_ns));
	waiting = sent(0);
	sm_servers_overtaken(&servers, &rule.servers[0], &waiting, now_ns + 20 * MS);
	assert_int_equal(known(0)->backoff_ms, 2000);
}

static void refusals_between_good_answers_do_not_end_kept_failures(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		be_bad(0, SM_HEARD_BAD);
		be_bad(0, SM_HEARD_BAD);
		hear(0, MS);
	}
	assert_int_equal(sm_outlook_of(&servers, &rule, now_ns).back_ns, 0);
}

static void an_error_to_an_older_question_does_not_undo_forgiveness(void **state)
{
	struct sm_sent first, second;

	(void)state;
	for (int i = 0; i < 7; i++)
		be_silent(0, 1);
	first = sent(0);
	second = sent(0);
	now_ns += MS;
	sm_servers_heard(&servers, &rule.servers[0], &first, SM_HEARD_GOOD, now_ns);
	sm_servers_heard(&servers, &rule.servers[0], &second, SM_HEARD_BAD, now_ns + MS);
	assert_int_equal(known(0)->backoff_ms, 0);
}

static void servfail_after_silence_is_a_sign_of_life(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		be_silent(0, 1);
	be_bad(0, SM_HEARD_POOR);
	assert_int_equal(known(0)->backoff_ms, 0);
	assert_int_equal(sm_outlook_of(&servers, &rule, now_ns).back_ns, now_ns);
}

static void a_slow_server_gets_its_second_look_for_20_ms(void **state)
{
	uint8_t order[SM_SERVERS_MAX];

	(void)state;
	hear(0, 450 * MS);
	hear(1, MS);
	now_ns += 31 * S;
	sm_servers_order(&servers, &rule, true, now_ns, order);
	assert_int_equal(order[0], 0);
	assert_int_equal(sm_servers_hedge_ns(&servers, &rule, 0, now_ns), 20 * MS);
}

static void a_changed_network_forgets_all_failures(void **state)
{
	(void)state;
	hear(1, 3 * MS);
	for (uint32_t i = 0; i < 3; i++)
		for (uint32_t k = 0; k < 5; k++)
			be_silent(i, k);
	assert_true(sm_outlook_is_down(&servers, &rule, now_ns));
	sm_servers_forget_network(&servers, now_ns);
	assert_false(sm_outlook_is_down(&servers, &rule, now_ns));
	for (uint32_t i = 0; i < 3; i++)
		assert_true(sm_servers_take_probe(&servers, &rule, i, now_ns)); /* tried at once, but by copies */
	assert_int_equal(known(1)->srtt_us, 3000);
	assert_int_equal(sm_outlook_of(&servers, &rule, now_ns).back_ns, now_ns); /* so that kept failures end, too */
}

static void hedges_are_a_tenth_of_the_questions_and_needed_ones_do_not_count(void **state)
{
	uint64_t number = 0;
	int n = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		number = sm_servers_count_question(&servers);
		if (sm_servers_may_hedge(&servers)) {
			sm_servers_count_hedges(&servers, number, 1);
			n++;
		}
	}
	assert_in_range(n, 98, 103);
	for (int i = 0; i < 1000; i++) {
		number = sm_servers_count_question(&servers);
		if (i < 200)
			continue;
		assert_true(sm_servers_may_hedge(&servers));
		sm_servers_count_hedges(&servers, number, 3);
		sm_servers_count_hedges(&servers, number, 0);
	}
	sm_servers_count_hedges(&servers, 3, 1); /* long ago */
	assert_int_equal(servers.n_hedges, 0);
}

static void the_64_servers_are_those_used_last(void **state)
{
	struct sm_server server = rule.servers[0];

	(void)state;
	hear(0, MS);
	for (uint16_t port = 1; port <= 64; port++) {
		struct sm_sent token;

		now_ns += MS;
		server.port = (uint16_t)(1000 + port);
		token = sm_servers_sent(&servers, &server, now_ns);
		sm_servers_heard(&servers, &server, &token, SM_HEARD_GOOD, now_ns);
	}
	assert_int_equal(servers.n, SM_SERVERS_KNOWN_MAX);
	assert_null(known(0));
	assert_non_null(sm_servers_find(&servers, &server));
}

static void address_port_zone_and_transport_tell_servers_apart(void **state)
{
	struct sm_server other;

	(void)state;
	hear(0, MS);
	other = rule.servers[0];
	other.port = 54;
	assert_null(sm_servers_find(&servers, &other));
	other = rule.servers[0];
	other.is_stream = true;
	assert_null(sm_servers_find(&servers, &other));
	other = rule.servers[0];
	strcpy(other.zone, "lo");
	assert_null(sm_servers_find(&servers, &other));
}

static void a_server_is_asked_without_edns_where_it_was_proven_twice_and_for_five_minutes(void **state)
{
	(void)state;
	sm_servers_note_plain(&servers, &rule.servers[0], false, now_ns);
	assert_false(sm_servers_is_plain(&servers, &rule.servers[0], now_ns)); /* perhaps a packet was lost */
	sm_servers_note_plain(&servers, &rule.servers[0], false, now_ns);
	assert_true(sm_servers_is_plain(&servers, &rule.servers[0], now_ns));
	assert_false(sm_servers_is_plain(&servers, &rule.servers[0], now_ns + 300 * S));
	sm_servers_note_plain(&servers, &rule.servers[1], true, now_ns); /* it has said so */
	assert_true(sm_servers_is_plain(&servers, &rule.servers[1], now_ns));
	sm_servers_note_edns(&servers, &rule.servers[1], now_ns);
	assert_false(sm_servers_is_plain(&servers, &rule.servers[1], now_ns));
}

/* ---- the table */

static uint8_t table[SM_TABLE_MAX];

static size_t sample(void)
{
	struct sm_sent waiting;

	hear(0, 12 * MS);
	be_silent(1, 7);
	be_silent(1, 8);
	waiting = sent(2);
	now_ns += MS;
	sm_servers_overtaken(&servers, &rule.servers[2], &waiting, now_ns);
	sm_servers_note_edns(&servers, &rule.servers[0], now_ns);
	sm_servers_note_plain(&servers, &rule.servers[1], true, now_ns);
	return sm_table_encode(&servers, now_ns, table);
}

static void a_table_brings_everything(void **state)
{
	struct sm_servers other;
	size_t size = sample();

	(void)state;
	sm_servers_init(&other, 1);
	assert_int_equal(sm_table_decode(table, size, now_ns + S, &other), SM_OK);
	assert_int_equal(other.n, 3);
	for (uint32_t i = 0; i < 3; i++) {
		const struct sm_server_known *one = sm_servers_find(&other, &rule.servers[i]), *whole = known(i);
		struct sm_server_known expected = *whole;

		expected.probed_ns = 0; /* a probe is srvmeshd's own, */
		expected.n_plain = 0;   /* and what is not yet proven */
		assert_memory_equal(one, &expected, offsetof(struct sm_server_known, n_failures));
		assert_int_equal(one->n_failures, whole->n_failures);
		assert_int_equal(one->n_names, whole->n_names);
		assert_int_equal(one->srtt_us, whole->srtt_us);
		assert_int_equal(one->var_us, whole->var_us);
		assert_int_equal(one->backoff_ms, whole->backoff_ms);
		assert_int_equal(one->retry_ns, whole->retry_ns);
		assert_int_equal(one->plain_ns, whole->plain_ns);
		assert_int_equal(one->changed_ns, whole->changed_ns);
	}
}

static void an_old_table_and_one_of_another_boot_say_nothing(void **state)
{
	struct sm_servers other;
	size_t size = sample();

	(void)state;
	sm_servers_init(&other, 1);
	assert_int_equal(sm_table_decode(table, size, now_ns + 31 * S, &other), SM_MISS);
	assert_int_equal(sm_table_decode(table, size, now_ns - 1, &other), SM_MISS);
	assert_int_equal(other.n, 0);
}

static void what_was_learnt_later_stays(void **state)
{
	size_t size = sample();

	(void)state;
	hear(1, MS);
	assert_int_equal(sm_table_decode(table, size, now_ns + S, &servers), SM_OK);
	assert_int_equal(known(1)->backoff_ms, 0);
}

static void a_cut_or_changed_table_is_corrupt(void **state)
{
	struct sm_servers other;
	size_t size = sample();

	(void)state;
	sm_servers_init(&other, 1);
	for (size_t i = 0; i < size; i++) {
		uint8_t *copy = malloc(i ? i : 1);

		memcpy(copy, table, i);
		assert_int_equal(sm_table_decode(copy, i, now_ns, &other), SM_CORRUPT);
		free(copy);
	}
	for (size_t i = 0; i < size; i++) {
		table[i] ^= 1;
		assert_int_equal(sm_table_decode(table, size, now_ns, &other), SM_CORRUPT);
		table[i] ^= 1;
	}
	assert_int_equal(other.n, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

static const struct CMUnitTest tests[] = {
	TEST(unknown_servers_are_asked_as_configured),
	TEST(the_hedge_follows_the_round_trips_of_rfc_6298),
	TEST(a_server_far_slower_than_the_best_stands_behind_until_it_is_no_longer),
	TEST(two_failures_make_a_server_unusable_and_one_does_not),
	TEST(refusals_count_and_servfails_only_beside_a_failure),
	TEST(a_server_that_declines_what_is_not_its_own_has_not_failed),
	TEST(the_time_doubles_up_to_thirty_seconds_jitter_included),
	TEST(a_burst_of_silences_is_one),
	TEST(a_good_message_forgives_everything_at_once),
	TEST(a_silence_does_not_count_where_the_server_answered_others_meanwhile),
	TEST(an_overtaken_server_stands_behind_until_it_is_heard),
	TEST(an_overtaken_server_that_stays_silent_backs_off_at_once),
	TEST(a_server_whose_time_has_come_is_probed_once),
	TEST(a_process_asks_a_server_whose_time_has_come_first_and_waits_20_ms),
	TEST(overtaken_and_slow_servers_get_a_second_look_after_thirty_seconds),
	TEST(down_is_every_server_silent_on_two_names),
	TEST(unreachable_servers_are_not_silent),
	TEST(a_server_where_nobody_listens_is_down_beside_a_silent_one),
	TEST(a_full_memory_keeps_what_is_newer),
	TEST(one_name_in_a_second_asks_servers_that_are_down),
	TEST(down_for_long_is_three_seconds_of_nothing_and_lately),
	TEST(an_old_answer_at_hand_asks_only_when_the_time_of_a_server_has_come),
	TEST(a_server_that_is_overtaken_again_and_again_is_not_asked_first_each_time),
	TEST(a_due_server_that_is_overtaken_backs_off_for_longer),
	TEST(refusals_between_good_answers_do_not_end_kept_failures),
	TEST(an_error_to_an_older_question_does_not_undo_forgiveness),
	TEST(servfail_after_silence_is_a_sign_of_life),
	TEST(a_slow_server_gets_its_second_look_for_20_ms),
	TEST(a_changed_network_forgets_all_failures),
	TEST(hedges_are_a_tenth_of_the_questions_and_needed_ones_do_not_count),
	TEST(the_64_servers_are_those_used_last),
	TEST(address_port_zone_and_transport_tell_servers_apart),
	TEST(a_server_is_asked_without_edns_where_it_was_proven_twice_and_for_five_minutes),
	TEST(a_table_brings_everything),
	TEST(an_old_table_and_one_of_another_boot_say_nothing),
	TEST(what_was_learnt_later_stays),
	TEST(a_cut_or_changed_table_is_corrupt),
};

TESTS_MAIN(tests)
