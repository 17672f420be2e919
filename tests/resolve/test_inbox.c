/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resolve/inbox.h"

#include "tests/test.h"

#define ID 0x1234
#define OTHER_ID 0x5678
#define NOERROR 0
#define FORMERR 1
#define SERVFAIL 2

struct packet {
	size_t size;
	uint8_t bytes[SM_MESSAGE_MAX];
};

static struct packet query, reply;

static void put(struct packet *packet, const void *bytes, size_t size)
{
	memcpy(packet->bytes + packet->size, bytes, size);
	packet->size += size;
}

/* Puts `name` in wire format (its last zero is the C string's NUL), then SRV, IN. */
static void put_question(struct packet *packet, const char *name)
{
	put(packet, name, strlen(name) + 1);
	put(packet, "\0\x21\0\x01", 4);
}

static void begin(struct packet *packet, uint16_t id, uint8_t high_flags, uint8_t rcode, uint8_t questions)
{
	const uint8_t header[SM_MESSAGE_HEADER] = {(uint8_t)(id >> 8), (uint8_t)id, high_flags, rcode, 0, questions};

	packet->size = 0;
	put(packet, header, sizeof(header));
}

#define API "\4_api\4_tcp\4mesh"

static void make_query(uint16_t id)
{
	begin(&query, id, 0x01, 0, 1);
	put_question(&query, API);
	put(&query, "\0\0\x29\x04\xd0\0\0\0\0\0\0", 11); /* OPT */
}

/* A reply of `size` bytes in all. */
static void make_reply(uint16_t id, size_t size)
{
	begin(&reply, id, 0x84, NOERROR, 1);
	put_question(&reply, API);
	for (size_t i = reply.size; i < size; i++)
		reply.bytes[i] = (uint8_t)(i * 7);
	reply.size = size;
}

static struct sm_inbox box_with(bool is_stream, uint16_t id)
{
	struct sm_inbox inbox;
	uint8_t prefix[2];

	sm_inbox_init(&inbox, is_stream, NULL);
	make_query(id);
	prefix[0] = 0;
	prefix[1] = (uint8_t)query.size;
	if (is_stream)
		assert_int_equal(sm_inbox_sent(&inbox, prefix, 2), SM_OK);
	assert_int_equal(sm_inbox_sent(&inbox, query.bytes, query.size), SM_OK);
	return inbox;
}

static void arrive(struct sm_inbox *inbox, const void *bytes, size_t size)
{
	size_t room_size;
	void *room;

	assert_int_equal(sm_inbox_room(inbox, &room, &room_size), SM_OK);
	assert_true(size <= room_size);
	memcpy(room, bytes, size);
	sm_inbox_read(inbox, size);
}

static void arrive_framed(struct sm_inbox *inbox, const struct packet *packet)
{
	const uint8_t prefix[2] = {(uint8_t)(packet->size >> 8), (uint8_t)packet->size};

	arrive(inbox, prefix, 2);
	arrive(inbox, packet->bytes, packet->size);
}

/* Takes the next stand-in, and checks that its message is `expected`. */
static void expect(struct sm_inbox *inbox, const struct packet *expected)
{
	uint8_t bytes[300], *message;
	size_t skip = inbox->is_stream ? 2 : 0, size, given = sm_inbox_give(inbox, bytes, sizeof(bytes));

	assert_true(given > skip + SM_MESSAGE_HEADER);
	assert_int_equal(sm_inbox_take(inbox, bytes + skip, given - skip, &message, &size), SM_OK);
	assert_int_equal(size, expected->size);
	assert_memory_equal(message, expected->bytes, size);
	free(message);
}

static void expect_nothing(struct sm_inbox *inbox)
{
	uint8_t bytes[300];

	assert_int_equal(sm_inbox_give(inbox, bytes, sizeof(bytes)), 0);
	assert_false(sm_inbox_can_give(inbox));
}

static void a_stand_in_is_a_header_without_error_and_the_question(void **state)
{
	struct sm_inbox inbox = box_with(false, ID);
	uint8_t bytes[300];
	size_t size;

	(void)state;
	make_reply(ID, 500);
	reply.bytes[2] |= 0x02; /* truncated */
	reply.bytes[3] = SERVFAIL;
	arrive(&inbox, reply.bytes, reply.size);
	size = sm_inbox_give(&inbox, bytes, sizeof(bytes));
	assert_int_equal(size, SM_MESSAGE_HEADER + sizeof(API) + 4);
	assert_memory_equal(bytes, "\x12\x34\x81\x80\0\1\0\0\0\0\0\0" API "\0\0\x21\0\1", size);
	sm_inbox_clear(&inbox);
}

static void datagrams_of_every_size_are_kept_whole(void **state)
{
	const size_t sizes[] = {100, 1232, 1233, 4098, 60000, SM_MESSAGE_MAX};

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct sm_inbox inbox = box_with(false, ID);

		make_reply(ID, sizes[i]);
		arrive(&inbox, reply.bytes, reply.size);
		expect(&inbox, &reply);
		expect_nothing(&inbox);
		sm_inbox_clear(&inbox);
	}
}

static void a_stream_is_read_however_it_is_cut(void **state)
{
	const size_t pieces[] = {1, 2, 3, 13, 100, 1000, 70000};

	(void)state;
	make_reply(ID, 1500);
	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct sm_inbox inbox = box_with(true, ID);
		uint8_t stream[2 + 1500] = {1500 >> 8, 1500 & 255};

		memcpy(stream + 2, reply.bytes, 1500);
		for (size_t at = 0; at < sizeof(stream); at += pieces[i]) {
			size_t left = sizeof(stream) - at;

			expect_nothing(&inbox);
			arrive(&inbox, stream + at, left < pieces[i] ? left : pieces[i]);
		}
		expect(&inbox, &reply);
		expect_nothing(&inbox);
		sm_inbox_clear(&inbox);
	}
}

static void two_messages_in_one_read_are_two(void **state)
{
	struct sm_inbox inbox = box_with(true, ID);
	static struct packet first;
	uint8_t prefix[2] = {0};

	(void)state;
	make_query(OTHER_ID);
	prefix[1] = (uint8_t)query.size;
	assert_int_equal(sm_inbox_sent(&inbox, prefix, 2), SM_OK);
	assert_int_equal(sm_inbox_sent(&inbox, query.bytes, query.size), SM_OK);
	make_reply(OTHER_ID, 300);
	first = reply;
	arrive_framed(&inbox, &first);
	make_reply(ID, 700);
	arrive_framed(&inbox, &reply);
	assert_true(sm_inbox_can_give(&inbox));
	expect(&inbox, &first);
	assert_true(sm_inbox_can_give(&inbox));
	expect(&inbox, &reply);
	expect_nothing(&inbox);
	sm_inbox_clear(&inbox);
}

static void a_stand_in_is_given_in_any_portions(void **state)
{
	struct sm_inbox inbox = box_with(true, ID);
	uint8_t bytes[300], *message;
	size_t size = 0, got;

	(void)state;
	make_reply(ID, 200);
	arrive_framed(&inbox, &reply);
	while ((got = sm_inbox_give(&inbox, bytes + size, size < 2 ? 2 : 5)) > 0)
		size += got;
	assert_int_equal(bytes[0] << 8 | bytes[1], size - 2);
	assert_int_equal(sm_inbox_take(&inbox, bytes + 2, size - 2, &message, &size), SM_OK);
	free(message);
	sm_inbox_clear(&inbox);
}

static void questions_that_leave_in_pieces_are_known(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < 40; piece++) {
		struct sm_inbox inbox;
		uint8_t stream[400];
		size_t size = 0;

		sm_inbox_init(&inbox, true, NULL);
		for (int i = 0; i < 2; i++) {
			make_query(i == 0 ? ID : OTHER_ID);
			stream[size++] = 0;
			stream[size++] = (uint8_t)query.size;
			memcpy(stream + size, query.bytes, query.size);
			size += query.size;
		}
		for (size_t at = 0; at < size; at += piece)
			assert_int_equal(sm_inbox_sent(&inbox, stream + at, size - at < piece ? size - at : piece), SM_OK);
		make_reply(OTHER_ID, 100);
		arrive_framed(&inbox, &reply);
		expect(&inbox, &reply);
		make_reply(ID, 100);
		arrive_framed(&inbox, &reply);
		expect(&inbox, &reply);
		sm_inbox_clear(&inbox);
	}
}

static void an_error_without_a_question_counts_for_its_id(void **state)
{
	(void)state;
	for (int is_stream = 0; is_stream <= 1; is_stream++) {
		for (uint8_t rcode = FORMERR; rcode <= 5; rcode++) {
			struct sm_inbox inbox = box_with(is_stream, ID);

			begin(&reply, ID, 0x80, rcode, 0);
			if (is_stream)
				arrive_framed(&inbox, &reply);
			else
				arrive(&inbox, reply.bytes, reply.size);
			expect(&inbox, &reply);
			sm_inbox_clear(&inbox);
		}
	}
}

/* Messages that an attacker who does not see the question could send, or a faulty server. */
static void what_answers_no_question_of_the_socket_is_dropped(void **state)
{
	struct sm_inbox inbox = box_with(false, ID);

	(void)state;
	make_reply(OTHER_ID, 200);
	arrive(&inbox, reply.bytes, reply.size);
	make_reply(ID, 200);
	reply.bytes[2] = 0x01; /* a question, not a reply */
	arrive(&inbox, reply.bytes, reply.size);
	make_reply(ID, 200);
	reply.bytes[SM_MESSAGE_HEADER + 2] = 'x'; /* another name */
	arrive(&inbox, reply.bytes, reply.size);
	make_reply(ID, 200);
	reply.bytes[SM_MESSAGE_HEADER + sizeof(API) + 1] = 1; /* another type */
	arrive(&inbox, reply.bytes, reply.size);
	make_reply(ID, 200);
	reply.bytes[5] = 2; /* two questions */
	arrive(&inbox, reply.bytes, reply.size);
	begin(&reply, ID, 0x80, NOERROR, 0); /* no question, and no error */
	arrive(&inbox, reply.bytes, reply.size);
	arrive(&inbox, "\x12\x34", 2);
	expect_nothing(&inbox);
	make_reply(ID, 200);
	reply.bytes[SM_MESSAGE_HEADER + 2] = 'A'; /* case does not matter in names */
	arrive(&inbox, reply.bytes, reply.size);
	expect(&inbox, &reply);
	arrive(&inbox, reply.bytes, reply.size); /* the same message again */
	expect_nothing(&inbox);
	sm_inbox_clear(&inbox);
}

static void only_the_first_of_two_replies_counts(void **state)
{
	struct sm_inbox inbox = box_with(false, ID);
	static struct packet first;

	(void)state;
	make_reply(ID, 200);
	first = reply;
	arrive(&inbox, first.bytes, first.size);
	make_reply(ID, 300);
	arrive(&inbox, reply.bytes, reply.size);
	expect(&inbox, &first);
	expect_nothing(&inbox);
	sm_inbox_clear(&inbox);
}

static void half_a_message_of_an_old_connection_is_nothing(void **state)
{
	struct sm_inbox inbox = box_with(true, ID);

	(void)state;
	make_reply(ID, 200);
	arrive(&inbox, "\0\xc8\x12\x34\x81", 5);
	assert_int_equal(sm_inbox_sent(&inbox, "\0", 1), SM_OK); /* and half a question */
	sm_inbox_reconnect(&inbox);
	arrive_framed(&inbox, &reply);
	expect(&inbox, &reply);
	sm_inbox_clear(&inbox);
}

/* Tens of thousands of empty messages before ours, in two reads: the bytes are moved only once, so they cost little. */
static void a_flood_of_tiny_messages_is_passed_over(void **state)
{
	static const uint8_t empty[SM_MESSAGE_MAX];
	struct sm_inbox inbox = box_with(true, ID);

	(void)state;
	arrive(&inbox, empty, sizeof(empty)); /* the last one is incomplete */
	assert_int_equal(sm_inbox_give(&inbox, (uint8_t[300]){0}, 300), 0);
	assert_int_equal(inbox.filled - inbox.taken, 1);
	arrive(&inbox, empty, 1);
	make_reply(ID, 200);
	arrive_framed(&inbox, &reply);
	expect(&inbox, &reply);
	expect_nothing(&inbox);
	sm_inbox_clear(&inbox);
}

static void no_bytes_break_it(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct sm_inbox inbox = box_with(round & 1, ID);
		uint8_t noise[64], bytes[300];

		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
		if (round & 2)
			memcpy(noise, round & 1 ? "\0\x20\x12\x34\x80\1" : "\x12\x34\x80\1\0\1", 6);
		arrive(&inbox, noise, 1 + seed % sizeof(noise));
		assert_int_equal(sm_inbox_sent(&inbox, noise, 1 + seed % sizeof(noise)), SM_OK);
		(void)sm_inbox_give(&inbox, bytes, sizeof(bytes));
		sm_inbox_clear(&inbox);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_stand_in_is_a_header_without_error_and_the_question),
	cmocka_unit_test(datagrams_of_every_size_are_kept_whole),
	cmocka_unit_test(a_stream_is_read_however_it_is_cut),
	cmocka_unit_test(two_messages_in_one_read_are_two),
	cmocka_unit_test(a_stand_in_is_given_in_any_portions),
	cmocka_unit_test(questions_that_leave_in_pieces_are_known),
	cmocka_unit_test(an_error_without_a_question_counts_for_its_id),
	cmocka_unit_test(what_answers_no_question_of_the_socket_is_dropped),
	cmocka_unit_test(only_the_first_of_two_replies_counts),
	cmocka_unit_test(half_a_message_of_an_old_connection_is_nothing),
	cmocka_unit_test(a_flood_of_tiny_messages_is_passed_over),
	cmocka_unit_test(no_bytes_break_it),
};

TESTS_MAIN(tests)
