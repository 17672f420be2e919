/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resolve/confine.h"

#include "tests/test.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void no_file_is_opened(void **state)
{
	char text[8] = "as it is";

	(void)state;
	assert_null(sm_confine_fopen("/etc/resolv.conf", "r"));
	assert_int_equal(errno, ENOENT);
	assert_null(sm_confine_fopen64("/etc/resolv.conf", "r"));
	assert_null(sm_confine_fgets(text, sizeof(text), NULL));
	assert_int_equal(sm_confine_fread(text, 1, sizeof(text), NULL), 0);
	assert_int_not_equal(sm_confine_ferror(NULL), 0);
	assert_int_equal(sm_confine_fclose(NULL), -1);
	assert_int_equal(sm_confine_setvbuf(NULL, text, _IOFBF, sizeof(text)), -1);
	assert_memory_equal(text, "as it is", 8);
}

static void nothing_is_asked_of_the_host(void **state)
{
	char text[64] = "";
	struct servent servent, *found = &servent;
	struct iovec part = {text, 1};
	int ends[2];

	(void)state;
	setenv("LOCALDOMAIN", "example", 1);
	assert_null(sm_confine_getenv("LOCALDOMAIN"));
	assert_int_equal(sm_confine_gethostname(text, sizeof(text)), -1);
	assert_int_equal(errno, ENOSYS);
	assert_int_equal(sm_confine_getservbyport_r(80, "tcp", &servent, text, sizeof(text), &found), ENOENT);
	assert_null(found);
	assert_null(sm_confine_if_indextoname(1, text));
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(sm_confine_writev(ends[1], &part, 1), -1);
	close(ends[0]);
	close(ends[1]);
}

/* Not signs of the program's: rand stays as the program has seeded it. */
static void the_generator_of_the_program_is_left_alone(void **state)
{
	uint8_t bytes[32] = {0}, others[32] = {0};
	int first;

	(void)state;
	srand(7);
	first = rand();
	srand(7);
	sm_confine_srand(1);
	assert_int_equal(sm_confine_rand(), 0);
	assert_int_equal(rand(), first);
	sm_confine_arc4random_buf(bytes, sizeof(bytes));
	sm_confine_arc4random_buf(others, sizeof(others));
	assert_memory_not_equal(bytes, others, sizeof(bytes));
}

static void what_is_replaced_does_the_same(void **state)
{
	struct sm_confine_time now;
	char text[8];

	(void)state;
	assert_int_equal(sm_confine_gettimeofday(&now, NULL), 0);
	assert_in_range(time(NULL) - now.seconds, 0, 1);
	assert_in_range(now.microseconds, 0, 999999);
	assert_int_equal(sm_confine_fdelt(0), 0);
	assert_int_equal(sm_confine_fdelt(FD_SETSIZE - 1), (FD_SETSIZE - 1) / (8 * (int)sizeof(long)));
	assert_string_equal(sm_confine_memcpy(text, "abc", 4, sizeof(text)), "abc");
	assert_int_equal(sm_confine_sprintf(text, 0, sizeof(text), "%s:%d", "ab", 12345), 8);
	assert_string_equal(text, "ab:1234");
	assert_int_equal(sm_confine_sprintf(text, 0, (size_t)-1, "%x", 0xabcd), 4);
	assert_string_equal(text, "abcd");
	assert_int_equal(sm_confine_strcasecmp("MINI.Mesh", "mini.mEsh"), 0);
	assert_true(sm_confine_strcasecmp("ab", "abc") < 0);
	assert_true(sm_confine_strcasecmp("b", "Abc") > 0);
	assert_true(sm_confine_strcasecmp("\xff", "a") > 0);
	assert_int_equal(sm_confine_strncasecmp("abX", "ABy", 2), 0);
	assert_true(sm_confine_strncasecmp("abX", "ABy", 3) < 0);
	assert_int_equal(sm_confine_strncasecmp("a", "b", 0), 0);
}

/* As libc's own would end the program rather than write past the end. */
static bool ends(bool is_copy)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		char text[2];

		signal(SIGILL, SIG_DFL); /* of which cmocka would make a failure */
		signal(SIGTRAP, SIG_DFL);
		if (is_copy)
			sm_confine_memcpy(text, "abc", 3, sizeof(text));
		else
			sm_confine_fdelt(FD_SETSIZE);
		_exit(0);
	}
	return waitpid(child, &status, 0) == child && WIFSIGNALED(status);
}

static void nothing_is_written_past_the_end(void **state)
{
	(void)state;
	assert_true(ends(true));
	assert_true(ends(false));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(no_file_is_opened),
	cmocka_unit_test(nothing_is_asked_of_the_host),
	cmocka_unit_test(the_generator_of_the_program_is_left_alone),
	cmocka_unit_test(what_is_replaced_does_the_same),
	cmocka_unit_test(nothing_is_written_past_the_end),
};

TESTS_MAIN(tests)
