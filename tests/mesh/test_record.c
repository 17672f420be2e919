/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/record.h"

#include "tests/answer.h"
#include "tests/test.h"

static uint8_t bytes[SM_RECORD_MAX];
ROOMY_ANSWER(answer);
ROOMY_ARENA(arena);
static struct sm_answer decoded;
static enum sm_format format = SM_FORMAT;
static const struct sm_times sample_times = {123456789012345, 123456789012346, 123456789012347, 123456789012348};
static struct sm_times times;

static size_t encode_sample(void)
{
	struct sm_name name = name_of("api.mesh");
	size_t size;

	ROOMY_ANSWER_CLEAR(answer);
	answer.kind = SM_ANSWER_ADDRESSES;
	answer.ttl_s = 30;
	answer.uncertain_families = SM_IPV6;
	answer.unasked_families = SM_IPV4;
	answer.unawaited_families = SM_IPV6;
	answer.n_targets = 2;
	answer.targets[0] = (struct sm_target){"a.mesh", 10, 60, 8080, 0, 2, .is_down = false};
	answer.targets[1] = (struct sm_target){"b.mesh", 20, 0, 8081, 2, 1, .is_down = true, .metadata = "version=2 zone=eu"};
	answer.n_addresses = 3;
	answer.addresses[0] = (struct sm_address){SM_IPV4, {127, 0, 0, 1}};
	answer.addresses[1] = (struct sm_address){SM_IPV6, {[15] = 1}};
	answer.addresses[2] = (struct sm_address){SM_IPV4, {127, 0, 0, 2}};
	for (int i = 0; i < 3; i++)
		answer.ranks[i] = UINT64_MAX - (uint64_t)i;
	assert_int_equal(sm_record_encode(&name, &answer, &sample_times, format, bytes, sizeof(bytes), &size), SM_OK);
	return size;
}

static enum sm_status decode(const char *text, size_t size)
{
	struct sm_name name = name_of(text);
	/* a copy of the exact size, so that ASan and valgrind report a read past its end */
	void *copy = malloc(size ? size : 1);
	enum sm_status status;

	memcpy(copy, bytes, size);
	sm_arena_clear(&arena);
	status = sm_record_decode(&name, copy, size, &arena, &decoded, &times);
	if (status == SM_OK) {
		assert_string_equal(decoded.targets[0].name, "a.mesh");
		assert_null(decoded.targets[0].metadata);
		assert_string_equal(decoded.targets[1].metadata, "version=2 zone=eu");
	}
	free(copy);
	return status;
}

static void an_answer_survives_the_round_trip(void **state)
{
	size_t size = encode_sample();

	(void)state;
	assert_int_equal(decode("api.mesh", size), SM_OK);
	assert_memory_equal(&times, &sample_times, sizeof(times));
	assert_int_equal(decoded.kind, SM_ANSWER_ADDRESSES);
	assert_int_equal(decoded.ttl_s, 30);
	assert_int_equal(decoded.uncertain_families, SM_IPV6);
	assert_int_equal(decoded.unasked_families, SM_IPV4);
	assert_int_equal(decoded.unawaited_families, SM_IPV6);
	assert_int_equal(decoded.n_targets, 2);
	assert_int_equal(decoded.targets[1].port, 8081);
	assert_int_equal(decoded.targets[1].first_address, 2);
	assert_false(decoded.targets[0].is_down);
	assert_true(decoded.targets[1].is_down);
	assert_memory_equal(decoded.addresses, answer.addresses, 3 * sizeof(answer.addresses[0]));
	assert_memory_equal(decoded.ranks, answer.ranks, 3 * sizeof(answer.ranks[0]));
}

static void every_truncation_is_corrupt(void **state)
{
	size_t size = encode_sample();

	(void)state;
	for (size_t n = 0; n < size; n++)
		assert_int_equal(decode("api.mesh", n), SM_CORRUPT);
}

static void every_changed_byte_is_noticed(void **state)
{
	size_t size = encode_sample();

	(void)state;
	for (size_t i = 0; i < size; i++) {
		for (int bit = 0; bit < 8; bit++) {
			bytes[i] ^= (uint8_t)(1 << bit);
			assert_int_equal(decode("api.mesh", size), SM_CORRUPT);
			bytes[i] ^= (uint8_t)(1 << bit);
		}
	}
}

static void a_longer_record_is_corrupt(void **state)
{
	size_t size = encode_sample();

	(void)state;
	assert_int_equal(decode("api.mesh", size + 1), SM_CORRUPT);
}

static void the_record_of_another_name_is_a_miss(void **state)
{
	size_t size = encode_sample();

	(void)state;
	assert_int_equal(decode("apj.mesh", size), SM_MISS);
	assert_int_equal(decode("pi.mesh", size), SM_MISS);
}

static void a_short_buffer_is_full(void **state)
{
	struct sm_name name = name_of("api.mesh");
	size_t size = encode_sample(), other;

	(void)state;
	for (size_t n = 0; n < size; n++)
		assert_int_equal(sm_record_encode(&name, &answer, &sample_times, format, bytes, n, &other), SM_FULL);
}

static void the_largest_answer_fits(void **state)
{
	static char long_name[254];
	struct sm_name name;
	size_t size;

	(void)state;
	sm_arena_clear(&arena);
	memset(long_name, 'a', 253);
	for (int i = 49; i < 253; i += 50)
		long_name[i] = '.';
	name = name_of(long_name);
	answer.kind = SM_ANSWER_ADDRESSES;
	answer.n_targets = SM_TARGETS_MAX;
	answer.n_addresses = SM_ADDRESSES_MAX;
	for (int i = 0; i < SM_TARGETS_MAX; i++)
		answer.targets[i] = (struct sm_target){long_name, 1, 1, 1, 0, SM_ADDRESSES_MAX, true, long_name};
	for (int i = 0; i < SM_ADDRESSES_MAX; i++)
		answer.addresses[i] = (struct sm_address){SM_IPV6, {1}};
	assert_int_equal(sm_record_encode(&name, &answer, &sample_times, format, bytes, sizeof(bytes), &size), SM_OK);
	assert_int_equal(sm_record_decode(&name, bytes, size, &arena, &decoded, &times), SM_OK);
	assert_int_equal(decoded.n_targets, SM_TARGETS_MAX);
}

static void a_record_says_whose_it_is(void **state)
{
	size_t size = encode_sample();
	enum sm_answer_kind kind;
	struct sm_name name;

	(void)state;
	assert_int_equal(sm_record_head(bytes, size, &name, &times, &kind), SM_OK);
	assert_string_equal(name.text, "api.mesh");
	assert_memory_equal(&times, &sample_times, sizeof(times));
	assert_int_equal(kind, SM_ANSWER_ADDRESSES);
	bytes[size - 1] ^= 1;
	assert_int_equal(sm_record_head(bytes, size, &name, &times, &kind), SM_CORRUPT);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(an_answer_survives_the_round_trip),
	cmocka_unit_test(every_truncation_is_corrupt),
	cmocka_unit_test(every_changed_byte_is_noticed),
	cmocka_unit_test(a_longer_record_is_corrupt),
	cmocka_unit_test(the_record_of_another_name_is_a_miss),
	cmocka_unit_test(a_short_buffer_is_full),
	cmocka_unit_test(the_largest_answer_fits),
	cmocka_unit_test(a_record_says_whose_it_is),
};

TESTS_MAIN(tests)
