/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/cache/host_map.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#define SIZE (4U << 20)

static void map_file(void)
{
	assert_int_equal(sm_reader_map(path_of("run"), true, &mapped), SM_OK);
}

static int clean_up(void **state)
{
	close_owner();
	if (mapped.bytes)
		sm_reader_unmap(&mapped);
	return remove_directory(state);
}

static void what_is_committed_can_be_read_and_nothing_else(void **state)
{
	(void)state;
	open_owner(SIZE, 25);
	put_service("api.mesh", 3, 1);
	commit();
	put_service("later.mesh", 3, 1);
	map_file();
	assert_int_equal(find_service("api.mesh"), 3);
	assert_int_equal(find_service("later.mesh"), -1);
	commit();
	assert_int_equal(sm_reader_look(path_of("run"), &mapped), SM_OK);
	assert_int_equal(find_service("later.mesh"), 3);
	assert_int_equal(find_service("none.mesh"), -1);
}

static void the_owner_sees_what_it_put_committed_or_not(void **state)
{
	struct sm_name name = name_of("api.mesh");
	const void *bytes;
	size_t size;

	(void)state;
	open_owner(SIZE, 25);
	assert_int_equal(sm_owner_get(owner, &name, &bytes, &size), SM_MISS);
	put_service("api.mesh", 3, 1);
	assert_int_equal(sm_owner_get(owner, &name, &bytes, &size), SM_OK);
	commit();
	assert_int_equal(sm_owner_get(owner, &name, &bytes, &size), SM_OK);
}

static void records_of_every_size_are_read_whole(void **state)
{
	(void)state;
	open_owner(16U << 20, 100);
	for (uint16_t n = 0; n <= SM_TARGETS_MAX; n += 3) {
		char name[32];

		snprintf(name, sizeof(name), "s%u.mesh", n);
		put_service(name, n, 1);
	}
	commit();
	map_file();
	for (int n = 0; n <= SM_TARGETS_MAX; n += 3) {
		char name[32];

		snprintf(name, sizeof(name), "s%d.mesh", n);
		assert_int_equal(find_service(name), n);
	}
}

static void a_tree_of_several_levels_is_read_everywhere(void **state)
{
	char name[200];

	(void)state;
	open_owner(256U << 20, 100);
	for (int i = 0; i < 20000; i++) {
		/* long keys, for many levels */
		snprintf(name, sizeof(name), "n%d.%060d.%060d.mesh", i, i, i);
		put_service(name, 1, 1);
	}
	commit();
	map_file();
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "n%d.%060d.%060d.mesh", i, i, i);
		assert_int_equal(find_service(name), 1);
	}
	assert_int_equal(find_service("n5.mesh"), -1);
}

static mode_t mode_of(const char *name)
{
	struct stat file;

	assert_int_equal(stat(path_of(name), &file), 0);
	return file.st_mode & 07777;
}

static void everybody_can_read_and_nobody_else_can_write(void **state)
{
	mode_t before = umask(0);

	(void)state;
	open_owner(SIZE, 25);
	umask(before);
	assert_int_equal(mode_of("run"), 0755);
	assert_int_equal(mode_of("run/" SM_MAP_FILE), 0644);
	assert_int_equal(mode_of("run/" SM_OWNER_LOCK_FILE), 0600);
}

static void there_is_one_owner(void **state)
{
	struct sm_owner *second;

	(void)state;
	open_owner(SIZE, 25);
	put_service("api.mesh", 3, 1);
	assert_int_equal(sm_owner_open(path_of("run"), SIZE, 25, &second), SM_REFUSED);
	commit();
	map_file();
	assert_int_equal(find_service("api.mesh"), 3);
}

static void a_directory_that_others_can_write_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path_of("run"), 0755), 0);
	assert_int_equal(chmod(path_of("run"), 0775), 0);
	assert_int_equal(sm_owner_open(path_of("run"), SIZE, 25, &owner), SM_INVALID);
}

static void entries_survive_a_restart(void **state)
{
	(void)state;
	open_owner(SIZE, 25);
	put_service("api.mesh", 3, 1);
	put_service("big.mesh", 200, 1);
	put_service("none.mesh", 0, 1);
	close_owner();
	open_owner(SIZE, 25);
	assert_int_equal(sm_owner_usage(owner).n_restored, 3);
	assert_int_equal(sm_owner_usage(owner).held.n_entries, 3);
	map_file();
	assert_int_equal(find_service("api.mesh"), 3);
	assert_int_equal(find_service("big.mesh"), 200);
}

static void the_only_entry_survives_too(void **state)
{
	struct sm_name name = name_of("api.mesh");
	const void *record;
	size_t size;

	(void)state;
	open_owner(SIZE, 25);
	put_service("api.mesh", 3, 1);
	close_owner();
	open_owner(SIZE, 25);
	assert_int_equal(sm_owner_usage(owner).held.n_entries, 1);
	assert_int_equal(sm_owner_get(owner, &name, &record, &size), SM_OK);
}

static void what_the_map_says_of_itself_outlives_its_owner(void **state)
{
	const void *bytes;
	size_t size;

	(void)state;
	open_owner(SIZE, 25);
	assert_int_equal(sm_owner_get_own(owner, SM_MAP_RULES, &bytes, &size), SM_MISS);
	assert_int_equal(sm_owner_put_own(owner, SM_MAP_RULES, "a", 1), SM_OK);
	assert_int_equal(sm_owner_put_own(owner, SM_MAP_RULES, "some", 4), SM_OK);
	assert_int_equal(sm_owner_put_own(owner, SM_MAP_SERVERS, "other", 5), SM_OK);
	close_owner();
	open_owner(SIZE, 25);
	assert_int_equal(sm_owner_usage(owner).n_restored, 0);
	assert_int_equal(sm_owner_get_own(owner, SM_MAP_RULES, &bytes, &size), SM_OK);
	assert_int_equal(size, 4);
	assert_memory_equal(bytes, "some", 4);
}

static void begin_with(const char *text)
{
	assert_true(mkdir(path_of("run"), 0755) == 0);
	write_file("run/" SM_MAP_FILE, text);
}

static void a_foreign_file_is_replaced(void **state)
{
	static char page[20000];

	(void)state;
	memset(page, 'x', sizeof(page) - 1);
	begin_with(page);
	open_owner(SIZE, 25);
	put_service("api.mesh", 3, 1);
	commit();
	map_file();
	assert_int_equal(find_service("api.mesh"), 3);
}

/* The boot id is in the file as text; a changed digit makes it the id of another boot. */
static void a_map_of_another_boot_is_replaced(void **state)
{
	char id[SM_BOOT_ID_SIZE], bytes[65536], *at;
	struct statfs system;
	int fd = open(SM_BOOT_ID_FILE, O_RDONLY);
	ssize_t size;

	(void)state;
	assert_int_equal(read(fd, id, sizeof(id)), sizeof(id));
	close(fd);
	open_owner(SIZE, 25);
	put_service("api.mesh", 3, 1);
	close_owner();
	fd = open(path_of("run/" SM_MAP_FILE), O_RDWR);
	size = read(fd, bytes, sizeof(bytes));
	for (int i = 0; (at = memmem(bytes, (size_t)size, id, sizeof(id))); i++) {
		*at = *at == '0' ? '1' : '0';
		assert_int_equal(pwrite(fd, at, 1, at - bytes), 1);
	}
	close(fd);
	assert_int_equal(statfs(path_of("run"), &system), 0);
	if (system.f_type == TMPFS_MAGIC) { /* does not survive a reboot, so a reader need not check */
		map_file();
		assert_int_equal(find_service("api.mesh"), 3);
	} else {
		assert_int_equal(sm_reader_map(path_of("run"), true, &mapped), SM_CORRUPT);
		mapped.bytes = NULL;
	}
	open_owner(SIZE, 25);
	assert_int_equal(sm_owner_usage(owner).n_restored, 0);
}

static void a_file_above_the_size_is_replaced(void **state)
{
	(void)state;
	open_owner(16U << 20, 100);
	for (int i = 0; i < 200; i++) {
		char name[32];

		snprintf(name, sizeof(name), "s%d.mesh", i);
		put_service(name, 256, 1);
	}
	close_owner();
	open_owner(1U << 20, 100);
	assert_int_equal(sm_owner_usage(owner).n_restored, 0);
}

/* Puts three times as much as fits, of all sizes; the file must never exceed its bound. */
static void the_file_stays_within_its_size(void **state)
{
	struct sm_owner_usage usage;
	struct stat file;

	(void)state;
	open_owner(1U << 20, 100);
	for (int i = 0; i < 30000; i++) {
		char name[80];

		snprintf(name, sizeof(name), "n%d-%0*d.mesh", i * 7919 % 30000, i % 40 + 1, i);
		put_service(name, (uint16_t)(i % 100 == 0 ? 100 : i % 12), 1);
		if (i % 20 == 0)
			commit();
	}
	commit();
	usage = sm_owner_usage(owner);
	assert_true(usage.n_evicted > 10000);
	assert_int_equal(usage.n_failures, 0);
	assert_true(usage.held.n_entries > 300);
	assert_int_equal(stat(path_of("run/" SM_MAP_FILE), &file), 0);
	assert_true(file.st_size <= 1 << 20);
}

/* By their bytes: the manual has these numbers. */
static void as_many_are_kept_as_fit(void **state)
{
	char name[32];

	(void)state;
	open_owner(1U << 20, 100);
	for (int i = 0; i < 6000; i++) {
		snprintf(name, sizeof(name), "e%08x.mesh", (unsigned)i * 2654435761U);
		put_service(name, 0, 1);
		if (i % 50 == 0)
			commit();
	}
	commit();
	assert_in_range(sm_owner_usage(owner).held.n_entries, 3600, 4100);
	assert_int_equal(sm_owner_usage(owner).n_failures, 0);
}

static void one_user_cannot_push_out_what_others_use(void **state)
{
	char name[32];

	(void)state;
	open_owner(1U << 20, 25);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "ours%d.mesh", i);
		put_service(name, 2, 1000);
	}
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "flood%d.mesh", i);
		put_service(name, (uint16_t)(i % 3), 1001);
	}
	commit();
	map_file();
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "ours%d.mesh", i);
		assert_int_equal(find_service(name), 2);
	}
	assert_in_range(sm_owner_usage(owner).held.cost, (1U << 20) * 40 / 100, (1U << 20) * 60 / 100); /* nobody else wants it */
}

static void what_is_larger_than_the_map_is_told_but_not_kept(void **state)
{
	(void)state;
	open_owner(1U << 15, 25);
	put_service("api.mesh", 2, 1000);
	put_service("api.mesh", 512, 1000);
	commit();
	map_file();
	assert_int_equal(find_service("api.mesh"), -1);
	assert_int_equal(sm_owner_usage(owner).held.n_entries, 0);
}

static void every_name_is_come_by_once(void **state)
{
	struct sm_name name;
	int n = 0;

	(void)state;
	open_owner(SIZE, 100);
	assert_int_equal(sm_owner_next(owner, NULL, &name), SM_MISS);
	for (int i = 0; i < 100; i++) {
		char text[16];

		snprintf(text, sizeof(text), "n%d.mesh", i);
		put_service(text, 1, 1);
		if (i == 50)
			commit();
	}
	for (enum sm_status status = sm_owner_next(owner, NULL, &name); status == SM_OK;
	     status = sm_owner_next(owner, &name, &name))
		n++;
	assert_int_equal(n, 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, clean_up)
static const struct CMUnitTest tests[] = {
	TEST(what_is_committed_can_be_read_and_nothing_else),
	TEST(the_owner_sees_what_it_put_committed_or_not),
	TEST(records_of_every_size_are_read_whole),
	TEST(a_tree_of_several_levels_is_read_everywhere),
	TEST(everybody_can_read_and_nobody_else_can_write),
	TEST(there_is_one_owner),
	TEST(a_directory_that_others_can_write_is_refused),
	TEST(entries_survive_a_restart),
	TEST(the_only_entry_survives_too),
	TEST(what_the_map_says_of_itself_outlives_its_owner),
	TEST(a_foreign_file_is_replaced),
	TEST(a_map_of_another_boot_is_replaced),
	TEST(a_file_above_the_size_is_replaced),
	TEST(the_file_stays_within_its_size),
	TEST(as_many_are_kept_as_fit),
	TEST(one_user_cannot_push_out_what_others_use),
	TEST(what_is_larger_than_the_map_is_told_but_not_kept),
	TEST(every_name_is_come_by_once),
};

TESTS_MAIN(tests)
