/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "find/ready.h"

#include "base/spin.h"
#include "tests/test.h"

#include <pthread.h>
#include <stdio.h>

static struct sm_ready ready;

static int begin(void **state)
{
	(void)state;
	memset(&ready, 0, sizeof(ready));
	return 0;
}

static struct sm_ready_key key_of(const char *name)
{
	struct sm_ready_key key = {.hash = 0};

	assert_true(sm_ready_key(name, strlen(name), &key));
	return key;
}

/* All that an answer says follows from one number. */
static struct sm_ready_answer answer_of(uint64_t number)
{
	struct sm_ready_answer answer = {
		.change = number,
		.txnid = number + 1,
		.made_ns = (int64_t)number + 2,
		.due_ns = (int64_t)number + 3,
		.expires_ns = (int64_t)number + 4,
		.place = (uint8_t)number,
	};

	memcpy(answer.address.bytes, &number, sizeof(number));
	return answer;
}

static bool is_whole(const struct sm_ready_answer *answer)
{
	struct sm_ready_answer whole = answer_of(answer->change);

	memcpy(whole.name, answer->name, sizeof(whole.name));
	return memcmp(&whole, answer, sizeof(whole)) == 0;
}

static void put(const char *name, uint64_t number)
{
	struct sm_ready_key key = key_of(name);
	struct sm_ready_answer answer = answer_of(number);

	if (sm_ready_wants(&ready, key.hash))
		sm_ready_put(&ready, &key, &answer);
}

/* -1: it is not kept. */
static int64_t kept(const char *name)
{
	struct sm_ready_key key = key_of(name);
	struct sm_ready_answer answer;

	if (!sm_ready_get(&ready, &key, &answer))
		return -1;
	assert_true(is_whole(&answer));
	return (int64_t)answer.change;
}

static void a_name_is_kept_the_second_time(void **state)
{
	(void)state;
	assert_int_equal(kept("db.mesh"), -1);
	put("db.mesh", 1);
	assert_int_equal(kept("db.mesh"), -1);
	put("db.mesh", 2);
	assert_int_equal(kept("db.mesh"), 2);
	put("db.mesh", 3);
	assert_int_equal(kept("db.mesh"), 3);
	assert_int_equal(kept("db.meshes"), -1);
}

/* A name that has the place of "db.mesh". */
static const char *neighbour(void)
{
	static char name[32];
	struct sm_ready_key key = key_of("db.mesh"), other;
	int i = 0;

	do {
		snprintf(name, sizeof(name), "n%d.mesh", i++);
		other = key_of(name);
	} while (sm_ready_place(other.hash) != sm_ready_place(key.hash));
	return name;
}

static void names_in_turn_do_not_drive_each_other_out(void **state)
{
	(void)state;
	put("db.mesh", 1);
	put("db.mesh", 1);
	for (uint64_t i = 2; i < 10; i++) {
		put(neighbour(), i);
		put("db.mesh", i);
	}
	assert_int_equal(kept("db.mesh"), 1);
	assert_int_equal(kept(neighbour()), -1);
	put(neighbour(), 10);
	put(neighbour(), 11);
	assert_int_equal(kept(neighbour()), 11);
	assert_int_equal(kept("db.mesh"), -1);
}

static void the_longest_name_that_is_kept(void **state)
{
	char name[SM_NAME_MAX];
	struct sm_ready_key key;

	(void)state;
	memset(name, 'a', sizeof(name));
	for (size_t length = 0; length < sizeof(name); length++)
		assert_int_equal(sm_ready_key(name, length, &key), length > 0 && length < sizeof(key.words));
	name[sizeof(key.words) - 1] = '\0';
	put(name, 1);
	put(name, 2);
	assert_int_equal(kept(name), 2);
}

static void what_changes_is_counted(void **state)
{
	uint64_t before = sm_ready_change(&ready);

	(void)state;
	sm_ready_forget(&ready);
	assert_int_not_equal(sm_ready_change(&ready), before);
}

/* Its lock is freed at the thread's next lookup (find/process.c). */
static void a_writer_that_was_called_away_leaves_nothing_behind(void **state)
{
	struct sm_ready_key key = key_of("db.mesh");

	(void)state;
	put("db.mesh", 1);
	put("db.mesh", 2);
	assert_true(sm_spin_try_once(&ready.lock));
	ready.places[sm_ready_place(key.hash)].number |= 1;
	ready.places[sm_ready_place(key.hash)].words[SM_READY_WORDS - 1] = 77;
	assert_int_equal(kept("db.mesh"), -1);
	put("db.mesh", 3);
	assert_int_equal(kept("db.mesh"), -1);
	assert_true(sm_spin_free(&ready.lock));
	assert_int_equal(kept("db.mesh"), -1);
	put("db.mesh", 4);
	assert_int_equal(kept("db.mesh"), 4);
}

#define TURNS 20000

static void *write(void *first)
{
	for (uint64_t i = 0; i < TURNS; i++)
		put("db.mesh", *(uint64_t *)first + i);
	return NULL;
}

static void *look(void *nothing)
{
	for (int i = 0; i < TURNS; i++)
		kept("db.mesh");
	return nothing;
}

static void what_is_read_while_it_is_written_is_whole(void **state)
{
	uint64_t firsts[2] = {0, 1000000};
	pthread_t threads[4];

	(void)state;
	put("db.mesh", 1);
	put("db.mesh", 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, write, &firsts[i]), 0);
		assert_int_equal(pthread_create(&threads[2 + i], NULL, look, NULL), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_true(kept("db.mesh") >= 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(a_name_is_kept_the_second_time, begin),
	cmocka_unit_test_setup(names_in_turn_do_not_drive_each_other_out, begin),
	cmocka_unit_test_setup(the_longest_name_that_is_kept, begin),
	cmocka_unit_test_setup(what_changes_is_counted, begin),
	cmocka_unit_test_setup(a_writer_that_was_called_away_leaves_nothing_behind, begin),
	cmocka_unit_test_setup(what_is_read_while_it_is_written_is_whole, begin),
};

TESTS_MAIN(tests)
