/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/message.h"

#include "tests/answer.h"
#include "tests/test.h"

#include <stdio.h>

static uint8_t message[65535];
static size_t size;
static struct sm_reply reply;
ROOMY_ARENA(arena);

static void u8(unsigned value)
{
	message[size++] = (uint8_t)value;
}

static void u16(unsigned value)
{
	u8(value >> 8);
	u8(value & 255);
}

static void u32(uint32_t value)
{
	u16(value >> 16);
	u16(value & 65535);
}

static void labels(const char *name)
{
	while (*name) {
		size_t length = strcspn(name, ".");

		u8((unsigned)length);
		memcpy(message + size, name, length);
		size += length;
		name += length + (name[length] == '.');
	}
	u8(0);
}

static void begin(unsigned flags, unsigned answers, unsigned authority, unsigned additional)
{
	size = 0;
	u16(0x1234);
	u16(flags);
	u16(1);
	u16(answers);
	u16(authority);
	u16(additional);
	labels("_API._tcp.mesh");
	u16(SM_RR_SRV);
	u16(1);
}

static size_t begin_record(unsigned type, uint32_t ttl_s)
{
	u16(type);
	u16(1);
	u32(ttl_s);
	u16(0);
	return size;
}

static void end_record(size_t start)
{
	message[start - 2] = (uint8_t)((size - start) >> 8);
	message[start - 1] = (uint8_t)((size - start) & 255);
}

static void srv(unsigned priority, unsigned weight, unsigned port, const char *target)
{
	size_t start;

	u16(0xc00c); /* the question's name */
	start = begin_record(SM_RR_SRV, 60);
	u16(priority);
	u16(weight);
	u16(port);
	labels(target);
	end_record(start);
}

static void address(const char *owner, unsigned last)
{
	size_t start;

	labels(owner);
	start = begin_record(SM_RR_A, 30);
	u32(0x7f000000 | last);
	end_record(start);
}

static enum sm_status decode(void)
{
	uint8_t *copy = malloc(size ? size : 1); /* the exact size, so that reads past it are noticed */
	enum sm_status status;

	memcpy(copy, message, size);
	sm_arena_clear(&arena);
	status = sm_message_decode(copy, size, "_api._tcp.mesh", SM_RR_SRV, &arena, &reply);
	free(copy);
	return status;
}

#define ANSWER 0x8580 /* response, authoritative, recursion desired and available */

static void sample(void)
{
	begin(ANSWER, 2, 0, 1);
	srv(10, 60, 8080, "A.mesh");
	srv(20, 0, 8081, "");
	address("a.MESH", 7);
}

static void a_reply_is_read(void **state)
{
	(void)state;
	sample();
	assert_int_equal(decode(), SM_OK);
	assert_int_equal(reply.n_records, 3);
	assert_string_equal(reply.records[0].owner, "_api._tcp.mesh");
	assert_string_equal(reply.records[0].target, "a.mesh");
	assert_int_equal(reply.records[0].priority, 10);
	assert_int_equal(reply.records[0].weight, 60);
	assert_int_equal(reply.records[0].port, 8080);
	assert_int_equal(reply.records[0].ttl_s, 60);
	assert_string_equal(reply.records[1].target, "");
	assert_true(reply.records[2].is_additional);
	assert_string_equal(reply.records[2].owner, "a.mesh");
	assert_int_equal(reply.records[2].address[3], 7);
	assert_true(sm_message_settles(&reply));
}

static void every_truncation_is_corrupt(void **state)
{
	size_t whole;

	(void)state;
	sample();
	whole = size;
	for (size = 0; size < whole; size++)
		assert_int_equal(decode(), SM_CORRUPT);
}

static void no_changed_byte_breaks_the_decoder(void **state)
{
	size_t whole;

	(void)state;
	sample();
	whole = size;
	for (size_t i = 0; i < whole; i++) {
		uint8_t kept = message[i];

		for (int value = 0; value < 256; value++) {
			message[i] = (uint8_t)value;
			(void)!decode();
		}
		message[i] = kept;
	}
	assert_int_equal(decode(), SM_OK);
}

static void noise_never_breaks_the_decoder(void **state)
{
	unsigned seed = 5;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		sample();
		for (int i = rand_r(&seed) % 12; i >= 0; i--)
			message[12 + rand_r(&seed) % (size - 12)] = (uint8_t)rand_r(&seed);
		(void)!decode();
	}
}

static void a_question_that_is_not_ours_is_corrupt(void **state)
{
	(void)state;
	sample();
	message[14] = 'x';
	assert_int_equal(decode(), SM_CORRUPT);
	sample();
	message[12 + 16 + 1] = SM_RR_A;
	assert_int_equal(decode(), SM_CORRUPT);
	sample();
	message[2] &= 0x7f; /* a query */
	assert_int_equal(decode(), SM_CORRUPT);
}

static void a_pointer_forward_or_to_itself_is_corrupt(void **state)
{
	(void)state;
	begin(ANSWER, 1, 0, 0);
	u16(0xc000 | (unsigned)size);
	end_record(begin_record(SM_RR_A, 1));
	assert_int_equal(decode(), SM_CORRUPT);
	begin(ANSWER, 1, 0, 0);
	u16(0xc000 | (unsigned)(size + 4));
	end_record(begin_record(SM_RR_A, 1));
	assert_int_equal(decode(), SM_CORRUPT);
}

static void data_of_a_wrong_length_is_corrupt(void **state)
{
	size_t start;

	(void)state;
	begin(ANSWER, 1, 0, 0);
	u16(0xc00c);
	start = begin_record(SM_RR_A, 1);
	u32(1);
	u8(0);
	end_record(start);
	assert_int_equal(decode(), SM_CORRUPT);
	begin(ANSWER, 1, 0, 0);
	srv(1, 1, 1, "a.mesh");
	message[size - 6]--; /* the length of the target's last label is one too small */
	assert_int_equal(decode(), SM_CORRUPT);
}

static void a_name_that_no_host_has_leaves_its_record_out(void **state)
{
	(void)state;
	begin(ANSWER, 0, 0, 2);
	address("a b.mesh", 1);
	address("b.mesh", 2);
	assert_int_equal(decode(), SM_OK);
	assert_int_equal(reply.n_records, 1);
	assert_int_equal(reply.records[0].address[3], 2);
}

static void the_soa_tells_the_negative_ttl(void **state)
{
	size_t start;

	(void)state;
	begin(ANSWER | 3, 0, 1, 0);
	labels("mesh");
	start = begin_record(SM_RR_SOA, 20);
	labels("ns.mesh");
	labels("host.mesh");
	for (int i = 0; i < 4; i++)
		u32(1000);
	u32(12);
	end_record(start);
	assert_int_equal(decode(), SM_OK);
	assert_int_equal(reply.rcode, SM_RCODE_NXDOMAIN);
	assert_true(reply.has_soa);
	assert_int_equal(reply.negative_ttl_s, 12);
	assert_true(sm_message_settles(&reply));
}

static void failures_and_referrals_settle_nothing(void **state)
{
	(void)state;
	begin(ANSWER | 2, 0, 0, 0);
	assert_int_equal(decode(), SM_OK);
	assert_false(sm_message_settles(&reply));
	begin(0x8000, 0, 0, 0);
	assert_int_equal(decode(), SM_OK);
	assert_false(sm_message_settles(&reply));
	begin(0x8080, 0, 0, 0);
	assert_int_equal(decode(), SM_OK);
	assert_true(sm_message_settles(&reply));
}

/* A server whose answer does not fit, even over TCP. */
static void a_truncated_message_without_records_settles_nothing(void **state)
{
	(void)state;
	begin(ANSWER | 0x200, 0, 0, 0);
	assert_int_equal(decode(), SM_OK);
	assert_true(reply.is_cut);
	assert_false(sm_message_settles(&reply));
	begin(ANSWER | 0x200, 1, 0, 0);
	srv(1, 1, 1, "a.mesh");
	assert_int_equal(decode(), SM_OK);
	assert_true(reply.is_cut);
	assert_true(sm_message_settles(&reply));
	begin(ANSWER | 0x203, 0, 0, 0);
	assert_int_equal(decode(), SM_OK);
	assert_true(sm_message_settles(&reply)); /* NXDOMAIN is one */
}

/* An OPT record (RFC 6891, 6.1.2). */
static void opt(unsigned upper)
{
	u8(0);
	u16(SM_RR_OPT);
	u16(4096);
	u32((uint32_t)upper << 24);
	u16(0);
}

static void ns(void)
{
	size_t start;

	labels("mesh");
	start = begin_record(SM_RR_NS, 60);
	labels("ns.other");
	end_record(start);
}

/* ---- what looks like an answer */

static size_t begin_owned(const char *owner, unsigned type)
{
	labels(owner);
	return begin_record(type, 60);
}

static void target(const char *owner, unsigned type, const char *name)
{
	size_t start = begin_owned(owner, type);

	labels(name);
	end_record(start);
}

static void soa(void)
{
	size_t start = begin_owned("mesh", SM_RR_SOA);

	labels("ns.mesh");
	labels("host.mesh");
	for (int i = 0; i < 5; i++)
		u32(10);
	end_record(start);
}

static void assert_reads(bool settles, bool is_odd, bool says_nothing)
{
	assert_int_equal(decode(), SM_OK);
	assert_int_equal(sm_message_settles(&reply), settles);
	assert_int_equal(reply.is_odd, is_odd);
	assert_int_equal(reply.says_nothing, says_nothing);
}

static void an_answer_with_nothing_of_ours_says_nothing(void **state)
{
	(void)state;
	begin(ANSWER, 1, 0, 0);
	target("other.mesh", SM_RR_CNAME, "a.mesh");
	assert_reads(false, true, true);
	begin(ANSWER, 1, 1, 0); /* no data, by its SOA */
	target("other.mesh", SM_RR_CNAME, "a.mesh");
	soa();
	assert_reads(true, false, false);
}

static void what_was_asked_for_in_another_section_is_odd(void **state)
{
	(void)state;
	begin(ANSWER | 0x400, 0, 0, 1);
	srv(1, 1, 1, "a.mesh");
	assert_reads(false, true, false);
	begin(ANSWER | 0x400, 0, 1, 0);
	srv(1, 1, 1, "a.mesh");
	assert_reads(false, true, false);
	begin(ANSWER, 1, 0, 1);
	srv(1, 1, 1, "a.mesh");
	srv(1, 1, 1, "b.mesh");
	assert_reads(true, false, false);
}

static void an_empty_message_is_no_data_only_of_who_owns_or_recurses(void **state)
{
	(void)state;
	begin(0x8000, 0, 0, 0);
	assert_reads(false, false, true);
	begin(0x8400, 0, 0, 0);
	assert_reads(true, false, false);
	begin(0x8080, 0, 0, 0);
	assert_reads(true, false, false);
	begin(0x8000, 0, 1, 0);
	soa();
	assert_reads(true, false, false);
}

static void an_error_may_lack_its_question(void **state)
{
	(void)state;
	for (unsigned rcode = 0; rcode < 6; rcode++) {
		begin(ANSWER | rcode, 0, 0, 0);
		message[5] = 0;
		size = 12;
		assert_int_equal(decode(), rcode == SM_RCODE_NOERROR || rcode == SM_RCODE_NXDOMAIN ? SM_CORRUPT : SM_OK);
		assert_int_equal(reply.rcode, rcode);
	}
}

/* ---- names that stand for others */

static void a_dname_becomes_the_cname_that_it_stands_for(void **state)
{
	(void)state;
	begin(ANSWER, 1, 0, 0);
	target("mesh", SM_RR_DNAME, "New.example");
	assert_reads(true, false, false);
	assert_int_equal(reply.records[0].type, SM_RR_CNAME);
	assert_string_equal(reply.records[0].owner, "_api._tcp.mesh");
	assert_string_equal(reply.records[0].target, "_api._tcp.new.example");
	assert_int_equal(reply.records[0].ttl_s, 60);
	begin(ANSWER, 2, 0, 0); /* one after the other, in any order; to the root, and from it */
	target("", SM_RR_DNAME, "end");
	target("_tcp.mesh", SM_RR_DNAME, "");
	assert_reads(true, false, false);
	assert_string_equal(reply.records[0].owner, "_api._tcp.mesh");
	assert_string_equal(reply.records[0].target, "_api._tcp.mesh.end");
}

static void a_dname_beside_its_cname_is_not_needed(void **state)
{
	(void)state;
	begin(ANSWER, 2, 0, 0);
	target("mesh", SM_RR_DNAME, "new");
	target("_api._tcp.mesh", SM_RR_CNAME, "_api._tcp.new");
	assert_reads(true, false, false);
	assert_int_equal(reply.records[0].type, SM_RR_DNAME);
}

static void a_dname_of_another_name_stands_for_nothing(void **state)
{
	(void)state;
	begin(ANSWER, 2, 0, 0);
	target("_api._tcp.mesh", SM_RR_DNAME, "new"); /* it is for names below */
	target("esh", SM_RR_DNAME, "new");
	assert_reads(false, true, true);
}

static void a_name_after_a_dname_may_be_too_long(void **state)
{
	char name[256];

	(void)state;
	memset(name, 'a', sizeof(name));
	for (int i = 50; i < 250; i += 50)
		name[i] = '.';
	name[245] = '\0';
	begin(ANSWER, 1, 0, 0);
	target("mesh", SM_RR_DNAME, name);
	assert_int_equal(decode(), SM_OK);
	assert_null(reply.records[0].target);
}

static void names_that_nobody_can_ask_for_are_kept_in_the_answer(void **state)
{
	(void)state;
	begin(ANSWER, 2, 0, 0);
	target("_api._tcp.mesh", SM_RR_CNAME, "*._tcp.mesh");
	target("*._tcp.mesh", SM_RR_CNAME, "0/25.mesh");
	assert_reads(true, false, false);
	assert_string_equal(reply.records[0].target, "*._tcp.mesh");
	assert_string_equal(reply.records[1].owner, "*._tcp.mesh");
	assert_string_equal(reply.records[1].target, "0/25.mesh");
}

/* A dot inside a label: as text it would be another name. */
static void a_name_that_text_cannot_tell_is_left_out(void **state)
{
	(void)state;
	begin(ANSWER, 1, 0, 0);
	target("_api._tcp.mesh", SM_RR_CNAME, "axb.mesh");
	message[size - 11 + 2] = '.';
	assert_int_equal(decode(), SM_OK);
	assert_null(reply.records[0].target);
}

/* ---- what is cut */

static void a_message_is_whole_up_to_its_last_record(void **state)
{
	size_t whole;

	(void)state;
	begin(ANSWER, 2, 0, 1);
	srv(1, 1, 1, "a.mesh");
	srv(1, 1, 1, "b.mesh");
	opt(0);
	whole = size;
	assert_true(sm_message_is_whole(message, whole));
	for (size_t i = 12; i < whole; i++)
		assert_false(sm_message_is_whole(message, i));
	message[2] |= 2;
	assert_false(sm_message_is_whole(message, whole));
}

static void the_records_before_a_cut_are_whole(void **state)
{
	size_t first;

	(void)state;
	begin(ANSWER, 2, 0, 0);
	srv(1, 1, 1, "a.mesh");
	first = size;
	srv(1, 1, 1, "b.mesh");
	for (size_t i = first; i < size; i++) {
		message[2] &= (uint8_t)~2;
		assert_int_equal(sm_message_decode(message, i, "_api._tcp.mesh", SM_RR_SRV, &arena, &reply), SM_CORRUPT);
		message[2] |= 2;
		assert_int_equal(sm_message_decode(message, i, "_api._tcp.mesh", SM_RR_SRV, &arena, &reply), SM_OK);
		assert_int_equal(reply.n_records, 1);
		assert_true(reply.is_cut);
	}
}

static void an_extended_rcode_is_no_answer(void **state)
{
	(void)state;
	begin(ANSWER, 0, 0, 1);
	opt(0);
	assert_int_equal(decode(), SM_OK);
	assert_int_equal(reply.rcode, SM_RCODE_NOERROR);
	begin(ANSWER, 0, 0, 1);
	opt(1);
	assert_int_equal(decode(), SM_OK);
	assert_int_equal(reply.rcode, SM_RCODE_BADVERS);
	assert_false(sm_message_settles(&reply));
	assert_true(sm_message_rejects_edns(&reply));
	begin(ANSWER | 7, 0, 0, 1); /* BADCOOKIE */
	opt(1);
	assert_int_equal(decode(), SM_OK);
	assert_int_equal(reply.rcode, 23);
	assert_false(sm_message_settles(&reply));
	begin(ANSWER | 3, 0, 0, 1); /* 19 is not NXDOMAIN */
	opt(1);
	assert_int_equal(decode(), SM_OK);
	assert_false(sm_message_settles(&reply));
}

static void a_referral_is_one_even_from_a_server_that_recurses(void **state)
{
	(void)state;
	begin(0x8180, 0, 1, 0);
	ns();
	assert_int_equal(decode(), SM_OK);
	assert_true(reply.is_referral);
	assert_false(sm_message_settles(&reply));
	assert_false(sm_message_declines(&reply)); /* it should have gone there itself */
	begin(0x8100, 0, 1, 0);
	ns();
	assert_int_equal(decode(), SM_OK);
	assert_true(sm_message_declines(&reply));
	begin(0x8580, 0, 1, 0); /* authoritative: no data */
	ns();
	assert_int_equal(decode(), SM_OK);
	assert_true(sm_message_settles(&reply));
}

static void refused_and_not_implemented_decline(void **state)
{
	(void)state;
	for (unsigned rcode = 1; rcode < 12; rcode++) {
		begin(ANSWER | rcode, 0, 0, 0);
		assert_int_equal(decode(), SM_OK);
		assert_int_equal(sm_message_declines(&reply), rcode == SM_RCODE_REFUSED || rcode == SM_RCODE_NOTIMP);
	}
}

static void a_ttl_with_its_top_bit_set_is_zero(void **state)
{
	size_t start;

	(void)state;
	begin(ANSWER, 1, 0, 0);
	u16(0xc00c);
	start = begin_record(SM_RR_A, 0x80000001);
	u32(1);
	end_record(start);
	assert_int_equal(decode(), SM_OK);
	assert_int_equal(reply.records[0].ttl_s, 0);
}

static void a_message_beyond_the_bounds_is_cut_not_lost(void **state)
{
	(void)state;
	begin(ANSWER, 2000, 0, 0);
	for (int i = 0; i < 2000; i++) {
		char target[16];

		snprintf(target, sizeof(target), "t%d.mesh", i);
		srv(1, 1, 1, target);
	}
	assert_int_equal(decode(), SM_OK);
	assert_int_equal(reply.n_records, 2000);
	assert_false(reply.is_cut);
	sm_arena_clear(&arena);
	arena.may_grow = 100000;
	assert_int_equal(decode(), SM_OK);
	assert_in_range(reply.n_records, 301, 1999);
	assert_true(reply.is_cut);
	assert_string_equal(reply.records[300].target, "t300.mesh");
	sm_arena_clear(&arena);
	arena.may_grow = 1U << 20;
}

static void a_thousand_compressed_targets_are_all_read(void **state)
{
	(void)state;
	begin(ANSWER, 1000, 0, 0);
	for (int i = 0; i < 1000; i++) {
		char label[8];
		size_t start;

		u16(0xc00c);
		start = begin_record(SM_RR_SRV, 60);
		u16(1);
		u16(1);
		u16(1);
		size += (size_t)sprintf((char *)message + size, "%c%s", snprintf(label, sizeof(label), "t%d", i), label);
		u16(0xc000 | (12 + 5 + 5)); /* "mesh" in the question */
		end_record(start);
	}
	assert_int_equal(decode(), SM_OK);
	assert_int_equal(reply.n_records, 1000);
	assert_string_equal(reply.records[999].target, "t999.mesh");
}

static void chains_of_pointers_cost_no_more_than_the_bound(void **state)
{
	unsigned link;
	size_t start;

	(void)state;
	begin(ANSWER, 1, 0, 3000);
	u16(0xc00c);
	link = (unsigned)begin_record(99, 1);
	u16(0xc00c); /* a chain of pointers, each to the one before */
	for (int i = 0; i < 6000; i++)
		u16(0xc000 | (link + 2 * (unsigned)i));
	end_record(link);
	for (int i = 0; i < 3000; i++) {
		u16(0xc000 | (link + 2 * (5000U + (unsigned)i % 2)));
		start = begin_record(SM_RR_A, 1);
		u32(0x7f000001);
		end_record(start);
	}
	assert_int_equal(decode(), SM_OK);
	assert_int_equal(reply.n_records, 3); /* of 5,000 pointers each */
	assert_true(reply.is_cut);
}

static void txt(const char *owner, const char *data, size_t data_size)
{
	size_t start;

	labels(owner);
	start = begin_record(SM_RR_TXT, 30);
	memcpy(message + size, data, data_size);
	size += data_size;
	end_record(start);
}

static void the_strings_of_a_txt_record_are_kept_whole(void **state)
{
	static const char data[] = "\11version=2\0\7zone=eu";

	(void)state;
	begin(ANSWER, 1, 0, 2);
	srv(10, 60, 8080, "A.mesh");
	txt("a.mesh", data, sizeof(data) - 1);
	txt("a.mesh", "", 0);
	assert_int_equal(decode(), SM_OK);
	assert_int_equal(reply.n_records, 3);
	assert_int_equal(reply.records[1].type, SM_RR_TXT);
	assert_int_equal(reply.records[1].strings_size, sizeof(data) - 1);
	assert_memory_equal(reply.records[1].strings, data, sizeof(data) - 1);
	assert_int_equal(reply.records[2].strings_size, 0);
	for (size_t n = 1; n < sizeof(data) - 1; n++) {
		begin(ANSWER, 0, 0, 1);
		txt("a.mesh", data, n); /* a string that is longer than the data: the record is left out */
		assert_int_equal(decode(), SM_OK);
		assert_int_equal(reply.n_records, n == 10 || n == 11);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_strings_of_a_txt_record_are_kept_whole),
	cmocka_unit_test(a_reply_is_read),
	cmocka_unit_test(every_truncation_is_corrupt),
	cmocka_unit_test(no_changed_byte_breaks_the_decoder),
	cmocka_unit_test(noise_never_breaks_the_decoder),
	cmocka_unit_test(a_question_that_is_not_ours_is_corrupt),
	cmocka_unit_test(a_pointer_forward_or_to_itself_is_corrupt),
	cmocka_unit_test(data_of_a_wrong_length_is_corrupt),
	cmocka_unit_test(a_name_that_no_host_has_leaves_its_record_out),
	cmocka_unit_test(the_soa_tells_the_negative_ttl),
	cmocka_unit_test(failures_and_referrals_settle_nothing),
	cmocka_unit_test(a_truncated_message_without_records_settles_nothing),
	cmocka_unit_test(an_answer_with_nothing_of_ours_says_nothing),
	cmocka_unit_test(what_was_asked_for_in_another_section_is_odd),
	cmocka_unit_test(an_empty_message_is_no_data_only_of_who_owns_or_recurses),
	cmocka_unit_test(an_error_may_lack_its_question),
	cmocka_unit_test(a_dname_becomes_the_cname_that_it_stands_for),
	cmocka_unit_test(a_dname_beside_its_cname_is_not_needed),
	cmocka_unit_test(a_dname_of_another_name_stands_for_nothing),
	cmocka_unit_test(a_name_after_a_dname_may_be_too_long),
	cmocka_unit_test(names_that_nobody_can_ask_for_are_kept_in_the_answer),
	cmocka_unit_test(a_name_that_text_cannot_tell_is_left_out),
	cmocka_unit_test(a_message_is_whole_up_to_its_last_record),
	cmocka_unit_test(the_records_before_a_cut_are_whole),
	cmocka_unit_test(an_extended_rcode_is_no_answer),
	cmocka_unit_test(a_referral_is_one_even_from_a_server_that_recurses),
	cmocka_unit_test(refused_and_not_implemented_decline),
	cmocka_unit_test(a_ttl_with_its_top_bit_set_is_zero),
	cmocka_unit_test(a_message_beyond_the_bounds_is_cut_not_lost),
	cmocka_unit_test(a_thousand_compressed_targets_are_all_read),
	cmocka_unit_test(chains_of_pointers_cost_no_more_than_the_bound),
};

TESTS_MAIN(tests)
