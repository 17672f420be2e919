/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/record.h"

#include "mesh/field.h"
#include "tests/answer.h"
#include "tests/test.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static uint8_t bytes[SM_RECORD_MAX];
ROOMY_ANSWER(answer);
ROOMY_ARENA(arena);
static struct sm_answer decoded;
static enum sm_format format = SM_FORMAT;
static const struct sm_times sample_times = {123456789012345, 123456789012346, 123456789012347, 123456789012348, 0};
static struct sm_times times;

static const uint8_t strings[] = "\11version=2\7zone=eu";

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
	answer.targets[0] = (struct sm_target){"a.mesh", 10, 60, 8080, 0, 2, .metadata = NULL};
	answer.targets[1] = (struct sm_target){"b.mesh", 20, 0, 8081, 2, 1, sizeof(strings) - 1, .metadata = strings};
	answer.judged_by = 0x123456789abcdef;
	answer.targets[1].judgement = 11;
	answer.n_marks = 2;
	answer.marks[0] = (struct sm_mark){0, 1, 123456789012349};
	answer.marks[1] = (struct sm_mark){1, 2, 123456789012350};
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
		assert_int_equal(decoded.targets[1].metadata_size, 0); /* until somebody wants them */
		sm_field_unpack_metadata(&decoded);
		assert_int_equal(decoded.targets[1].metadata_size, format == SM_FORMAT_1 ? 0 : sizeof(strings) - 1);
		assert_memory_equal(decoded.targets[1].metadata, strings, decoded.targets[1].metadata_size);
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
	assert_true(decoded.targets[0].is_marked && decoded.targets[1].is_marked);
	assert_int_equal(decoded.judged_by, answer.judged_by);
	assert_int_equal(decoded.targets[0].judgement, 0);
	assert_int_equal(decoded.targets[1].judgement, 11);
	assert_int_equal(decoded.n_marks, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(decoded.marks[i].target, answer.marks[i].target);
		assert_int_equal(decoded.marks[i].address, answer.marks[i].address);
		assert_int_equal(decoded.marks[i].until_ns, answer.marks[i].until_ns);
	}
	assert_memory_equal(decoded.addresses, answer.addresses, 3 * sizeof(answer.addresses[0]));
	assert_memory_equal(decoded.ranks, answer.ranks, 3 * sizeof(answer.ranks[0]));
}

static void what_is_missing_is_told_in_a_field_of_its_own(void **state)
{
	struct sm_name name = name_of("api.mesh");
	size_t whole = encode_sample(), size;

	(void)state;
	answer.cut_families = SM_IPV6;
	answer.is_metadata_unknown = true;
	answer.n_cut = 477;
	sm_arena_clear(&arena);
	assert_int_equal(sm_record_encode(&name, &answer, &sample_times, SM_FORMAT_2, bytes, sizeof(bytes), &size), SM_OK);
	assert_int_equal(sm_record_decode(&name, bytes, size, &arena, &decoded, &times), SM_OK);
	assert_int_equal(decoded.cut_families, SM_IPV6);
	assert_int_equal(decoded.n_cut, 477);
	assert_true(decoded.is_metadata_unknown && !decoded.is_metadata_cut);
	if (format == SM_FORMAT_2)
		assert_int_equal(size, whole + 6 + 3); /* what is whole does without */
	for (size_t n = 0; n < size; n++)
		assert_int_equal(sm_record_decode(&name, bytes, n, &arena, &decoded, &times), SM_CORRUPT);
	answer.cut_families = 0;
	answer.n_cut = 0;
	answer.is_metadata_unknown = false;
	whole = encode_sample();
	sm_arena_clear(&arena);
	assert_int_equal(sm_record_decode(&name, bytes, whole, &arena, &decoded, &times), SM_OK);
	assert_int_equal(decoded.cut_families, 0);
	assert_int_equal(decoded.n_cut, 0);
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
	static uint8_t metadata[2][SM_METADATA_MAX];
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
		answer.targets[i] = (struct sm_target){long_name, 1, 1, 1, 0, SM_ADDRESSES_MAX, SM_METADATA_MAX, .metadata = metadata[i % 2]};
	for (int i = 0; i < SM_ADDRESSES_MAX; i++) {
		answer.addresses[i] = (struct sm_address){SM_IPV6, {1}};
		answer.ranks[i] = 1;
	}
	answer.judged_by = 1;
	answer.n_marks = SM_MARKS_MAX;
	for (uint16_t i = 0; i < SM_MARKS_MAX; i++)
		answer.marks[i] = (struct sm_mark){i, i, 1};
	assert_int_equal(sm_record_encode(&name, &answer, &sample_times, format, bytes, sizeof(bytes), &size), SM_OK);
	assert_int_equal(sm_record_decode(&name, bytes, size, &arena, &decoded, &times), SM_OK);
	assert_int_equal(decoded.n_targets, SM_TARGETS_MAX);
	assert_true(sm_record_size(&name, &answer) >= size);
}

static void a_record_says_whose_it_is(void **state)
{
	size_t size = encode_sample();
	struct sm_record_head head;

	(void)state;
	assert_int_equal(sm_record_head(bytes, size, &head), SM_OK);
	assert_string_equal(head.name.text, "api.mesh");
	assert_memory_equal(&head.times, &sample_times, sizeof(head.times));
	assert_int_equal(head.kind, SM_ANSWER_ADDRESSES);
	assert_int_equal(head.unasked_families, answer.unasked_families);
	bytes[size - 1] ^= 1;
	assert_int_equal(sm_record_head(bytes, size, &head), SM_CORRUPT);
}

/* Those who do not know a field pass over it. */
static void a_field_of_a_newer_release_is_passed_over(void **state)
{
	static const uint8_t unknown[] = "\x77\x77\3\0\0\0new";
	size_t size = encode_sample();
	uint64_t checksum;

	(void)state;
	memcpy(bytes + size, unknown, sizeof(unknown) - 1);
	size += sizeof(unknown) - 1;
	assert_int_equal(decode("api.mesh", size), SM_CORRUPT); /* its checksum is not right yet */
	checksum = XXH3_64bits(bytes + 8, size - 8);
	memcpy(bytes, &checksum, sizeof(checksum));
	assert_int_equal(decode("api.mesh", size), SM_OK);
	assert_int_equal(decoded.n_addresses, 3);
}

/* With a right checksum, whatever is behind the head: no read leaves the record, and nothing else is believed. */
static void fields_that_lie_are_corrupt(void **state)
{
	size_t size = encode_sample();
	static uint8_t copy[1024];

	(void)state;
	memcpy(copy, bytes, size);
	for (size_t i = 60; i < size; i++)
		for (int bit = 0; bit < 8; bit++) {
			uint64_t checksum;
			enum sm_status status;

			memcpy(bytes, copy, size);
			bytes[i] ^= (uint8_t)(1 << bit);
			checksum = XXH3_64bits(bytes + 8, size - 8);
			memcpy(bytes, &checksum, sizeof(checksum));
			sm_arena_clear(&arena);
			status = sm_record_decode(&(struct sm_name){8, "api.mesh"}, bytes, size, &arena, &decoded, &times);
			assert_true(status == SM_OK || status == SM_CORRUPT);
			for (uint32_t k = 0; status == SM_OK && k < decoded.n_targets; k++)
				assert_true(decoded.targets[k].first_address + decoded.targets[k].n_addresses <= decoded.n_addresses);
		}
}

/* The sample as 0.2.0 wrote it, byte for byte, but for what no release of format 1 ever put into records: it could mark a
 * target as down without an end, and had metadata as text. */
static size_t sample_of_the_release_before(uint8_t *ret)
{
	static const uint8_t written[] =
#include "tests/mesh/record_of_format_1.inc"
	;
	static const char text[] = "\21version=2 zone=eu";
	size_t size = sizeof(written) - 1, at;
	uint64_t checksum;
	uint8_t *metadata;

	memcpy(ret, written, size);
	metadata = memmem(ret, size, text, sizeof(text));
	at = (size_t)(metadata - ret);
	metadata[-9] = 0; /* the mark, before the name */
	metadata[0] = 0;
	memmove(metadata + 1, metadata + sizeof(text) - 1, size - at - sizeof(text) + 1);
	size -= sizeof(text) - 2;
	checksum = XXH3_64bits(ret + 8, size - 8);
	memcpy(ret, &checksum, sizeof(checksum));
	return size;
}

static void a_record_of_format_1_is_that_of_the_release_before(void **state)
{
	static const uint8_t written[] =
#include "tests/mesh/record_of_format_1.inc"
	;
	uint8_t expected[256];
	size_t size, expected_size = sample_of_the_release_before(expected);

	(void)state;
	format = SM_FORMAT_1;
	size = encode_sample();
	assert_int_equal(size, expected_size);
	assert_memory_equal(bytes, expected, size);
	assert_int_equal(decode("api.mesh", size), SM_OK);
	assert_int_equal(decoded.n_targets, 2);
	assert_int_equal(decoded.n_marks, 0); /* they would have no end */
	assert_int_equal(decoded.ranks[2], UINT64_MAX - 2);
	for (size_t n = 0; n < size; n++)
		assert_int_equal(decode("api.mesh", n), SM_CORRUPT);
	memcpy(bytes, written, sizeof(written) - 1);
	assert_int_equal(decode("api.mesh", sizeof(written) - 1), SM_OK);
	format = SM_FORMAT;
}

static void how_often_a_renewal_was_cut_short_is_kept(void **state)
{
	struct sm_name name = name_of("api.mesh");
	struct sm_times cut = sample_times;
	size_t size;

	(void)state;
	encode_sample();
	for (cut.n_unrenewed = 0; cut.n_unrenewed <= SM_UNRENEWED_MAX; cut.n_unrenewed++) {
		assert_int_equal(sm_record_encode(&name, &answer, &cut, format, bytes, sizeof(bytes), &size), SM_OK);
		sm_arena_clear(&arena);
		assert_int_equal(sm_record_decode(&name, bytes, size, &arena, &decoded, &times), SM_OK);
		assert_int_equal(times.n_unrenewed, cut.n_unrenewed);
		assert_int_equal(decoded.unasked_families, answer.unasked_families);
	}
}

static int64_t distance(int64_t moment_ns)
{
	return moment_ns > times.made_ns ? moment_ns - times.made_ns : times.made_ns - moment_ns;
}

/* Of a record that somebody has made up; run with the sanitizer, this is about overflows in whoever reckons with it, too. */
static void no_moment_is_beyond_reckoning(void **state)
{
	static const int64_t odd[] = {INT64_MIN, -INT64_MAX / 2 - 1, -INT64_MAX / 2, -1, 0, 1, 5000000000,
	                              INT64_MAX / 2, INT64_MAX / 2 + 1, INT64_MAX};
	const struct sm_outlook outlook = {.are_down = true, .back_ns = 1};
	struct sm_name name = name_of("api.mesh");
	size_t size, n = COUNT(odd);

	(void)state;
	encode_sample();
	for (size_t i = 0; i < n * n * n * n; i++) {
		const struct sm_times lie = {odd[i % n], odd[i / n % n], odd[i / n / n % n], odd[i / n / n / n], 0};

		assert_int_equal(sm_record_encode(&name, &answer, &lie, format, bytes, sizeof(bytes), &size), SM_OK);
		sm_arena_clear(&arena);
		assert_int_equal(sm_record_decode(&name, bytes, size, &arena, &decoded, &times), SM_OK);
		assert_true(times.made_ns >= -INT64_MAX / 2 && times.made_ns <= INT64_MAX / 2);
		assert_true(distance(times.expires_ns) <= SM_LIFE_MAX_NS && distance(times.recheck_ns) <= SM_LIFE_MAX_NS &&
		            distance(times.stale_ns) <= SM_LIFE_MAX_NS);
		if (lie.made_ns < -INT64_MAX / 2 || lie.made_ns > INT64_MAX / 2)
			assert_int_equal(sm_lifetime_freshness(&times, 6000000000), SM_DEAD);
		sm_lifetime_use(&times, SM_ANSWER_ADDRESSES, &outlook, 6000000000);
		sm_lifetime_failed_again(&times, &times);
	}
}

/* Another host asked an hour before this one was started. */
static void an_answer_may_be_older_than_the_host(void **state)
{
	const struct sm_times older = {.made_ns = -3600000000000, .expires_ns = -3540000000000, .recheck_ns = -3540000000000,
	                               .stale_ns = 82860000000000};
	struct sm_name name = name_of("api.mesh");
	size_t size;

	(void)state;
	encode_sample();
	assert_int_equal(sm_record_encode(&name, &answer, &older, format, bytes, sizeof(bytes), &size), SM_OK);
	sm_arena_clear(&arena);
	assert_int_equal(sm_record_decode(&name, bytes, size, &arena, &decoded, &times), SM_OK);
	assert_memory_equal(&times, &older, sizeof(times));
	assert_int_equal(sm_lifetime_freshness(&times, 6000000000), SM_OLD);
}

static void ranks_marks_and_metadata_take_no_room_where_there_are_none(void **state)
{
	size_t with = encode_sample(), without;
	struct sm_name name = name_of("api.mesh");

	(void)state;
	memset(answer.ranks, 0, 3 * sizeof(answer.ranks[0]));
	answer.targets[1].metadata_size = 0;
	answer.n_marks = 0;
	answer.judged_by = 0;
	assert_int_equal(sm_record_encode(&name, &answer, &sample_times, format, bytes, sizeof(bytes), &without), SM_OK);
	assert_int_equal(with - without, (6 + 3 * 8) + (6 + 2 * 12) + (6 + 8 + 2 + 2 + sizeof(strings) - 1));
	assert_true(sm_record_size(&name, &answer) >= without);
	sm_arena_clear(&arena);
	assert_int_equal(sm_record_decode(&name, bytes, without, &arena, &decoded, &times), SM_OK);
	assert_int_equal(decoded.ranks[1], 0);
	assert_null(decoded.targets[1].metadata);
}

static void metadata_of_the_owner_are_kept_once_for_all_targets(void **state)
{
	struct sm_name name = name_of("api.mesh");
	size_t one = encode_sample(), both;

	(void)state;
	answer.targets[0].metadata = strings;
	answer.targets[0].metadata_size = sizeof(strings) - 1;
	assert_int_equal(sm_record_encode(&name, &answer, &sample_times, SM_FORMAT_2, bytes, sizeof(bytes), &both), SM_OK);
	assert_int_equal(both, one);
	sm_arena_clear(&arena);
	assert_int_equal(sm_record_decode(&name, bytes, both, &arena, &decoded, &times), SM_OK);
	assert_int_equal(sm_record_encode(&name, &decoded, &sample_times, SM_FORMAT_2, bytes + both, sizeof(bytes) - both, &one), SM_OK);
	assert_int_equal(one, both); /* packed as they were */
	assert_memory_equal(bytes + both, bytes, both);
	sm_field_unpack_metadata(&decoded);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(decoded.targets[i].metadata_size, sizeof(strings) - 1);
		assert_memory_equal(decoded.targets[i].metadata, strings, sizeof(strings) - 1);
	}
}

/* A reader searches marks by their order. */
static void marks_that_are_out_of_order_or_of_nothing_are_corrupt(void **state)
{
	static const struct sm_mark bad[][2] = {
		{{1, 2, 9}, {0, 1, 9}}, {{0, 1, 9}, {0, 1, 9}}, {{0, 2, 9}, {0, 1, 9}}, {{0, 1, 9}, {2, 2, 9}}, {{0, 1, 9}, {1, 3, 9}},
	};
	struct sm_name name = name_of("api.mesh");
	size_t size;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		encode_sample();
		memcpy(answer.marks, bad[i], sizeof(bad[i]));
		assert_int_equal(sm_record_encode(&name, &answer, &sample_times, SM_FORMAT_2, bytes, sizeof(bytes), &size), SM_OK);
		sm_arena_clear(&arena);
		assert_int_equal(sm_record_decode(&name, bytes, size, &arena, &decoded, &times), SM_CORRUPT);
	}
}

/* They are written into the targets. */
static void marks_before_their_targets_are_corrupt(void **state)
{
	size_t head = 52 + strlen("api.mesh"), size = encode_sample(), at = head;
	uint8_t whole[sizeof(strings) + 512];
	uint64_t checksum;
	uint32_t length;

	(void)state;
	assert_true(size <= sizeof(whole));
	memcpy(whole, bytes, head);
	while (bytes[at] != 6) { /* the field of marks */
		memcpy(&length, bytes + at + 2, sizeof(length));
		at += 6 + length;
	}
	memcpy(&length, bytes + at + 2, sizeof(length));
	memcpy(whole + head, bytes + at, 6 + length);
	memcpy(whole + head + 6 + length, bytes + head, at - head);
	memcpy(whole + at + 6 + length, bytes + at + 6 + length, size - at - 6 - length);
	checksum = XXH3_64bits(whole + 8, size - 8);
	memcpy(whole, &checksum, sizeof(checksum));
	memcpy(bytes, whole, size);
	assert_int_equal(decode("api.mesh", size), SM_CORRUPT);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(marks_before_their_targets_are_corrupt),
	cmocka_unit_test(metadata_of_the_owner_are_kept_once_for_all_targets),
	cmocka_unit_test(marks_that_are_out_of_order_or_of_nothing_are_corrupt),
	cmocka_unit_test(a_field_of_a_newer_release_is_passed_over),
	cmocka_unit_test(fields_that_lie_are_corrupt),
	cmocka_unit_test(a_record_of_format_1_is_that_of_the_release_before),
	cmocka_unit_test(how_often_a_renewal_was_cut_short_is_kept),
	cmocka_unit_test(no_moment_is_beyond_reckoning),
	cmocka_unit_test(an_answer_may_be_older_than_the_host),
	cmocka_unit_test(ranks_marks_and_metadata_take_no_room_where_there_are_none),
	cmocka_unit_test(an_answer_survives_the_round_trip),
	cmocka_unit_test(what_is_missing_is_told_in_a_field_of_its_own),
	cmocka_unit_test(every_truncation_is_corrupt),
	cmocka_unit_test(every_changed_byte_is_noticed),
	cmocka_unit_test(a_longer_record_is_corrupt),
	cmocka_unit_test(the_record_of_another_name_is_a_miss),
	cmocka_unit_test(a_short_buffer_is_full),
	cmocka_unit_test(the_largest_answer_fits),
	cmocka_unit_test(a_record_says_whose_it_is),
};

TESTS_MAIN(tests)
