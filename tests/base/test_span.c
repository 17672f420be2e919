/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/span.h"

#include "tests/test.h"

#include <string.h>

/* strspn and strcspn are what they are to be. */
static void both_are_those_of_libc(void **state)
{
	static const char *const texts[] = {"", " ", "a", " \ta, b", "word", "=", "\xff\x80 ", "a=b=c"};
	static const char *const sets[] = {" ", " \t", " \t,", "=", "\xff"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (size_t k = 0; k < sizeof(sets) / sizeof(sets[0]); k++) {
			assert_int_equal(sm_span(texts[i], sets[k]), strspn(texts[i], sets[k]));
			assert_int_equal(sm_span_without(texts[i], sets[k]), strcspn(texts[i], sets[k]));
		}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(both_are_those_of_libc),
};

TESTS_MAIN(tests)
