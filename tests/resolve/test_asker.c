/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resolve/asker.h"

#include "tests/resolve/virtual.h"

/* what a story does not say is 0 */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define ZONE "api.mesh A 10.1.1.1; _api._tcp.mesh SRV 0 1 80 api.mesh; www.mesh CNAME api.mesh"

/* One question to servers of which nothing is known, api.mesh A unless `asks` says otherwise. A time-out is 500 ms, each further
 * one twice as long, and up to a quarter more. */
static const struct story {
	const char *title;
	const char *scripts; /* tests/resolve/virtual.h */
	enum sm_status status;
	int64_t at_ms, jitter_ms; /* when it is settled, and how much later it may be */
	int n_sent;
	uint32_t attempts; /* 0: 3 */
	const char *asks;  /* NULL: "api.mesh" */
	int n_plain;       /* sent without EDNS0, where the story is about that */
} stories[] = {
	{"the first server answers", "a20/a20", SM_OK, 20, 0, 1},
	{"an answer at once is taken at once", "a0", SM_OK, 0, 0, 1},
	{"a denial is an answer", "n20/a20", SM_OK, 20, 0, 1},
	{"no data is an answer", "e20/a20", SM_OK, 20, 0, 1},
	{"a silent server is followed by the next", "-/a20", SM_OK, 170, 0, 2},
	{"two silent servers are followed by the third", "-/-/a20", SM_OK, 320, 0, 3},
	{"a late answer of the first server counts", "a700/-", SM_OK, 700, 0, 4},
	{"of two late answers the first counts", "a900/a450", SM_OK, 600, 0, 3},
	{"one silent server is asked again", "- a20", SM_OK, 170, 0, 2},
	{"the third try of a lone server is later still", "- - a20", SM_OK, 340, 50, 3},
	{"silence everywhere ends with the attempts", "-/-/-", SM_SILENT, 3500, 750, 11},
	{"silence of a lone server ends with the attempts", "-", SM_SILENT, 3500, 750, 10},
	{"one attempt is one time-out", "-", SM_SILENT, 500, 0, 3, .attempts = 1},
	{"two attempts are two time-outs", "-", SM_SILENT, 1500, 250, 6, .attempts = 2},
	{"one attempt reaches every server", "-/-/-/-/-/a20", SM_OK, 770, 0, 6, .attempts = 1},
	{"SERVFAIL is followed by the next server at once", "f20/a20", SM_OK, 40, 0, 2},
	{"REFUSED is followed by the next server at once", "r20/a20", SM_OK, 40, 0, 2},
	{"a broken message is followed by the next server at once", "b20/a20", SM_OK, 40, 0, 2},
	{"an answer to another question is followed by the next server", "o20/a20", SM_OK, 40, 0, 2},
	{"a referral is followed by the next server", "y20/a20", SM_OK, 40, 0, 2},
	{"a message that says nothing is no denial", "y20", SM_REFUSED, 20, 0, 1},
	{"where all servers say nothing, it is believed", "y20/y20", SM_OK, 40, 0, 2},
	{"where one of them fails, it is not", "y20/f20", SM_REFUSED, 40, 0, 2},
	{"where all of them name others, it is not", "z20/z20", SM_REFUSED, 40, 0, 2},
	{"an unreachable server is followed by the next", "u5/a20", SM_OK, 25, 0, 2},
	{"a server that the kernel cannot reach costs no time", "u0/a20", SM_OK, 20, 0, 2},
	{"a broken connection is followed by the next server", "x20/a20", SM_OK, 40, 0, 2},
	{"what cannot be sent is followed by the next server", "m/a20", SM_OK, 20, 0, 1},
	{"an error is a server's last word", "f20 a20", SM_REFUSED, 20, 0, 1},
	{"errors everywhere end at once", "f20/r20/b20", SM_REFUSED, 60, 0, 3},
	{"errors cost no attempt", "f20/r20/b20/a20", SM_OK, 80, 0, 4, .attempts = 1},
	{"unreachable servers everywhere end at once", "u0/u0", SM_REFUSED, 0, 0, 2},
	{"nothing can be sent anywhere", "m/m", SM_REFUSED, 0, 0, 0},
	{"every server has its time", "-/-/-/-/-/a480", SM_OK, 1230, 0, 8, .attempts = 1},
	{"the tries go round", "-/- a20", SM_OK, 586, 66, 4},
	{"an error, then silence, then the others", "f20/-/a20", SM_OK, 190, 0, 3},
	{"silence, then an error, then the others", "-/f20/a20", SM_OK, 190, 0, 3},
	{"silence, then an error: the silent one is asked again", "- a20/f20", SM_OK, 190, 0, 3},
	{"a server that failed is passed over in the second round", "-/f20/- a20", SM_OK, 606, 66, 5},
	{"a late error does not end the try of the next server", "f400/a450", SM_OK, 600, 0, 4},
	{"a late error and an error end it", "f340/f450", SM_REFUSED, 795, 0, 3},
	{"a late error, and silence: the rest is the other server's", "f340/- a20", SM_OK, 365, 0, 3},
	{"a late answer beats the error of the next server", "a180/f20 -", SM_OK, 180, 0, 3},
	{"eight servers are all reached by errors", "f1/f1/f1/f1/f1/f1/f1/a1", SM_OK, 8, 0, 8},
	{"an SRV question travels as others do", "-/a20", SM_OK, 170, 0, 2, .asks = "_api._tcp.mesh SRV"},
	{"an AAAA question travels as others do", "f20/a20", SM_OK, 40, 0, 2, .asks = "api.mesh AAAA"},
	{"an extended error is an error", "v20/a20", SM_OK, 60, 0, 3},
	{"a referral of a server that recurses is an error", "z20/a20", SM_OK, 40, 0, 2},
	{"a server that rejects EDNS0 is asked without it", "g20", SM_OK, 40, 0, 2, .n_plain = 1},
	{"a server that drops EDNS0 is asked without it", "d20", SM_OK, 170, 0, 2, .n_plain = 1},
	{"two servers that drop EDNS0 are asked without it", "d20/d20", SM_OK, 365, 0, 3, .n_plain = 1},
	{"an EDNS0 error and nothing behind it is no crash", "b20", SM_REFUSED, 20, 0, 1},
	{"a server that rejects it without EDNS0, too, has said its last word", "v20", SM_REFUSED, 40, 0, 2, .n_plain = 1},
	{"an answer by a CNAME is an answer", "a20", SM_OK, 20, 0, 1, .asks = "www.mesh A"},
};

static struct sm_rule rule;
static struct sm_asker asker;
static struct sm_servers servers;
static struct sm_arena arena, room;
static struct sm_reply reply;

static void begin(const char *scripts, uint32_t attempts)
{
	memset(&rule, 0, sizeof(rule));
	virtual_set_servers(&rule, 0, virtual_begin(scripts, ZONE));
	rule.timeout_ms = 500;
	rule.backoff_permille = 2000;
	rule.attempts = attempts ? attempts : 3;
	rule.deadline_ms = 60000;
	arena = sm_arena_growing(1 << 20);
	room = sm_arena_growing(1 << 20);
	sm_servers_init(&servers, 42);
	sm_asker_init(&asker, &virtual.is, &arena, &servers, 1, 42);
}

static void end(void)
{
	sm_asker_clear(&asker);
	sm_arena_clear(&room);
	sm_arena_clear(&arena);
	virtual_end();
}

static void ask(uint32_t number, const char *name, enum sm_rr_type type)
{
	const struct sm_question question = {.name = name, .type = type};

	assert_int_equal(sm_asker_ask(&asker, number, &question, &rule, false, virtual.now_ns), SM_OK);
}

/* The next question that is settled. */
static enum sm_status settle(uint32_t *number)
{
	enum sm_status status;

	for (int i = 0; i < 1000; i++) {
		struct pollfd fds[SM_ASKER_FDS_MAX];

		sm_asker_process(&asker, fds, sm_asker_fds(&asker, fds), virtual.now_ns);
		status = sm_asker_take(&asker, virtual.now_ns, &room, &reply, number);
		if (status != SM_MISS)
			return status;
		virtual_advance(sm_asker_wakes_ns(&asker));
	}
	fail_msg("it turns in a circle");
	return SM_MISS;
}

static int64_t elapsed_ms(void)
{
	return virtual.now_ns / MS - 1000;
}

static void play(void **state)
{
	const struct story *story = *state;
	char name[64] = "api.mesh", type[8] = "A";
	uint32_t number;

	if (story->asks)
		sscanf(story->asks, "%63s %7s", name, type);
	begin(story->scripts, story->attempts);
	ask(0, name, (enum sm_rr_type)virtual_type(type));
	assert_int_equal(settle(&number), story->status);
	assert_int_equal(number, 0);
	assert_in_range(elapsed_ms(), story->at_ms, story->at_ms + story->jitter_ms);
	assert_int_equal(virtual.n_sent, story->n_sent);
	if (story->n_plain)
		assert_int_equal(virtual.n_plain, story->n_plain);
	assert_int_equal(sm_asker_take(&asker, virtual.now_ns, &room, &reply, &number), SM_MISS);
	end();
}

/* ---- stories of several questions */

static void all_questions_run_at_the_same_time(void **state)
{
	uint32_t number;
	unsigned settled = 0;

	(void)state;
	begin("a100", 3);
	for (uint32_t i = 0; i < 30; i++)
		ask(i, "api.mesh", SM_RR_A);
	assert_int_equal(virtual.n_connections, 1);
	for (int i = 0; i < 30; i++) {
		assert_int_equal(settle(&number), SM_OK);
		settled |= 1U << number;
	}
	assert_int_equal(settled, (1U << 30) - 1);
	assert_int_equal(elapsed_ms(), 100);
	end();
}

static void an_unreachable_server_is_so_for_all_questions(void **state)
{
	uint32_t number;

	(void)state;
	begin("u30 - -/a20", 3);
	for (uint32_t i = 0; i < 3; i++)
		ask(i, "api.mesh", SM_RR_A);
	for (int i = 0; i < 3; i++)
		assert_int_equal(settle(&number), SM_OK);
	assert_int_equal(elapsed_ms(), 50);
	end();
}

static void a_server_that_cannot_be_reached_is_not_asked_by_later_questions(void **state)
{
	uint32_t number;

	(void)state;
	begin("u0/a20", 3);
	ask(0, "api.mesh", SM_RR_A);
	assert_int_equal(settle(&number), SM_OK);
	ask(1, "api.mesh", SM_RR_AAAA);
	assert_int_equal(settle(&number), SM_OK);
	assert_int_equal(number, 1);
	assert_int_equal(virtual.n_sent_to[0], 1);
	end();
}

static void a_broken_connection_is_the_affair_of_one_question(void **state)
{
	uint32_t number;

	(void)state;
	begin("x30 a40/a20", 3);
	ask(0, "api.mesh", SM_RR_A);
	ask(1, "api.mesh", SM_RR_AAAA);
	assert_int_equal(settle(&number), SM_OK);
	assert_int_equal(number, 1);
	assert_int_equal(settle(&number), SM_OK);
	assert_int_equal(number, 0);
	assert_int_equal(virtual.n_sent_to[1], 1);
	end();
}

static void rules_with_servers_of_their_own_have_connections_of_their_own(void **state)
{
	struct sm_rule other;
	const struct sm_question question = {.name = "api.mesh", .type = SM_RR_A};
	uint32_t number;

	(void)state;
	begin("a20/a30", 3);
	other = rule;
	virtual_set_servers(&rule, 0, 1);
	virtual_set_servers(&other, 1, 1);
	ask(0, "api.mesh", SM_RR_A);
	assert_int_equal(sm_asker_ask(&asker, 1, &question, &other, false, virtual.now_ns), SM_OK);
	assert_int_equal(settle(&number), SM_OK);
	assert_int_equal(settle(&number), SM_OK);
	assert_int_equal(virtual.n_connections, 2);
	assert_int_equal(virtual.n_sent_to[0], 1);
	assert_int_equal(virtual.n_sent_to[1], 1);
	end();
}

static void a_rule_without_servers_asks_nobody(void **state)
{
	uint32_t number;

	(void)state;
	begin("", 3);
	ask(0, "api.mesh", SM_RR_A);
	assert_int_equal(settle(&number), SM_REFUSED);
	assert_int_equal(virtual.n_sent, 0);
	end();
}

static void without_a_connection_it_is_refused(void **state)
{
	uint32_t number;

	(void)state;
	begin("a20", 3);
	virtual.open_status = SM_EXHAUSTED;
	ask(0, "api.mesh", SM_RR_A);
	assert_int_equal(settle(&number), SM_REFUSED);
	assert_int_equal(sm_asker_socket_status(&asker), SM_EXHAUSTED);
	end();
}

static void a_forbidden_socket_is_told_apart_from_a_lacking_one(void **state)
{
	uint32_t number;

	(void)state;
	begin("u0", 3);
	virtual.socket_status = SM_REFUSED;
	ask(0, "api.mesh", SM_RR_A);
	assert_int_equal(settle(&number), SM_REFUSED);
	assert_int_equal(sm_asker_socket_status(&asker), SM_REFUSED);
	virtual.socket_status = SM_EXHAUSTED;
	assert_int_equal(sm_asker_socket_status(&asker), SM_EXHAUSTED);
	end();
}

static void nothing_asked_lacks_nothing(void **state)
{
	(void)state;
	begin("a20", 3);
	assert_int_equal(sm_asker_socket_status(&asker), SM_OK);
	assert_int_equal(sm_asker_wakes_ns(&asker), INT64_MAX);
	end();
}

static void a_clear_with_questions_under_way_hears_them_all(void **state)
{
	(void)state;
	begin("-/-", 3);
	ask(0, "api.mesh", SM_RR_A);
	ask(1, "api.mesh", SM_RR_AAAA);
	end();
}

static void whether_any_server_was_heard_is_known(void **state)
{
	uint32_t number;

	(void)state;
	begin("f20/-", 1);
	ask(0, "api.mesh", SM_RR_A);
	assert_int_equal(settle(&number), SM_SILENT);
	assert_true(asker.has_heard);
	end();
	begin("-/u5", 2);
	ask(0, "api.mesh", SM_RR_A);
	assert_int_equal(settle(&number), SM_SILENT);
	assert_false(asker.has_heard);
	end();
}

static void jitter_is_drawn_from_the_seed(void **state)
{
	int64_t first_ns, other_ns;
	uint32_t number;

	(void)state;
	begin("-", 3);
	ask(0, "api.mesh", SM_RR_A);
	assert_int_equal(settle(&number), SM_SILENT);
	first_ns = virtual.now_ns;
	end();
	begin("-", 3);
	ask(0, "api.mesh", SM_RR_A);
	assert_int_equal(settle(&number), SM_SILENT);
	assert_int_equal(virtual.now_ns, first_ns);
	end();
	begin("-", 3);
	asker.seed = 43;
	ask(0, "api.mesh", SM_RR_A);
	assert_int_equal(settle(&number), SM_SILENT);
	other_ns = virtual.now_ns;
	assert_int_not_equal(other_ns, first_ns);
	end();
}

static void without_memory_a_question_is_not_asked(void **state)
{
	const struct sm_question question = {.name = "api.mesh", .type = SM_RR_A};

	(void)state;
	begin("a20", 3);
	arena.may_grow = 0;
	assert_int_equal(sm_asker_ask(&asker, 0, &question, &rule, false, virtual.now_ns), SM_EXHAUSTED);
	end();
}

/* Something on the way begins to drop EDNS0. */
static void a_server_that_spoke_edns_and_no_longer_hears_it_is_asked_without(void **state)
{
	uint32_t number;

	(void)state;
	begin("a20 d20", 3);
	for (uint32_t i = 0; i < 8; i++) {
		ask(i, "api.mesh", SM_RR_A);
		assert_int_equal(settle(&number), SM_OK);
	}
	assert_in_range(virtual.n_plain, 7, 16);
	virtual.n_plain = 0;
	ask(8, "api.mesh", SM_RR_A);
	assert_int_equal(settle(&number), SM_OK);
	assert_int_equal(virtual.n_plain, 1); /* at once */
	end();
}

static void a_question_that_nobody_answers_does_not_use_up_the_hedges_of_others(void **state)
{
	uint32_t number;

	(void)state;
	begin("a1 - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -/a1", 3);
	virtual_set_servers(&rule, 0, 1);
	ask(0, "api.mesh", SM_RR_A);
	assert_int_equal(settle(&number), SM_OK);
	for (uint32_t i = 1; i < 4; i++)
		ask(i, "api.mesh", SM_RR_A);
	while (virtual.now_ns < 2000 * MS) {
		assert_int_equal(sm_asker_take(&asker, virtual.now_ns, &room, &reply, &number), SM_MISS);
		virtual_advance(sm_asker_wakes_ns(&asker));
	}
	assert_true(sm_servers_may_hedge(&servers));
	end();
}

/* All servers have been silent on two names. */
static void become_a_scout(void)
{
	for (uint32_t name = 0; name < 2; name++)
		for (uint32_t i = 0; i < 3; i++) {
			struct sm_sent sent = sm_servers_sent(&servers, &rule.servers[i], virtual.now_ns);

			sm_servers_silent(&servers, &rule.servers[i], &sent, name, virtual.now_ns);
		}
	asker.is_scout = true;
}

static void a_scout_asks_every_server_once_and_waits_for_one_time_out(void **state)
{
	uint32_t number;

	(void)state;
	begin("-/-/-", 3);
	become_a_scout();
	ask(0, "api.mesh", SM_RR_A);
	assert_int_equal(virtual.n_sent, 3);
	assert_int_equal(settle(&number), SM_SILENT);
	assert_int_equal(elapsed_ms(), 500);
	assert_int_equal(virtual.n_sent, 3);
	end();
}

/* A renewal is cut at stale_after: a server that usually takes longer has not been silent. */
static void a_slow_server_is_not_silent_before_its_time(void **state)
{
	uint32_t number;

	(void)state;
	begin("a700", 3);
	rule.timeout_ms = 2000;
	ask(0, "api.mesh", SM_RR_A);
	virtual_advance(virtual.now_ns + 600 * MS);
	sm_asker_note_silence(&asker, virtual.now_ns);
	assert_int_equal(sm_servers_find(&servers, &rule.servers[0])->n_failures, 1); /* nothing is known of it */
	while (sm_asker_take(&asker, virtual.now_ns, &room, &reply, &number) == SM_MISS) {
		struct pollfd fds[SM_ASKER_FDS_MAX];

		virtual_advance(sm_asker_wakes_ns(&asker));
		sm_asker_process(&asker, fds, sm_asker_fds(&asker, fds), virtual.now_ns);
	}
	sm_asker_clear(&asker);
	sm_asker_init(&asker, &virtual.is, &arena, &servers, 2, 42);
	ask(0, "api.mesh", SM_RR_A);
	virtual_advance(virtual.now_ns + 600 * MS);
	sm_asker_note_silence(&asker, virtual.now_ns);
	assert_int_equal(sm_servers_find(&servers, &rule.servers[0])->n_failures, 0);
	end();
}

static void a_scout_that_is_refused_asks_nobody_twice(void **state)
{
	uint32_t number;

	(void)state;
	begin("-/r5/-", 3);
	become_a_scout();
	ask(0, "api.mesh", SM_RR_A);
	assert_int_equal(settle(&number), SM_SILENT);
	assert_int_equal(virtual.n_sent, 3);
	end();
}

static void servers_whose_time_has_come_get_copies_behind_which_srvmeshd_listens(void **state)
{
	uint32_t number;
	int n = 0;

	(void)state;
	begin("- - a300/a20", 3);
	asker.listens_on = true;
	ask(0, "api.mesh", SM_RR_A); /* overtaken, and then silent */
	assert_int_equal(settle(&number), SM_OK);
	while (sm_asker_listen(&asker, &room, virtual.now_ns)) {
		virtual_advance(sm_asker_wakes_ns(&asker));
		assert_in_range(n++, 0, 20);
	}
	assert_int_equal(elapsed_ms(), 500);
	assert_int_equal(sm_servers_find(&servers, &rule.servers[0])->backoff_ms, 1000);
	virtual_advance(virtual.now_ns + 2000 * MS);
	ask(1, "api.mesh", SM_RR_A); /* a copy, which is lost */
	assert_int_equal(settle(&number), SM_OK);
	assert_int_equal(virtual.n_sent_to[0], 2);
	while (sm_asker_listen(&asker, &room, virtual.now_ns))
		virtual_advance(sm_asker_wakes_ns(&asker));
	assert_int_equal(sm_servers_find(&servers, &rule.servers[0])->backoff_ms, 2000);
	virtual_advance(virtual.now_ns + 4000 * MS);
	ask(2, "api.mesh", SM_RR_A); /* a copy, which is answered late */
	assert_int_equal(settle(&number), SM_OK);
	for (n = 0; sm_asker_listen(&asker, &room, virtual.now_ns); n++) {
		struct pollfd fds[SM_ASKER_FDS_MAX];

		virtual_advance(sm_asker_wakes_ns(&asker));
		sm_asker_process(&asker, fds, sm_asker_fds(&asker, fds), virtual.now_ns);
		assert_in_range(n, 0, 20);
	}
	assert_int_equal(sm_servers_find(&servers, &rule.servers[0])->backoff_ms, 0);
	assert_int_equal(sm_servers_find(&servers, &rule.servers[0])->srtt_us, 300000);
	end();
}

static void what_waits_at_a_server_that_is_overtaken_is_sent_on_at_once(void **state)
{
	uint32_t number;

	(void)state;
	begin("-/a20", 3);
	for (uint32_t i = 0; i < 5; i++)
		ask(i, "api.mesh", SM_RR_A);
	for (int i = 0; i < 5; i++)
		assert_int_equal(settle(&number), SM_OK);
	assert_int_equal(elapsed_ms(), 190); /* one hedge at 150 finds out for all */
	assert_int_equal(virtual.n_sent_to[1], 5);
	end();
}

static const struct CMUnitTest tests_of_several[] = {
	cmocka_unit_test(a_server_that_spoke_edns_and_no_longer_hears_it_is_asked_without),
	cmocka_unit_test(a_question_that_nobody_answers_does_not_use_up_the_hedges_of_others),
	cmocka_unit_test(a_scout_asks_every_server_once_and_waits_for_one_time_out),
	cmocka_unit_test(a_slow_server_is_not_silent_before_its_time),
	cmocka_unit_test(a_scout_that_is_refused_asks_nobody_twice),
	cmocka_unit_test(servers_whose_time_has_come_get_copies_behind_which_srvmeshd_listens),
	cmocka_unit_test(what_waits_at_a_server_that_is_overtaken_is_sent_on_at_once),
	cmocka_unit_test(all_questions_run_at_the_same_time),
	cmocka_unit_test(an_unreachable_server_is_so_for_all_questions),
	cmocka_unit_test(a_server_that_cannot_be_reached_is_not_asked_by_later_questions),
	cmocka_unit_test(a_broken_connection_is_the_affair_of_one_question),
	cmocka_unit_test(rules_with_servers_of_their_own_have_connections_of_their_own),
	cmocka_unit_test(a_rule_without_servers_asks_nobody),
	cmocka_unit_test(without_a_connection_it_is_refused),
	cmocka_unit_test(a_forbidden_socket_is_told_apart_from_a_lacking_one),
	cmocka_unit_test(nothing_asked_lacks_nothing),
	cmocka_unit_test(a_clear_with_questions_under_way_hears_them_all),
	cmocka_unit_test(whether_any_server_was_heard_is_known),
	cmocka_unit_test(jitter_is_drawn_from_the_seed),
	cmocka_unit_test(without_memory_a_question_is_not_asked),
};

STORIES_MAIN(stories, play, tests_of_several)
