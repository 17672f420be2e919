/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/inside.h"

#include "tests/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sm_inside inside;

static int begin(void **state)
{
	(void)state;
	memset(&inside, 0, sizeof(inside));
	sm_inside_use(&inside);
	return 0;
}

static bool can_be_cancelled(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	pthread_setcancelstate(state, NULL);
	return state == PTHREAD_CANCEL_ENABLE;
}

/* Who waits for nothing needs no guard. */
static void who_is_guarded_cannot_be_cancelled_until_he_leaves(void **state)
{
	struct sm_stay stay;

	(void)state;
	sm_inside_enter(&inside, &stay);
	assert_true(can_be_cancelled());
	sm_inside_guard(&stay);
	sm_inside_guard(&stay);
	assert_false(can_be_cancelled());
	sm_inside_leave(&inside, &stay);
	sm_inside_unguard(&stay);
	assert_true(can_be_cancelled());
}

static void who_enters_is_inside_until_he_leaves(void **state)
{
	struct sm_stay stay, other = {.place = NULL};

	(void)state;
	assert_false(sm_inside_enter(&inside, &stay));
	assert_true(sm_inside_is_alone(&inside, &stay));
	assert_false(sm_inside_is_alone(&inside, &other));
	sm_inside_leave(&inside, &stay);
	assert_true(sm_inside_is_alone(&inside, &(struct sm_stay){.place = &inside.places[0]}));
}

/* Deeper in the stack, as from a handler: the lookup that it interrupts goes on behind it. */
static void a_lookup_inside_another_disturbs_nothing(void **state)
{
	struct sm_stay stays[2];

	(void)state;
	assert_false(sm_inside_enter(&inside, &stays[1]));
	sm_inside_guard(&stays[1]);
	assert_false(sm_inside_enter(&inside, &stays[0]));
	sm_inside_guard(&stays[0]);
	assert_false(sm_inside_is_alone(&inside, &stays[0]));
	assert_false(sm_inside_is_alone(&inside, &stays[1]));
	sm_inside_leave(&inside, &stays[0]);
	sm_inside_unguard(&stays[0]);
	assert_false(can_be_cancelled());
	assert_true(sm_inside_is_alone(&inside, &stays[1]));
	sm_inside_leave(&inside, &stays[1]);
	sm_inside_unguard(&stays[1]);
	assert_true(can_be_cancelled());
}

static void an_abandoned_one_is_put_in_order(void **state)
{
	struct sm_stay stays[2];
	int left = socket(AF_UNIX, SOCK_DGRAM, 0), exchanged = socket(AF_UNIX, SOCK_DGRAM, 0), other;

	(void)state;
	assert_false(sm_inside_enter(&inside, &stays[0]));
	sm_inside_guard(&stays[0]);
	sm_inside_note_socket(left);
	sm_inside_note_socket(exchanged);
	other = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(dup2(other, exchanged), exchanged); /* the program's own, by now */
	assert_true(sm_inside_enter(&inside, &stays[1]));
	assert_true(can_be_cancelled());
	assert_true(sm_inside_is_alone(&inside, &stays[1]));
	assert_int_equal(fcntl(left, F_GETFD), -1);
	assert_true(fcntl(exchanged, F_GETFD) >= 0);
	sm_inside_leave(&inside, &stays[1]);
	assert_false(sm_inside_enter(&inside, &stays[0]));
	sm_inside_leave(&inside, &stays[0]);
	close(exchanged);
	close(other);
}

/* They come one after the other: the first by the table, the others as they can. */
static void many_abandoned_ones_keep_no_descriptors(void **state)
{
	struct sm_stay stay;
	int first = dup(0);

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(sm_inside_enter(&inside, &stay), i > 0);
		for (int j = 0; j < SM_INSIDE_FDS; j++)
			sm_inside_note_socket(socket(AF_UNIX, SOCK_DGRAM, 0));
	}
	assert_true(sm_inside_enter(&inside, &stay));
	assert_int_equal(dup(0), first + 1);
	close(first + 1);
	close(first);
	sm_inside_leave(&inside, &stay);
}

static struct sm_stay interrupted;
static int answers;

static void enter_and_leave(int number)
{
	struct sm_stay stay;

	(void)number;
	assert_false(sm_inside_enter(&inside, &stay)); /* its stack may lie anywhere: above the other, too */
	answers += !stay.place;
	sm_inside_leave(&inside, &stay);
}

static void a_handler_on_a_stack_of_its_own_is_inside_another(void **state)
{
	static char below[65536];
	stack_t stack = {.ss_sp = below, .ss_size = sizeof(below)}, none = {.ss_flags = SS_DISABLE};
	struct sigaction action = {.sa_handler = enter_and_leave, .sa_flags = SA_ONSTACK};

	(void)state;
	assert_int_equal(sigaltstack(&stack, NULL), 0);
	sigaction(SIGUSR1, &action, NULL);
	assert_false(sm_inside_enter(&inside, &interrupted));
	interrupted.place->stay = (const struct sm_stay *)(below + sizeof(below) - 12288); /* near below it */
	raise(SIGUSR1);
	assert_int_equal(answers, 1);
	assert_true(sm_inside_is_alone(&inside, &interrupted));
	sm_inside_leave(&inside, &interrupted);
	sigaltstack(&none, NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup(who_enters_is_inside_until_he_leaves, begin),
	cmocka_unit_test_setup(who_is_guarded_cannot_be_cancelled_until_he_leaves, begin),
	cmocka_unit_test_setup(a_lookup_inside_another_disturbs_nothing, begin),
	cmocka_unit_test_setup(an_abandoned_one_is_put_in_order, begin),
	cmocka_unit_test_setup(many_abandoned_ones_keep_no_descriptors, begin),
	cmocka_unit_test_setup(a_handler_on_a_stack_of_its_own_is_inside_another, begin),
};

TESTS_MAIN(tests)
