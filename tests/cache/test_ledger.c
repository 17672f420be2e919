/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cache/ledger.h"

#include "base/random.h"
#include "tests/test.h"

#include <stdio.h>

#define NOW 1000
#define LATER 2000

static struct sm_ledger *ledger;

static void open_ledger(uint64_t max_cost, uint32_t max_entries, uint32_t quota_percent)
{
	assert_int_equal(sm_ledger_open(max_cost, max_entries, quota_percent, &ledger), SM_OK);
}

static int close_ledger(void **state)
{
	(void)state;
	sm_ledger_close(ledger);
	return 0;
}

static void put(const char *text, uid_t uid, uint32_t cost, bool is_negative, int64_t expires_ns)
{
	struct sm_name name = name_of(text);
	struct sm_ledger_entry entry = {uid, SM_LEDGER_NOBODY, cost, is_negative, expires_ns};

	assert_int_equal(sm_ledger_put(ledger, &name, &entry), SM_OK);
}

static const char *victim(uid_t uid, uint32_t cost)
{
	static struct sm_name name;
	bool is_quota;

	switch ((int)sm_ledger_victim(ledger, uid, cost, NOW, &name, &is_quota)) {
	case SM_OK:
		return name.text;
	case SM_MISS:
		return "none";
	}
	return "full";
}

static void nobody_goes_while_there_is_room(void **state)
{
	(void)state;
	open_ledger(100, 10, 100);
	put("a", 1, 60, false, LATER);
	assert_string_equal(victim(2, 40), "none");
	assert_string_equal(victim(2, 41), "a");
	assert_string_equal(victim(2, 101), "full");
}

static void expired_goes_before_negative_before_oldest(void **state)
{
	struct sm_name name;

	(void)state;
	open_ledger(100, 4, 100);
	put("old", 1, 10, false, LATER);
	put("negative", 1, 10, true, LATER);
	put("expired", 1, 10, false, NOW);
	put("new", 1, 10, false, LATER);
	for (int i = 0; i < 3; i++) {
		static const char *const order[] = {"expired", "negative", "old"};

		assert_string_equal(victim(2, 90), order[i]);
		name = name_of(order[i]);
		sm_ledger_remove(ledger, &name);
	}
	assert_string_equal(victim(2, 91), "new");
}

static void who_is_alone_may_have_all(void **state)
{
	(void)state;
	open_ledger(100, 8, 25);
	put("a", 1, 50, false, LATER);
	assert_string_equal(victim(1, 50), "none");
	assert_string_equal(victim(1, 51), "a");
	assert_string_equal(victim(1, 101), "full");
}

static void who_is_beyond_his_quota_gives_up_his_own(void **state)
{
	(void)state;
	open_ledger(100, 100, 25);
	put("others", 1, 40, true, NOW); /* expired and negative, but of another uid; and he has more */
	put("his-first", 2, 12, false, LATER);
	put("his-second", 2, 12, false, LATER);
	put("restored", SM_LEDGER_NOBODY, 36, false, LATER);
	assert_string_equal(victim(2, 5), "his-first");
	assert_string_equal(victim(3, 5), "others");
	assert_string_equal(victim(SM_LEDGER_NOBODY, 50), "restored"); /* who has most by that */
}

static void many_who_are_below_their_quotas_take_nothing_from_who_has_less(void **state)
{
	struct sm_name name;
	int n_kept = 0;

	(void)state;
	open_ledger(1000000, 1000, 25);
	for (int i = 0; i < 100; i++) {
		char text[16];

		snprintf(text, sizeof(text), "quiet%d", i);
		put(text, 9, 1, false, NOW); /* expired, too: in an outage it is all that he has */
	}
	for (int i = 0; i < 5000; i++) {
		const char *first = victim(1 + (uid_t)i % 5, 1);
		char text[16];

		if (strcmp(first, "none") != 0) {
			name = name_of(first);
			sm_ledger_remove(ledger, &name);
		}
		snprintf(text, sizeof(text), "n%d", i);
		put(text, 1 + (uid_t)i % 5, 1, false, LATER);
	}
	for (int i = 0; i < 100; i++) {
		char text[16];
		struct sm_ledger_entry entry;

		snprintf(text, sizeof(text), "quiet%d", i);
		name = name_of(text);
		n_kept += sm_ledger_get(ledger, &name, &entry) == SM_OK;
	}
	assert_int_equal(n_kept, 100);
	assert_int_equal(sm_ledger_usage(ledger).n_entries, 1000);
}

static void what_others_have_used_goes_over_to_them(void **state)
{
	struct sm_name shared = name_of("shared"), other = name_of("other");
	struct sm_ledger_entry entry;

	(void)state;
	open_ledger(100, 4, 25);
	put("shared", 1, 1, false, LATER);
	put("other", 1, 1, false, LATER);
	put("third", 1, 1, false, LATER);
	put("fourth", 1, 1, false, LATER);
	sm_ledger_use(ledger, &shared, 2);
	sm_ledger_use(ledger, &other, 1); /* his own */
	assert_string_equal(victim(1, 1), "other");
	assert_int_equal(sm_ledger_get(ledger, &shared, &entry), SM_OK);
	assert_int_equal(entry.uid, 2);
	sm_ledger_remove(ledger, &other);
	put("fifth", 1, 1, false, LATER);
	assert_string_equal(victim(1, 1), "third");
	assert_string_equal(victim(3, 1), "third");
	assert_string_equal(victim(2, 1), "shared"); /* who wants more than his quota gives up his own */
}

static bool has_no_memory;

void *__real_reallocarray(void *bytes, size_t n, size_t size);
void *__wrap_reallocarray(void *bytes, size_t n, size_t size);
void *__wrap_reallocarray(void *bytes, size_t n, size_t size)
{
	return has_no_memory ? NULL : __real_reallocarray(bytes, n, size);
}

static void without_memory_it_is_removed_instead(void **state)
{
	struct sm_name shared = name_of("shared");

	(void)state;
	open_ledger(100, 2, 25);
	put("shared", 1, 1, false, LATER);
	put("other", 1, 1, false, LATER);
	sm_ledger_use(ledger, &shared, 2);
	has_no_memory = true;
	assert_string_equal(victim(3, 1), "shared");
	has_no_memory = false;
	assert_string_equal(victim(2, 90), "shared"); /* who has nothing has nothing to give up */
}

static void entries_are_counted_as_well_as_bytes(void **state)
{
	(void)state;
	open_ledger(1000000, 8, 50);
	for (int i = 0; i < 5; i++) {
		char name[8];

		snprintf(name, sizeof(name), "n%d", i);
		put(name, 7, 1, false, LATER);
	}
	put("large", 6, 900, false, LATER);
	assert_string_equal(victim(7, 1), "none");
	put("large-1", 6, 900, false, LATER);
	put("large-2", 6, 900, false, LATER);
	assert_string_equal(victim(7, 1), "n0");
	assert_string_equal(victim(8, 1), "n0");
	assert_string_equal(victim(6, 1), "n0");
}

static void what_is_removed_is_not_held(void **state)
{
	struct sm_name name = name_of("a");
	struct sm_ledger_entry entry;

	(void)state;
	open_ledger(100, 10, 100);
	put("a", 1, 60, true, LATER);
	assert_int_equal(sm_ledger_get(ledger, &name, &entry), SM_OK);
	assert_int_equal(entry.cost, 60);
	sm_ledger_remove(ledger, &name);
	sm_ledger_remove(ledger, &name);
	assert_int_equal(sm_ledger_get(ledger, &name, &entry), SM_MISS);
	assert_int_equal(sm_ledger_usage(ledger).n_entries, 0);
	assert_int_equal(sm_ledger_usage(ledger).cost, 0);
	assert_int_equal(sm_ledger_least(ledger, NOW, &name), SM_MISS);
}

/* Compares with a simple list that is searched completely. */
static void a_thousand_random_steps_keep_the_order(void **state)
{
	struct { bool is_held; struct sm_ledger_entry is; int born; } all[64] = {0};
	uint64_t dice = 7;

	(void)state;
	open_ledger(1U << 30, 1000, 100);
	for (int step = 0; step < 5000; step++) {
		uint64_t draw = sm_random_step(&dice);
		unsigned at = draw % 64;
		int first = -1;
		char text[8];
		struct sm_name name;

		snprintf(text, sizeof(text), "n%u", at);
		name = name_of(text);
		if (all[at].is_held) {
			sm_ledger_remove(ledger, &name);
			all[at].is_held = false;
		} else {
			all[at].is = (struct sm_ledger_entry){1, SM_LEDGER_NOBODY, 5, draw >> 8 & 1, NOW - 500 + (int64_t)(draw >> 16 & 0xffff)};
			all[at].is_held = true;
			all[at].born = step;
			put(text, 1, 5, all[at].is.is_negative, all[at].is.expires_ns);
		}
		for (int i = 0; i < 64; i++) {
			bool is_expired = all[i].is.expires_ns <= NOW, is_first_expired = first >= 0 && all[first].is.expires_ns <= NOW;

			if (!all[i].is_held)
				continue;
			if (first < 0 || is_expired > is_first_expired ||
			    (is_expired && is_first_expired && all[i].is.expires_ns < all[first].is.expires_ns) ||
			    (!is_expired && !is_first_expired && (all[i].is.is_negative > all[first].is.is_negative ||
			     (all[i].is.is_negative == all[first].is.is_negative && all[i].born < all[first].born))))
				first = i;
		}
		if (first < 0)
			continue;
		assert_int_equal(sm_ledger_least(ledger, NOW, &name), SM_OK);
		assert_true(all[atoi(name.text + 1)].is_held);
		/* two entries with the same expiry may be removed in either order */
		if (all[first].is.expires_ns <= NOW)
			assert_true(all[atoi(name.text + 1)].is.expires_ns == all[first].is.expires_ns);
		else
			assert_int_equal(atoi(name.text + 1), first);
	}
}

static void a_name_is_found_however_many_have_come_and_gone(void **state)
{
	enum { NAMES = 5000 };
	struct sm_name name;
	char text[16];

	(void)state;
	open_ledger(1000000, NAMES, 100);
	for (int turn = 0; turn < 3; turn++) {
		for (int i = 0; i < NAMES; i++) {
			snprintf(text, sizeof(text), "n%d", i);
			name = name_of(text);
			assert_int_equal(sm_ledger_has(ledger, &name), turn > 0 && i % 3 != 0);
			if (turn == 0 || i % 3 == 0)
				put(text, 1 + (uid_t)i % 7, 1, false, LATER);
			if (turn == 1)
				assert_true(sm_ledger_has(ledger, &name));
		}
		assert_int_equal(sm_ledger_usage(ledger).n_entries, NAMES);
		for (int i = 0; i < NAMES; i += 3) {
			snprintf(text, sizeof(text), "n%d", i);
			name = name_of(text);
			assert_true(sm_ledger_has(ledger, &name));
			sm_ledger_remove(ledger, &name);
			assert_false(sm_ledger_has(ledger, &name));
		}
	}
}

#define TEST(name) cmocka_unit_test_teardown(name, close_ledger)
static const struct CMUnitTest tests[] = {
	TEST(nobody_goes_while_there_is_room),
	TEST(expired_goes_before_negative_before_oldest),
	TEST(what_others_have_used_goes_over_to_them),
	TEST(without_memory_it_is_removed_instead),
	TEST(who_is_alone_may_have_all),
	TEST(many_who_are_below_their_quotas_take_nothing_from_who_has_less),
	TEST(who_is_beyond_his_quota_gives_up_his_own),
	TEST(entries_are_counted_as_well_as_bytes),
	TEST(what_is_removed_is_not_held),
	TEST(a_thousand_random_steps_keep_the_order),
	TEST(a_name_is_found_however_many_have_come_and_gone),
};

TESTS_MAIN(tests)
