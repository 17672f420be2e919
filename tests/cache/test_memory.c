/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cache/memory.h"

#include "tests/test.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEVER INT64_MAX

static struct sm_memory memory;

static int with_64_entries(void **state)
{
	(void)state;
	sm_memory_init(&memory, 64);
	return 0;
}

static int clear(void **state)
{
	(void)state;
	sm_memory_clear(&memory);
	return 0;
}

static struct sm_name numbered(unsigned i)
{
	char text[32];

	snprintf(text, sizeof(text), "n%u.mesh", i);
	return name_of(text);
}

static void put(unsigned i, const void *bytes, size_t size, int64_t expires_ns)
{
	struct sm_name name = numbered(i);

	sm_memory_put(&memory, &name, bytes, size, expires_ns, 100);
}

static enum sm_status get(unsigned i, char *bytes, size_t size, size_t *ret_size)
{
	struct sm_name name = numbered(i);

	return sm_memory_get(&memory, &name, bytes, size, ret_size);
}

static bool has(unsigned i)
{
	char bytes[8192];
	size_t size;

	return get(i, bytes, sizeof(bytes), &size) != SM_MISS;
}

static void what_was_put_is_got(void **state)
{
	char bytes[16];
	size_t size;

	(void)state;
	put(1, "one", 3, NEVER);
	put(2, "second", 6, NEVER);
	assert_int_equal(get(1, bytes, sizeof(bytes), &size), SM_OK);
	assert_int_equal(size, 3);
	assert_memory_equal(bytes, "one", 3);
	assert_int_equal(get(3, bytes, sizeof(bytes), &size), SM_MISS);
}

static void a_second_put_replaces_the_first(void **state)
{
	char bytes[16];
	size_t size;

	(void)state;
	put(1, "old", 3, NEVER);
	put(1, "newer", 5, NEVER);
	assert_int_equal(get(1, bytes, sizeof(bytes), &size), SM_OK);
	assert_memory_equal(bytes, "newer", 5);
}

static void a_small_buffer_learns_the_size_it_needs(void **state)
{
	char bytes[16] = "untouched";
	size_t size = 0;

	(void)state;
	put(1, "0123456789", 10, NEVER);
	assert_int_equal(get(1, bytes, 9, &size), SM_FULL);
	assert_int_equal(size, 10);
	assert_string_equal(bytes, "untouched");
}

static void the_bytes_are_bounded_and_the_newest_stay(void **state)
{
	static char large[8192];
	unsigned kept = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		put(i, large, sizeof(large), NEVER);
	for (unsigned i = 0; i < 100; i++)
		kept += has(i);
	assert_true(kept >= 1 && kept <= 64 * SM_MEMORY_BYTES_PER_ENTRY / sizeof(large));
	assert_true(has(99));
	assert_false(has(0));
}

static void the_entries_are_bounded(void **state)
{
	unsigned kept = 0;

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		put(i, "x", 1, NEVER);
	for (unsigned i = 0; i < 10000; i++)
		kept += has(i);
	assert_true(kept > 32 && kept <= 64);
	assert_true(has(9999));
}

static void an_expired_entry_gives_way_first(void **state)
{
	(void)state;
	sm_memory_clear(&memory);
	sm_memory_init(&memory, 8); /* one set */
	for (unsigned i = 0; i < 8; i++)
		put(i, "x", 1, i == 5 ? 99 : NEVER);
	put(8, "x", 1, NEVER);
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(has(i), i != 5);
}

static void a_record_too_large_is_not_kept(void **state)
{
	static char huge[64 * SM_MEMORY_BYTES_PER_ENTRY + 1];

	(void)state;
	put(2, "x", 1, NEVER);
	put(1, huge, sizeof(huge), NEVER);
	assert_false(has(1));
	assert_true(has(2));
	put(1, huge, sizeof(huge) - 1, NEVER); /* a large service is better kept than asked for at each lookup */
	assert_false(has(2));
	assert_true(has(1));
	put(2, "x", 1, NEVER);
	assert_true(has(2));
	assert_false(has(1));
}

static void no_entries_keep_nothing(void **state)
{
	(void)state;
	sm_memory_clear(&memory);
	sm_memory_init(&memory, 0);
	put(1, "x", 1, NEVER);
	assert_false(has(1));
}

static void records_never_mix_however_they_wrap(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		char bytes[4000], out[4000];
		size_t size, length = 1 + rand_r(&seed) % sizeof(bytes);

		memset(bytes, (int)(i % 251), length);
		put(i % 50, bytes, length, NEVER);
		assert_int_equal(get(i % 50, out, sizeof(out), &size), SM_OK);
		assert_int_equal(size, length);
		assert_memory_equal(out, bytes, length);
	}
}

static void a_child_starts_empty_and_unlocked(void **state)
{
	int status;
	pid_t child;

	(void)state;
	put(1, "x", 1, NEVER);
	child = fork();
	if (child == 0) {
		bool was_empty = !has(1);

		put(2, "y", 1, NEVER);
		_exit(was_empty && has(2) ? 0 : 1);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	assert_true(has(1));
}

/* Each record is one repeated letter, so that a mixture of two records is noticed. */
static void *hammer(void *failures)
{
	for (unsigned i = 0; i < 50000; i++) {
		char bytes[300], out[300];
		size_t size;

		memset(bytes, 'a' + (int)(i % 26), sizeof(bytes));
		put(i % 8, bytes, 1 + i % 300, NEVER);
		if (get(i % 8, out, sizeof(out), &size) != SM_OK)
			continue;
		for (size_t k = 1; k < size; k++)
			*(unsigned *)failures += out[k] != out[0];
	}
	return NULL;
}

static void threads_never_see_a_torn_record(void **state)
{
	unsigned failures[4] = {0};
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, hammer, &failures[i]);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 4; i++)
		assert_int_equal(failures[i], 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, with_64_entries, clear)
static const struct CMUnitTest tests[] = {
	TEST(what_was_put_is_got),
	TEST(a_second_put_replaces_the_first),
	TEST(a_small_buffer_learns_the_size_it_needs),
	TEST(the_bytes_are_bounded_and_the_newest_stay),
	TEST(the_entries_are_bounded),
	TEST(an_expired_entry_gives_way_first),
	TEST(a_record_too_large_is_not_kept),
	TEST(no_entries_keep_nothing),
	TEST(records_never_mix_however_they_wrap),
	TEST(a_child_starts_empty_and_unlocked),
	TEST(threads_never_see_a_torn_record),
};

TESTS_MAIN(tests)
