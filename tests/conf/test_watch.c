/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/watch.h"

#include "tests/directory.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct sm_watch watch;

static void begin(void)
{
	sm_watch_end(&watch);
	sm_watch_begin(&watch);
}

static void add(const char *path)
{
	char *text = NULL;
	size_t size;
	enum sm_status status = sm_watch_read(&watch, path, &text, &size);

	(void)status;
	free(text);
}

static void an_untouched_file_has_not_changed(void **state)
{
	(void)state;
	write_file("a", "x");
	begin();
	add(path_of("a"));
	add(path_of("missing"));
	assert_int_equal(sm_watch_look(&watch, 1), SM_WATCH_SAME);
}

static void writing_replacing_removing_and_appearing_are_changes(void **state)
{
	(void)state;
	write_file("a", "x");
	begin();
	add(path_of("a"));
	write_file("a", "longer");
	assert_int_not_equal(sm_watch_look(&watch, 1), SM_WATCH_SAME);

	begin();
	add(path_of("a"));
	write_file("b", "longer");
	assert_int_equal(rename(path_of("b"), path_of("a")), 0);
	assert_int_not_equal(sm_watch_look(&watch, 1), SM_WATCH_SAME);

	begin();
	add(path_of("a"));
	assert_int_equal(unlink(path_of("a")), 0);
	assert_int_not_equal(sm_watch_look(&watch, 1), SM_WATCH_SAME);

	begin();
	add(path_of("a"));
	write_file("a", "x");
	assert_int_not_equal(sm_watch_look(&watch, 1), SM_WATCH_SAME);
}

/* Sets the file's time to that long ago. */
static void age(const char *name, long ms)
{
	struct timespec times[2];

	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= ms / 1000;
	times[0].tv_nsec -= ms % 1000 * 1000000;
	if (times[0].tv_nsec < 0) {
		times[0].tv_nsec += 1000000000;
		times[0].tv_sec--;
	}
	times[1] = times[0];
	assert_int_equal(utimensat(AT_FDCWD, path_of(name), times, 0), 0);
}

#define S 1000000000LL

static void what_is_read_is_recorded_as_it_was_before(void **state)
{
	char *text = NULL;
	size_t size;

	(void)state;
	write_file("a", "read");
	begin();
	assert_int_equal(sm_watch_read(&watch, path_of("a"), &text, &size), SM_OK);
	assert_string_equal(text, "read");
	free(text);
	assert_int_equal(sm_watch_read(&watch, path_of("missing"), &text, &size), SM_MISS);
	assert_string_equal(watch.last->path, path_of("missing"));
	assert_string_equal(watch.last->before->path, path_of("a"));
	assert_int_equal(sm_watch_look(&watch, 10 * S), SM_WATCH_SAME);
	write_file("missing", "is there");
	age("missing", 1000);
	assert_int_equal(sm_watch_look(&watch, 10 * S), SM_WATCH_CHANGED);
	begin();
	assert_int_equal(sm_watch_read(&watch, path_of("a"), &text, &size), SM_OK);
	free(text);
	assert_int_equal(sm_watch_read(&watch, directory, &text, &size), SM_INVALID); /* no file, but as it is */
	assert_int_equal(sm_watch_look(&watch, 11 * S), SM_WATCH_SAME);
	write_file("a", "other");
	age("a", 1000);
	assert_int_equal(sm_watch_look(&watch, 12 * S), SM_WATCH_CHANGED);
}

static void what_was_written_just_now_may_not_be_whole(void **state)
{
	(void)state;
	write_file("a", "x");
	begin();
	add(path_of("a"));
	write_file("a", "half of");
	age("a", 0);
	assert_int_equal(sm_watch_look(&watch, 10 * S), SM_WATCH_FRESH);
	age("a", 1000);
	assert_int_equal(sm_watch_look(&watch, 10 * S + 1), SM_WATCH_CHANGED);
	age("a", 0);
	assert_int_equal(sm_watch_look(&watch, 20 * S), SM_WATCH_FRESH);
	assert_int_equal(sm_watch_look(&watch, 22 * S), SM_WATCH_CHANGED); /* a file that is written all the time */
	age("a", -3600 * 1000L);
	assert_int_equal(sm_watch_look(&watch, 30 * S), SM_WATCH_CHANGED); /* a clock that was set back */
}

static void what_vanishes_or_is_emptied_has_two_seconds_to_come_back(void **state)
{
	(void)state;
	for (int is_empty = 0; is_empty <= 1; is_empty++) {
		write_file("a", "x");
		age("a", 5000);
		begin();
		add(path_of("a"));
		if (is_empty)
			write_file("a", "");
		else
			unlink(path_of("a"));
		assert_int_equal(sm_watch_look(&watch, 10 * S), SM_WATCH_FADING);
		assert_int_equal(sm_watch_look(&watch, 12 * S - 1), SM_WATCH_FADING);
		write_file("a", "back");
		age("a", 1000);
		assert_int_equal(sm_watch_look(&watch, 12 * S), SM_WATCH_CHANGED);
		unlink(path_of("a"));
		assert_int_equal(sm_watch_look(&watch, 13 * S), SM_WATCH_FADING); /* the time starts again */
		assert_int_equal(sm_watch_look(&watch, 15 * S), SM_WATCH_CHANGED);
	}
}

static void a_file_that_was_not_to_be_read_is_tried_again(void **state)
{
	struct sm_dropins dropins;

	(void)state;
	write_file("a", "x");
	begin();
	add(path_of("a"));
	assert_int_equal(sm_watch_look(&watch, 1), SM_WATCH_SAME);
	assert_int_equal(sm_watch_dropins(&watch, path_of("a"), &dropins), SM_REFUSED);
	assert_int_equal(sm_watch_look(&watch, 1), SM_WATCH_CHANGED);
}

static void a_link_is_followed_to_where_it_leads_now(void **state)
{
	(void)state;
	write_file("one", "x");
	write_file("two", "x");
	assert_int_equal(symlink("one", path_of("a")), 0);
	begin();
	add(path_of("a"));
	assert_int_equal(symlink("two", path_of("b")), 0);
	assert_int_equal(rename(path_of("b"), path_of("a")), 0);
	assert_int_not_equal(sm_watch_look(&watch, 1), SM_WATCH_SAME);
}

static void a_new_dropin_changes_its_directory(void **state)
{
	(void)state;
	begin();
	add(directory);
	usleep(20000); /* the granularity of a file system's clock */
	write_file("new.conf", "");
	assert_int_not_equal(sm_watch_look(&watch, 1), SM_WATCH_SAME);
}

static void behind_a_chroot_nothing_has_changed(void **state)
{
	pid_t child;
	int status;

	(void)state;
	write_file("a", "x");
	begin();
	add(path_of("a"));
	child = fork();
	if (child == 0) {
		/* without root, a user namespace in which chroot is allowed */
		if (chroot(directory) != 0 && (unshare(CLONE_NEWUSER) != 0 || chroot(directory) != 0))
			_exit(2);
		_exit(sm_watch_look(&watch, 1) != SM_WATCH_SAME);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
}

static void a_path_that_is_too_long_is_let_go(void **state)
{
	char path[SM_WATCH_PATH_MAX + 1] = "/";

	(void)state;
	memset(path + 1, 'a', SM_WATCH_PATH_MAX - 1);
	begin();
	add(path);
	assert_null(watch.last);
	path[SM_WATCH_PATH_MAX - 1] = '\0';
	add(path);
	assert_string_equal(watch.last->path, path);
	assert_false(watch.is_incomplete);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)
static const struct CMUnitTest tests[] = {
	TEST(an_untouched_file_has_not_changed),
	TEST(writing_replacing_removing_and_appearing_are_changes),
	TEST(what_is_read_is_recorded_as_it_was_before),
	TEST(what_was_written_just_now_may_not_be_whole),
	TEST(what_vanishes_or_is_emptied_has_two_seconds_to_come_back),
	TEST(a_file_that_was_not_to_be_read_is_tried_again),
	TEST(a_link_is_followed_to_where_it_leads_now),
	TEST(a_new_dropin_changes_its_directory),
	TEST(behind_a_chroot_nothing_has_changed),
	TEST(a_path_that_is_too_long_is_let_go),
};

TESTS_MAIN(tests)
