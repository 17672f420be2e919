/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tier/seal.h"

#include "tests/test.h"

#define TEXT "what is sealed, and nobody's business"
#define SIZE (sizeof(TEXT) - 1)
#define SEALED (SIZE + SM_SEAL_OVERHEAD)

static const uint8_t salt[SM_SEAL_SALT_SIZE] = "chance is an argument";

static struct sm_seal *begin(const char *first, const char *second)
{
	uint8_t keys[SM_SEAL_KEYS_MAX][SM_SEAL_KEY_SIZE] = {{0}};
	struct sm_seal *seal;

	memcpy(keys[0], first, strlen(first));
	memcpy(keys[1], second, strlen(second));
	assert_int_equal(sm_seal_begin(keys, second[0] ? 2 : 1, &seal), SM_OK);
	return seal;
}

static enum sm_status open(struct sm_seal *seal, const char *name, const uint8_t *sealed, size_t size)
{
	uint8_t *exact = malloc(size + 1), *text = malloc(size + 1); /* each byte beyond is found by the sanitizer */
	size_t text_size = 0;
	enum sm_status status;

	memcpy(exact, sealed, size);
	status = sm_seal_open(seal, name, exact, size, text, &text_size);
	if (status == SM_OK) {
		assert_int_equal(text_size, SIZE);
		assert_memory_equal(text, TEXT, SIZE);
	}
	free(exact);
	free(text);
	return status;
}

static void what_is_sealed_opens(void **state)
{
	struct sm_seal *seal = begin("a", "");
	uint8_t sealed[SEALED];

	(void)state;
	assert_int_equal(sm_seal_close(seal, "name", salt, TEXT, SIZE, sealed), SM_OK);
	assert_null(memmem(sealed, SEALED, TEXT, 8));
	assert_int_equal(open(seal, "name", sealed, SEALED), SM_OK);
	sm_seal_end(seal);
}

static void every_single_change_is_found(void **state)
{
	struct sm_seal *seal = begin("a", "");
	uint8_t sealed[SEALED + 1] = {0};

	(void)state;
	assert_int_equal(sm_seal_close(seal, "name", salt, TEXT, SIZE, sealed), SM_OK);
	for (size_t i = 0; i < SEALED * 8; i++) {
		sealed[i / 8] ^= (uint8_t)(1U << i % 8);
		assert_int_equal(open(seal, "name", sealed, SEALED), SM_CORRUPT);
		sealed[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	for (size_t size = 0; size < SEALED; size++)
		assert_int_equal(open(seal, "name", sealed, size), SM_CORRUPT);
	assert_int_equal(open(seal, "name", sealed, SEALED + 1), SM_CORRUPT);
	assert_int_equal(open(seal, "another", sealed, SEALED), SM_CORRUPT);
	sm_seal_end(seal);
}

static void both_keys_open_and_the_first_one_seals(void **state)
{
	struct sm_seal *old = begin("a", ""), *both = begin("a", "b"), *turned = begin("b", "a"), *new = begin("b", "");
	uint8_t by_a[SEALED], by_b[SEALED];

	(void)state;
	assert_int_equal(sm_seal_close(both, "name", salt, TEXT, SIZE, by_a), SM_OK);
	assert_int_equal(sm_seal_close(turned, "name", salt, TEXT, SIZE, by_b), SM_OK);
	assert_int_equal(open(old, "name", by_a, SEALED), SM_OK);
	assert_int_equal(open(both, "name", by_b, SEALED), SM_OK);
	assert_int_equal(open(turned, "name", by_a, SEALED), SM_OK);
	assert_int_equal(open(new, "name", by_b, SEALED), SM_OK);
	assert_int_equal(open(new, "name", by_a, SEALED), SM_CORRUPT);
	assert_int_equal(open(old, "name", by_b, SEALED), SM_CORRUPT);
	sm_seal_end(old);
	sm_seal_end(both);
	sm_seal_end(turned);
	sm_seal_end(new);
}

static void a_name_says_nothing_without_its_key(void **state)
{
	struct sm_seal *a = begin("a", "b"), *b = begin("b", "");
	char one[SM_SEAL_NAME_SIZE + 1], two[SM_SEAL_NAME_SIZE + 1], three[SM_SEAL_NAME_SIZE + 1], who[9], other[9];

	(void)state;
	assert_int_equal(sm_seal_name(a, 0, "api.mesh", 8, one), SM_OK);
	assert_int_equal(sm_seal_name(a, 1, "api.mesh", 8, two), SM_OK);
	assert_int_equal(sm_seal_name(b, 0, "api.mesh", 8, three), SM_OK);
	assert_int_equal(strlen(one), SM_SEAL_NAME_SIZE);
	assert_int_equal(strspn(one, "0123456789abcdef"), SM_SEAL_NAME_SIZE);
	assert_string_not_equal(one, two);
	assert_string_equal(two, three);
	assert_int_equal(sm_seal_name(a, 0, "api.mesi", 8, two), SM_OK);
	assert_string_not_equal(one, two);
	sm_seal_identity(a, who);
	sm_seal_identity(b, other);
	assert_int_equal(strlen(who), 8);
	assert_string_not_equal(who, other);
	sm_seal_end(a);
	sm_seal_end(b);
}

/* So that releases can read each other's values: computed once by Python's cryptography, from the same definitions. */
static void the_format_is_what_it_was(void **state)
{
	struct sm_seal *seal = begin("0123456789abcdef0123456789abcdef", "");
	static const uint8_t expected[] = {
		0x01, 0x63, 0x68, 0x61, 0x6e, 0x63, 0x65, 0x20, 0x69, 0x73, 0x20, 0x61, 0x6e, 0x20, 0x61, 0x72, 0x67, 0x75, 0x6d,
		0x65, 0x6e, 0x74, 0x00, 0x00, 0x00, 0xd1, 0x44, 0x60, 0x2f, 0x07, 0xa7, 0x9f, 0x3c, 0xf9, 0xd1, 0xec, 0x46, 0x97,
		0xec, 0x08, 0xab, 0x3e, 0xd7, 0x1c, 0x77, 0xc3, 0x45, 0xc1, 0x5b, 0xc7, 0xe7, 0x6d, 0x8e, 0xbe, 0x85, 0x93, 0x06,
		0x89, 0x74, 0x2b, 0x19, 0x66, 0xfe, 0x95, 0x39, 0xfd, 0x66, 0xd2, 0xaa, 0x85, 0x9d, 0xae, 0x49, 0xca, 0xaf, 0x16,
		0xf2, 0x46,
	};
	char name[SM_SEAL_NAME_SIZE + 1], who[9];
	uint8_t sealed[SEALED];

	(void)state;
	assert_int_equal(sm_seal_name(seal, 0, "api.mesh", 8, name), SM_OK);
	assert_string_equal(name, "3ea71d04c304292a368fa1bfe3ba2748");
	sm_seal_identity(seal, who);
	assert_string_equal(who, "a405ff99");
	assert_int_equal(sm_seal_close(seal, "name", salt, TEXT, SIZE, sealed), SM_OK);
	assert_int_equal(sizeof(expected), SEALED);
	assert_memory_equal(sealed, expected, SEALED);
	sm_seal_end(seal);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_is_sealed_opens),
	cmocka_unit_test(every_single_change_is_found),
	cmocka_unit_test(both_keys_open_and_the_first_one_seals),
	cmocka_unit_test(a_name_says_nothing_without_its_key),
	cmocka_unit_test(the_format_is_what_it_was),
};

TESTS_MAIN(tests)
