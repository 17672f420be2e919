/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/watch.h"

#include "tests/directory.h"

#include <sched.h>
#include <sys/wait.h>

static struct sm_watch watch;

static void an_untouched_file_has_not_changed(void **state)
{
	(void)state;
	write_file("a", "x");
	watch.n = 0;
	sm_watch_add(&watch, path_of("a"));
	sm_watch_add(&watch, path_of("missing"));
	assert_false(sm_watch_has_changed(&watch));
}

static void writing_replacing_removing_and_appearing_are_changes(void **state)
{
	(void)state;
	write_file("a", "x");
	watch.n = 0;
	sm_watch_add(&watch, path_of("a"));
	write_file("a", "longer");
	assert_true(sm_watch_has_changed(&watch));

	watch.n = 0;
	sm_watch_add(&watch, path_of("a"));
	write_file("b", "longer");
	assert_int_equal(rename(path_of("b"), path_of("a")), 0);
	assert_true(sm_watch_has_changed(&watch));

	watch.n = 0;
	sm_watch_add(&watch, path_of("a"));
	assert_int_equal(unlink(path_of("a")), 0);
	assert_true(sm_watch_has_changed(&watch));

	watch.n = 0;
	sm_watch_add(&watch, path_of("a"));
	write_file("a", "x");
	assert_true(sm_watch_has_changed(&watch));
}

static void a_new_dropin_changes_its_directory(void **state)
{
	(void)state;
	watch.n = 0;
	sm_watch_add(&watch, directory);
	usleep(20000); /* the granularity of a file system's clock */
	write_file("new.conf", "");
	assert_true(sm_watch_has_changed(&watch));
}

static void behind_a_chroot_nothing_has_changed(void **state)
{
	pid_t child;
	int status;

	(void)state;
	write_file("a", "x");
	watch.n = 0;
	sm_watch_add(&watch, path_of("a"));
	child = fork();
	if (child == 0) {
		/* without root, a namespace in which one may */
		if (chroot(directory) != 0 && (unshare(CLONE_NEWUSER) != 0 || chroot(directory) != 0))
			_exit(2);
		_exit(sm_watch_has_changed(&watch));
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
}

static void more_files_than_the_bound_are_let_go(void **state)
{
	(void)state;
	watch.n = 0;
	for (int i = 0; i < SM_WATCH_FILES_MAX + 5; i++)
		sm_watch_add(&watch, directory);
	assert_int_equal(watch.n, SM_WATCH_FILES_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)
static const struct CMUnitTest tests[] = {
	TEST(an_untouched_file_has_not_changed),
	TEST(writing_replacing_removing_and_appearing_are_changes),
	TEST(a_new_dropin_changes_its_directory),
	TEST(behind_a_chroot_nothing_has_changed),
	TEST(more_files_than_the_bound_are_let_go),
};

TESTS_MAIN(tests)
