/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/file.h"

#include "tests/directory.h"

#include <sys/resource.h>

static void a_file_is_read_whole(void **state)
{
	char *text;
	size_t size;

	(void)state;
	write_file("a", "hello\n");
	assert_int_equal(sm_file_read(path_of("a"), &text, &size), SM_OK);
	assert_int_equal(size, 6);
	assert_string_equal(text, "hello\n");
	free(text);
}

static void what_is_no_readable_file_is_told_apart(void **state)
{
	char *text = NULL;
	size_t size;

	(void)state;
	assert_int_equal(sm_file_read(path_of("none"), &text, &size), SM_MISS);
	assert_int_equal(sm_file_read(directory, &text, &size), SM_INVALID);
	assert_int_equal(mkfifo(path_of("pipe"), 0644), 0);
	assert_int_equal(sm_file_read(path_of("pipe"), &text, &size), SM_INVALID);
	write_file("large", "x");
	assert_int_equal(truncate(path_of("large"), SM_FILE_MAX + 1), 0);
	assert_int_equal(sm_file_read(path_of("large"), &text, &size), SM_FULL);
	assert_null(text);
}

static void a_want_of_our_own_is_not_the_files_fault(void **state)
{
	struct rlimit few = {0, 0}, usual;
	char *text = NULL;
	size_t size;

	(void)state;
	write_file("a", "hello\n");
	getrlimit(RLIMIT_NOFILE, &usual);
	few.rlim_max = usual.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	assert_int_equal(sm_file_read(path_of("a"), &text, &size), SM_EXHAUSTED);
	setrlimit(RLIMIT_NOFILE, &usual);
	assert_null(text);
}

static void dropins_come_in_byte_order(void **state)
{
	struct sm_dropins dropins;
	struct stat is;

	(void)state;
	write_file("20.conf", "");
	write_file("10.conf", "");
	write_file("B.conf", "");
	write_file("a.conf", "");
	write_file("note.txt", "");
	write_file(".hidden.conf", "");
	write_file("x.conf~", "");
	assert_int_equal(sm_file_dropins(directory, &is, &dropins), SM_OK);
	assert_int_equal(dropins.n, 4);
	assert_true(S_ISDIR(is.st_mode));
	assert_string_equal(dropins.names[0], "10.conf");
	assert_string_equal(dropins.names[1], "20.conf");
	assert_string_equal(dropins.names[2], "B.conf");
	assert_string_equal(dropins.names[3], "a.conf");
	free(dropins.names);
}

static void no_directory_has_no_dropins(void **state)
{
	struct sm_dropins dropins;
	struct stat is;

	(void)state;
	assert_int_equal(sm_file_dropins(path_of("none"), &is, &dropins), SM_OK);
	assert_int_equal(dropins.n, 0);
	assert_null(dropins.names);
	assert_int_equal(is.st_ino, 0);
}

static void too_many_dropins_are_an_error(void **state)
{
	struct sm_dropins dropins;
	struct stat is;

	(void)state;
	for (int i = SM_DROPINS_MAX + 4; i >= 0; i--) {
		char name[16];

		snprintf(name, sizeof(name), "%03d.conf", i);
		write_file(name, "");
	}
	assert_int_equal(sm_file_dropins(directory, &is, &dropins), SM_FULL);
	assert_int_equal(dropins.n, SM_DROPINS_MAX); /* the first ones are returned */
	assert_string_equal(dropins.names[0], "000.conf");
	assert_string_equal(dropins.names[SM_DROPINS_MAX - 1], "063.conf");
	free(dropins.names);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)
static const struct CMUnitTest tests[] = {
	TEST(a_file_is_read_whole),
	TEST(what_is_no_readable_file_is_told_apart),
	TEST(a_want_of_our_own_is_not_the_files_fault),
	TEST(dropins_come_in_byte_order),
	TEST(no_directory_has_no_dropins),
	TEST(too_many_dropins_are_an_error),
};

TESTS_MAIN(tests)
