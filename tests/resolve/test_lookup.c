/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resolve/lookup.h"

#include "tests/resolve/virtual.h"

/* what a story does not say is 0 */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* The n-th allocation of this program fails: tests are linked with -Wl,--wrap=malloc. */
static int allocations_left = -1;

static void fail_after(int n)
{
	allocations_left = n;
}

static bool has_failed_none(void)
{
	return allocations_left > 0;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	if (allocations_left == 0)
		return NULL;
	allocations_left -= allocations_left > 0;
	return __real_malloc(size);
}

#define SRV(target) "_api._tcp.mesh SRV 0 1 80 " target
#define TWO_TARGETS SRV("a.mesh") ";" SRV("b.mesh") ";"
#define BOTH SM_IPV4_AND_IPV6

/* api.mesh under [domain mesh]; the lookup ends `at_ms` with what `answer` says: addresses as they stand in it, or "no name",
 * "no data", "failure"; then "?4", "?6", "?46" for families that are uncertain, "!4", "!6" for those that were not waited
 * for, and "-4", "-6" for those that were left out. */
static const struct story {
	const char *title;
	const char *scripts; /* of the section's servers; behind '|' those for all other names */
	const char *zone;
	const char *answer;
	int64_t at_ms;
	int n_sent;          /* negative: at least, and some more by jitter */
	uint8_t families; /* 0: both */
	uint32_t deadline_ms; /* 0: 3000 */
	enum sm_family_policy family;
	bool without_fallback, elsewhere_never, is_plain;
	uint8_t needs; /* a family that the program wants alone */
	int64_t late_ms; /* later by jitter */
} stories[] = {
	{"glue in the answer needs one question", "a20", SRV("a.mesh") "; +a.mesh A 127.0.0.1; +a.mesh AAAA ::1",
	 "127.0.0.1 ::1", 20, 1},
	{"glue of one family is enough", "a20", SRV("a.mesh") "; +a.mesh A 127.0.0.1; a.mesh AAAA fd00::1", "127.0.0.1 -6", 20, 1},
	{"not for a program that wants the other alone", "a20", SRV("a.mesh") "; +a.mesh A 127.0.0.1; a.mesh AAAA fd00::1",
	 "127.0.0.1 fd00::1", 40, 2, .needs = SM_IPV6},
	{"glue that this host cannot reach is not enough", "a20", SRV("a.mesh") "; a.mesh A 127.0.0.1; +a.mesh AAAA fe80::1",
	 "fe80::1 127.0.0.1", 40, 2},
	{"a plain host takes one round trip", "a20", "api.mesh A 10.1.0.9", "10.1.0.9", 20, 3, .is_plain = true},
	{"targets without glue are asked all at once", "a20", TWO_TARGETS "a.mesh A 10.1.0.1; b.mesh A 10.1.0.2",
	 "10.1.0.1 10.1.0.2", 40, 5},
	{"a policy of one family asks for no other", "a20", TWO_TARGETS "a.mesh A 10.1.0.1; b.mesh A 10.1.0.2",
	 "10.1.0.1 10.1.0.2", 40, 3, .family = SM_FAMILY_IPV4},
	{"no SRV: the addresses of the name itself", "a20", "api.mesh A 10.1.0.9", "10.1.0.9", 40, 3},
	{"no SRV and no fallback: no such name", "a20", "api.mesh A 10.1.0.9", "no name", 20, 1, .without_fallback = true},
	{"nothing at all: no such name", "a20", "", "no name", 40, 3},
	{"a name without addresses: no data", "a20", "x.api.mesh A 10.1.0.9; api.mesh SRV 0 1 80 a.mesh", "no data", 40, 3},
	{"the target '.' is a decided no", "a20", SRV("."), "no name", 20, 1},
	{"targets without any address: no data", "a20", SRV("a.mesh") "; x.a.mesh A 10.1.0.1; a.mesh SRV 0 0 0 b.mesh", "no data", 40, 3},
	{"a CNAME at the target is followed", "a20", SRV("a.mesh") "; a.mesh CNAME c.mesh; c.mesh A 10.1.0.3", "10.1.0.3", 60, 5},
	{"a CNAME at the owner is followed", "a20", "_api._tcp.mesh CNAME _x._tcp.mesh; _x._tcp.mesh SRV 0 1 80 a.mesh; +a.mesh A 127.0.0.1",
	 "127.0.0.1 -6", 40, 2},
	{"a circle of CNAMEs ends", "a1", SRV("a.mesh") "; a.mesh CNAME b.mesh; b.mesh CNAME a.mesh", "failure ?46", 10, 19},
	{"the first server is silent: one hedge for all round trips", "-/a20", SRV("a.mesh") "; a.mesh A 10.1.0.1", "10.1.0.1", 190, 4},
	{"three of four servers are silent", "-/-/-/a20", SRV("a.mesh") "; a.mesh A 10.1.0.1", "10.1.0.1", 490, 6},
	{"an error costs a round trip, for each question", "f20/a20", SRV("a.mesh") "; a.mesh A 10.1.0.1", "10.1.0.1", 80, 6},
	{"all servers are silent: a failure at the deadline", "-/-", "", "failure", 3000, -5},
	{"a short deadline holds", "-/a20", SRV("a.mesh") "; a.mesh A 10.1.0.1", "failure", 100, 1, .deadline_ms = 100},
	{"the deadline comes in the middle: what is known is given", "a20",
	 TWO_TARGETS "a.mesh A 10.1.0.1; b.mesh A 10.1.0.2@-; a.mesh AAAA fd00::1; b.mesh AAAA fd00::2",
	 "10.1.0.1 fd00::1 fd00::2 ?4", 800, -8, .deadline_ms = 800},
	{"errors everywhere: a failure at once", "f20/f20", "", "failure", 40, 2},
	{"a silent target leaves the others", "a20", TWO_TARGETS "a.mesh A 10.1.0.1; b.mesh A 10.1.0.2@-", "10.1.0.1 ?4", 3000, -8, .family = SM_FAMILY_IPV4},
	{"the other family is waited for 50 ms", "a20", SRV("a.mesh") "; a.mesh A 10.1.0.1; a.mesh AAAA fd00::1@-", "10.1.0.1 !6", 90, 4,
	 .families = SM_IPV4},
	{"the other family in time is taken along", "a20", SRV("a.mesh") "; a.mesh A 10.1.0.1; a.mesh AAAA fd00::1@40", "10.1.0.1 fd00::1", 80, 3,
	 .families = SM_IPV4},
	{"a program that asks for both families waits for both", "a20",
	 SRV("a.mesh") "; a.mesh A 10.1.0.1; a.mesh AAAA fd00::1@400", "10.1.0.1 fd00::1", 440, -6},
	{"a failing family is uncertain", "a20 a20 f20", SRV("a.mesh") "; a.mesh A 10.1.0.1", "10.1.0.1 ?6", 40, 3},
	{"targets under no section are asked at the service's servers", "a20|a1", SRV("a.other") "; a.other A 10.1.0.1", "10.1.0.1", 40, 3},
	{"what these refuse is asked at the default servers", "a20 r5|a30", SRV("a.other") "; a.other A 10.1.0.1", "10.1.0.1", 55, 5},
	{"a referral refuses, too", "a20 y5|a30", SRV("a.other") "; a.other A 10.1.0.1", "10.1.0.1", 55, 5},
	{"what fails there is not asked elsewhere", "a20 f5|a30", SRV("a.other") "; a.other A 10.1.0.1", "failure ?46", 25, 3},
	{"silence is no refusal", "a20 -|a30", SRV("a.other") "; a.other A 10.1.0.1", "failure ?46", 1000, -9, .deadline_ms = 1000},
	{"one server refuses and the other fails: that is a failure", "a20 f5/r5|a30", SRV("a.other") "; a.other A 10.1.0.1", "failure ?46", 30, 5},
	{"one server refuses and the other is dead: that is refused", "a20 -/r5|a30", SRV("a.other") "; a.other A 10.1.0.1",
	 "10.1.0.1", 1000, -9, .late_ms = 400},
	{"with elsewhere = never they are not asked", "a20 r5|a30", SRV("a.other") "; a.other A 10.1.0.1", "no data", 25, 3, .elsewhere_never = true},
	{"a name of the section is never asked elsewhere", "r20|a30", SRV("a.mesh"), "failure", 20, 1},
	{"default servers that are silent do not hide the rest", "a20 a20 r5 a20 r5|-",
	 "_api._tcp.mesh SRV 0 1 80 a.mesh; _api._tcp.mesh SRV 0 1 80 b.other; a.mesh A 10.1.0.1",
	 "10.1.0.1 ?46", 3000, -14},
	{"an unreachable server is left out for the whole lookup", "u0/a20", TWO_TARGETS "a.mesh A 10.1.0.1; b.mesh A 10.1.0.2", "10.1.0.1 10.1.0.2", 40, 6},
};

static struct sm_rule rule;
static struct sm_rules rules;
static struct sm_servers servers;

static const struct sm_lookup_means *means_of(const struct story *story)
{
	static struct sm_lookup_means means;

	sm_servers_init(&servers, 42);
	means = (struct sm_lookup_means){.transport = &virtual.is, .rules = &rules, .servers = &servers,
	                                 .needs = story->needs, .is_plain = story->is_plain};
	return &means;
}

static const struct sm_lookup_means *means(void)
{
	return means_of(&stories[0]);
}

static void set_rules(const struct story *story)
{
	char scripts[256];
	uint32_t own = 1, n;

	snprintf(scripts, sizeof(scripts), "%s", story->scripts);
	for (char *at = scripts; *at && *at != '|'; at++)
		own += *at == '/';
	for (char *at = scripts; *at; at++)
		if (*at == '|')
			*at = '/';
	n = virtual_begin(scripts, story->zone);
	memset(&rule, 0, sizeof(rule));
	rule.name = rule.domain = name_of("mesh");
	rule.n_templates = 1;
	rule.templates = "_{service}._tcp.{domain}";
	rule.timeout_ms = 500;
	rule.backoff_permille = 2000;
	rule.attempts = 3;
	rule.deadline_ms = 60000;
	rule.answers = SM_ANSWERS_ALL;
	rule.family = story->family ? story->family : SM_FAMILY_ANY;
	rule.elsewhere = story->elsewhere_never ? SM_ELSEWHERE_NEVER : SM_ELSEWHERE_ASK;
	rule.fallback = story->without_fallback ? SM_FALLBACK_NONE : SM_FALLBACK_ADDRESS;
	rules = (struct sm_rules){.elsewhere = rule, .n_rules = 1, .rules = &rule};
	virtual_set_servers(&rule, 0, own);
	virtual_set_servers(&rules.elsewhere, own, n - own);
}

static void say_families(char *text, size_t size, char mark, uint8_t families)
{
	size_t used = strlen(text);

	if (families)
		snprintf(text + used, size - used, "%s%c%s%s", used ? " " : "", mark, families & SM_IPV4 ? "4" : "",
		         families & SM_IPV6 ? "6" : "");
}

static void say(const struct sm_answer *answer, char *text, size_t size)
{
	static const char *const kinds[] = {"", "no name", "no data", "failure"};

	snprintf(text, size, "%s", kinds[answer->kind]);
	for (uint32_t i = 0; i < answer->n_addresses; i++) {
		char address[INET6_ADDRSTRLEN];
		size_t used = strlen(text);

		inet_ntop(answer->addresses[i].family == SM_IPV4 ? AF_INET : AF_INET6, answer->addresses[i].bytes, address, sizeof(address));
		snprintf(text + used, size - used, "%s%s", used ? " " : "", address);
	}
	say_families(text, size, '?', answer->uncertain_families);
	say_families(text, size, '!', answer->unawaited_families);
	say_families(text, size, '-', answer->unasked_families);
}

static const struct sm_answer *answer_of(struct sm_lookup *lookup)
{
	struct sm_answer *answer;

	assert_int_equal(sm_lookup_answer(lookup, &answer), SM_OK);
	return answer;
}

static void run_to_its_end(struct sm_lookup *lookup)
{
	for (int i = 0; i < 1000; i++) {
		struct pollfd fds[SM_ASKER_FDS_MAX];

		sm_lookup_process(lookup, fds, sm_lookup_fds(lookup, fds), virtual.now_ns);
		if (sm_lookup_advance(lookup, virtual.now_ns))
			return;
		virtual_advance(sm_lookup_wakes_ns(lookup));
	}
	fail_msg("it turns in a circle");
}

static void play(void **state)
{
	const struct story *story = *state;
	int64_t deadline_ms = story->deadline_ms ? story->deadline_ms : 3000;
	struct sm_name name = name_of("api.mesh");
	struct sm_lookup *lookup;
	char text[512];

	set_rules(story);
	assert_int_equal(sm_lookup_open(means_of(story), &rule, &name, story->families ? story->families : BOTH,
	                                virtual.now_ns + deadline_ms * MS, &lookup), SM_OK);
	run_to_its_end(lookup);
	assert_int_equal(sm_lookup_status(lookup), SM_OK);
	say(answer_of(lookup), text, sizeof(text));
	assert_string_equal(text, story->answer);
	assert_in_range(virtual.now_ns / MS - 1000, story->at_ms, story->at_ms + story->late_ms);
	if (story->n_sent >= 0)
		assert_int_equal(virtual.n_sent, story->n_sent);
	else
		assert_in_range(virtual.n_sent, -story->n_sent, -story->n_sent + 8);
	sm_lookup_close(lookup);
	virtual_end();
}

static const struct story simple = {.scripts = "a20", .zone = TWO_TARGETS "_api._tcp.mesh SRV 0 1 80 c.mesh;"
	"a.mesh A 10.1.0.1; b.mesh A 10.1.0.2; c.mesh A 10.1.0.3; a.mesh AAAA fd00::1; b.mesh AAAA fd00::2; c.mesh AAAA fd00::3"};

static void a_lookup_of_three_targets_holds_sixteen_kib(void **state)
{
	struct sm_name name = name_of("api.mesh");
	struct sm_lookup *lookup;

	(void)state;
	set_rules(&simple);
	assert_int_equal(sm_lookup_open(means(), &rule, &name, BOTH, virtual.now_ns + 3000 * MS, &lookup), SM_OK);
	run_to_its_end(lookup);
	assert_int_equal(answer_of(lookup)->n_addresses, 6);
	assert_true(sm_lookup_held(lookup) <= 16384);
	sm_lookup_close(lookup);
}

static void what_is_known_so_far_can_be_had_and_the_rest_goes_on(void **state)
{
	static const struct story late = {.scripts = "a20", .zone = SRV("a.mesh") "; a.mesh A 10.1.0.1; a.mesh AAAA fd00::1@400"};
	struct sm_name name = name_of("api.mesh");
	struct sm_lookup *lookup;

	(void)state;
	set_rules(&late);
	assert_int_equal(sm_lookup_open(means(), &rule, &name, BOTH, virtual.now_ns + 3000 * MS, &lookup), SM_OK);
	while (!sm_lookup_is_settled(lookup, SM_IPV4)) {
		assert_false(sm_lookup_advance(lookup, virtual.now_ns));
		virtual_advance(sm_lookup_wakes_ns(lookup));
		sm_lookup_process(lookup, NULL, 0, virtual.now_ns);
		assert_false(sm_lookup_advance(lookup, virtual.now_ns));
	}
	assert_int_equal(virtual.now_ns / MS, 1040);
	assert_false(sm_lookup_is_settled(lookup, SM_IPV6));
	assert_int_equal(answer_of(lookup)->n_addresses, 1);
	run_to_its_end(lookup);
	assert_int_equal(answer_of(lookup)->n_addresses, 2);
	sm_lookup_close(lookup);
}

/* What a lookup says when the n-th allocation fails, and those behind it. false: none has failed. */
static bool says_nothing_wrong(const struct story *story, int n)
{
	struct sm_name name = name_of("api.mesh");
	struct sm_answer *answer;
	struct sm_lookup *lookup;
	char text[512];
	bool has_failed;

	set_rules(story);
	fail_after(n);
	if (sm_lookup_open(means_of(story), &rule, &name, BOTH, virtual.now_ns + 3000 * MS, &lookup) != SM_OK) {
		fail_after(-1);
		return true;
	}
	run_to_its_end(lookup);
	if (sm_lookup_status(lookup) == SM_OK && sm_lookup_answer(lookup, &answer) == SM_OK) {
		say(answer, text, sizeof(text));
		assert_string_equal(text, story->answer); /* whole, or nothing at all: no status SM_OK */
	}
	has_failed = !has_failed_none();
	fail_after(-1);
	sm_lookup_close(lookup);
	return has_failed;
}

static void a_lookup_without_memory_says_so_whatever_it_lacks(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(stories); i++) {
		int n = 0;

		if (stories[i].families || stories[i].deadline_ms)
			continue;
		while (says_nothing_wrong(&stories[i], n))
			n++;
		assert_in_range(n, 3, 500);
	}
}

/* Thirty targets without glue: 60 questions. */
static void at_most_thirty_two_questions_are_under_way(void **state)
{
	static char zone[30 * 100];
	const struct story many = {.scripts = "a20", .zone = zone};
	struct sm_name name = name_of("api.mesh");
	struct sm_lookup *lookup;
	int most = 0, at = 0;

	(void)state;
	for (int i = 0; i < 30; i++)
		at += snprintf(zone + at, sizeof(zone) - (size_t)at, SRV("t%d.mesh") "; t%d.mesh A 10.2.0.%d;", i, i, i);
	set_rules(&many);
	assert_int_equal(sm_lookup_open(means(), &rule, &name, BOTH, virtual.now_ns + 3000 * MS, &lookup), SM_OK);
	while (!sm_lookup_advance(lookup, virtual.now_ns)) {
		int under_way = 0;

		for (int i = 0; i < virtual.n_messages; i++)
			under_way += virtual.messages[i].is_due;
		most = under_way > most ? under_way : most;
		virtual_advance(sm_lookup_wakes_ns(lookup));
		sm_lookup_process(lookup, NULL, 0, virtual.now_ns);
	}
	assert_int_equal(most, 32);
	assert_int_equal(answer_of(lookup)->n_addresses, 30);
	assert_int_equal(answer_of(lookup)->uncertain_families, 0);
	sm_lookup_close(lookup);
}

static const struct CMUnitTest tests_of_other_kinds[] = {
	cmocka_unit_test(at_most_thirty_two_questions_are_under_way),
	cmocka_unit_test(a_lookup_of_three_targets_holds_sixteen_kib),
	cmocka_unit_test(what_is_known_so_far_can_be_had_and_the_rest_goes_on),
	cmocka_unit_test(a_lookup_without_memory_says_so_whatever_it_lacks),
};

STORIES_MAIN(stories, play, tests_of_other_kinds)
