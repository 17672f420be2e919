/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/forkzero.h"

#include "tests/test.h"

#include <sys/wait.h>
#include <unistd.h>

static void a_child_finds_zeros_and_its_parent_keeps_what_it_had(void **state)
{
	int *memory = sm_forkzero_map(sizeof(int)), status;
	pid_t child;

	(void)state;
	assert_non_null(memory);
	*memory = 42;
	child = fork();
	if (child == 0)
		_exit(*memory);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(*memory, 42);
	sm_forkzero_unmap(memory, sizeof(int));
}

static void so_is_static_memory_that_is_marked(void **state)
{
	static _Alignas(SM_PAGE_MAX) char memory[SM_PAGE_MAX];
	int status;
	pid_t child;

	(void)state;
	assert_true(sm_forkzero_mark(memory, sizeof(memory)));
	memory[5] = 42;
	child = fork();
	if (child == 0)
		_exit(memory[5]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(memory[5], 42);
	assert_false(sm_forkzero_mark(memory + 1, 1)); /* no whole pages */
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_child_finds_zeros_and_its_parent_keeps_what_it_had),
	cmocka_unit_test(so_is_static_memory_that_is_marked),
};

TESTS_MAIN(tests)
