/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tier/resp.h"

#include "tests/test.h"

#include <stdio.h>

static struct sm_resp_reply reply;

/* The status, and what was read, as text: kind, number or bytes of each item. */
static const char *read_text(const char *bytes, size_t size, char text[512])
{
	static const char kinds[] = "nte#lp";
	size_t used = 0, at = 0;
	enum sm_status status = sm_resp_read(bytes, size, &reply, &used);

	if (status != SM_OK)
		return status == SM_MISS ? "incomplete" : "corrupt";
	for (uint32_t i = 0; i < reply.n_items; i++) {
		const struct sm_resp_item *item = &reply.items[i];

		at += (size_t)snprintf(text + at, 512 - at, "%s%c", i ? " " : "", kinds[item->kind]);
		if (item->kind == SM_RESP_TEXT || item->kind == SM_RESP_ERROR)
			at += (size_t)snprintf(text + at, 512 - at, "%.*s", (int)item->size, (const char *)item->bytes);
		else if (item->kind != SM_RESP_NULL)
			at += (size_t)snprintf(text + at, 512 - at, "%lld", (long long)item->number);
	}
	snprintf(text + at, 512 - at, "%s", used == size ? "" : " +");
	return text;
}

static const struct {
	const char *bytes, *expected;
} replies[] = {
	{"+OK\r\n", "tOK"},
	{"-ERR no\r\n", "eERR no"},
	{":12\r\n", "#12"},
	{":-2\r\n", "#-2"},
	{"$5\r\nhello\r\n", "thello"},
	{"$0\r\n\r\n", "t"},
	{"$-1\r\n", "n"},
	{"*-1\r\n", "n"},
	{"*0\r\n", "l0"},
	{"*2\r\n$1\r\na\r\n:7\r\n", "l2 ta #7"},
	{"*2\r\n*1\r\n:1\r\n+x\r\n", "l2 l1 #1 tx"},
	{"+a\r\n+b\r\n", "ta +"},
	/* RESP 3 */
	{"_\r\n", "n"},
	{"#t\r\n", "#1"},
	{"#f\r\n", "#0"},
	{",1.5\r\n", "t1.5"},
	{"(123456789012345678901234567890\r\n", "t123456789012345678901234567890"},
	{"!5\r\nERR x\r\n", "eERR x"},
	{"=7\r\ntxt:abc\r\n", "tabc"},
	{"%1\r\n+k\r\n:1\r\n", "l2 tk #1"},
	{"~1\r\n+k\r\n", "l1 tk"},
	{">3\r\n+message\r\n+c\r\n$1\r\nm\r\n", "p3 tmessage tc tm"},
	{"|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n", "tv"},
	/* not whole */
	{"", "incomplete"},
	{"$5\r\nhell", "incomplete"},
	{"$5\r\nhello", "incomplete"},
	{"$5\r\nhello\r", "incomplete"},
	{"*2\r\n:1\r\n", "incomplete"},
	{"+OK\r", "incomplete"},
	/* nothing that we understand, or want */
	{"GET / HTTP/1.1\r\n", "corrupt"},
	{"+O\nK\r\n", "corrupt"},
	{"+OK\rx", "corrupt"},
	{"$5\r\nhelloxx", "corrupt"},
	{"$1073741824\r\nabc", "corrupt"},
	{"$-2\r\n", "corrupt"},
	{"$x\r\n", "corrupt"},
	{"$ 1\r\na\r\n", "corrupt"},
	{"$\r\n", "corrupt"},
	{"$99999999999999999999999999", "corrupt"},
	{"$18446744073709551616\r\n", "corrupt"},
	{"*601\r\n", "corrupt"},
	{"*1000000000\r\n", "corrupt"},
	{"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "corrupt"},
	{"#x\r\n", "corrupt"},
	{"=2\r\nab\r\n", "corrupt"},
	{"$?\r\n", "corrupt"},
	{"|1\r\n+a\r\n", "incomplete"},
};

static void replies_are_read_as_the_protocol_says(void **state)
{
	char text[512];

	(void)state;
	for (size_t i = 0; i < COUNT(replies); i++)
		assert_string_equal(read_text(replies[i].bytes, strlen(replies[i].bytes), text), replies[i].expected);
}

static void every_beginning_of_a_reply_is_incomplete(void **state)
{
	static const char whole[] = ">3\r\n+message\r\n%1\r\n#t\r\n$2\r\nxy\r\n=5\r\ntxt:z\r\n";
	char text[512];

	(void)state;
	assert_string_equal(read_text(whole, sizeof(whole) - 1, text), "p3 tmessage l2 #1 txy tz");
	for (size_t size = 0; size < sizeof(whole) - 1; size++) {
		char *exact = malloc(size + 1);

		memcpy(exact, whole, size);
		assert_string_equal(read_text(exact, size, text), "incomplete");
		free(exact);
	}
}

static void a_reply_without_end_is_corrupt_at_our_bound(void **state)
{
	char *endless = malloc(SM_RESP_REPLY_MAX + 2), text[512];

	(void)state;
	memset(endless, 'a', SM_RESP_REPLY_MAX + 2);
	endless[0] = '+';
	assert_string_equal(read_text(endless, SM_RESP_REPLY_MAX - 1, text), "incomplete");
	assert_string_equal(read_text(endless, SM_RESP_REPLY_MAX + 2, text), "corrupt");
	free(endless);
}

static void many_small_items_end_at_our_bound(void **state)
{
	char many[4096], text[512];
	int at = snprintf(many, sizeof(many), "*600\r\n");

	(void)state;
	for (int i = 0; i < 600; i++)
		at += snprintf(many + at, sizeof(many) - (size_t)at, "_\r\n");
	assert_string_equal(read_text(many, (size_t)at, text), "corrupt"); /* with the list itself they are 601 */
}

static void commands_are_lists_of_words(void **state)
{
	char bytes[128];
	struct sm_writer writer = sm_writer_of(bytes, sizeof(bytes));
	static const char expected[] = "*3\r\n$3\r\nSET\r\n$2\r\n\r\n\r\n$0\r\n\r\n";

	(void)state;
	sm_resp_begin(&writer, 3);
	sm_resp_text(&writer, "SET");
	sm_resp_word(&writer, "\r\n", 2);
	sm_resp_text(&writer, "");
	assert_false(writer.failed);
	assert_int_equal(writer.at, sizeof(expected) - 1);
	assert_memory_equal(bytes, expected, writer.at);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(replies_are_read_as_the_protocol_says),
	cmocka_unit_test(every_beginning_of_a_reply_is_incomplete),
	cmocka_unit_test(a_reply_without_end_is_corrupt_at_our_bound),
	cmocka_unit_test(many_small_items_end_at_our_bound),
	cmocka_unit_test(commands_are_lists_of_words),
};

TESTS_MAIN(tests)
