/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The filter, each time in a child, because a filter cannot be removed. */
#include "daemon/seal.h"

#include "tests/directory.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* The result of `act` under the filter: 0, or errno. */
static int sealed(long (*act)(int fd))
{
	int fd, status;
	pid_t child;

	write_file("file", "0123456789");
	fd = open(path_of("file"), O_RDWR | O_CLOEXEC);
	child = fork();
	if (child == 0) {
		if (sm_seal() != SM_OK)
			_exit(255);
		_exit(act(fd) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	close(fd);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static long shorten(int fd) { return ftruncate(fd, 1); }
static long shorten_by_name(int fd) { (void)fd; return truncate(path_of("file"), 1); }
static long punch(int fd) { return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4); }
static long open_empty(int fd) { (void)fd; return open(path_of("file"), O_RDWR | O_TRUNC); }
static long create(int fd) { (void)fd; return creat(path_of("file"), 0644); }
static long open_anyhow(int fd) { (void)fd; return syscall(SYS_openat2, -1, "x", NULL, 0); }
static long use_ring(int fd) { (void)fd; return syscall(SYS_io_uring_setup, 1, NULL); }

static long remove_pages(int fd)
{
	void *bytes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return bytes == MAP_FAILED ? 0 : madvise(bytes, 4096, MADV_REMOVE);
}

static long let_others_write(int fd) { return fchmod(fd, 0666); }
static long let_others_write_anew(int fd) { (void)fd; return syscall(452, AT_FDCWD, path_of("file"), 0666, 0); }
static long keep_the_mode(int fd) { return fchmod(fd, 0644); }

static long work_as_usual(int fd)
{
	if (pwrite(fd, "ab", 2, 0) != 2 || open(path_of("other"), O_RDWR | O_CREAT, 0644) < 0)
		return -1;
	return unlink(path_of("other"));
}

static void what_shortens_a_file_is_forbidden(void **state)
{
	(void)state;
	assert_int_equal(sealed(shorten), EPERM);
	assert_int_equal(sealed(shorten_by_name), EPERM);
	assert_int_equal(sealed(punch), EPERM);
	assert_int_equal(sealed(open_empty), EPERM);
	assert_int_equal(sealed(create), EPERM);
	assert_int_equal(sealed(remove_pages), EPERM);
	assert_int_equal(sealed(let_others_write), EPERM);
}

static void what_leads_around_the_filter_is_not_there(void **state)
{
	(void)state;
	assert_int_equal(sealed(open_anyhow), ENOSYS);
	assert_int_equal(sealed(use_ring), ENOSYS);
	assert_int_equal(sealed(let_others_write_anew), ENOSYS); /* fchmodat2 */
}

static void what_the_daemon_needs_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(sealed(work_as_usual), 0);
	assert_int_equal(sealed(keep_the_mode), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)
static const struct CMUnitTest tests[] = {
	TEST(what_shortens_a_file_is_forbidden),
	TEST(what_leads_around_the_filter_is_not_there),
	TEST(what_the_daemon_needs_is_allowed),
};

TESTS_MAIN(tests)
