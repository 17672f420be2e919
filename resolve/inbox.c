/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Takes outgoing questions and incoming messages; gives stand-ins to c-ares. */
#include "resolve/inbox.h"

#include "base/cursor.h"

#include <stdlib.h>

#define PREFIX 2 /* of a stream: the length of the message that follows */
#define FLAG_RESPONSE 0x80 /* in the third byte of a header */
#define MASK_RCODE 0x0f    /* in the fourth */
#define LABEL_MAX 63

struct sm_inbox_slot {
	struct sm_inbox_slot *next;
	uint16_t id;
	uint8_t question[SM_QUESTION_MAX];
	size_t question_size;
	uint8_t *message; /* NULL: not answered yet */
	size_t size;
};

void sm_inbox_init(struct sm_inbox *inbox, bool is_stream, uint8_t *room)
{
	memset(inbox, 0, sizeof(*inbox));
	inbox->is_stream = is_stream;
	inbox->is_room_lent = room && !is_stream; /* a stream's bytes stay in it */
	inbox->room = inbox->is_room_lent ? room : NULL;
}

static void free_slot(struct sm_inbox_slot *slot)
{
	free(slot->message);
	free(slot);
}

void sm_inbox_clear(struct sm_inbox *inbox)
{
	while (inbox->slots) {
		struct sm_inbox_slot *slot = inbox->slots;

		inbox->slots = slot->next;
		free_slot(slot);
	}
	if (!inbox->is_room_lent)
		free(inbox->room);
	inbox->is_room_lent = false;
	inbox->room = NULL;
}

void sm_inbox_reconnect(struct sm_inbox *inbox)
{
	inbox->taken = inbox->filled = inbox->leaving_size = inbox->leaving_skipped = 0;
	inbox->stand_in_at = inbox->stand_in_size = 0;
}

static uint16_t load_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static struct sm_inbox_slot *find_slot(const struct sm_inbox *inbox, uint16_t id)
{
	struct sm_inbox_slot *slot = inbox->slots;

	while (slot && slot->id != id)
		slot = slot->next;
	return slot;
}

/* The size of the only question after a header; 0: there is none, or more than one. Its name is not compressed,
 * because no name is before it. */
static size_t question_size(const uint8_t *message, size_t size)
{
	struct sm_reader reader = sm_reader_of(message, size);
	uint8_t length;

	sm_read_bytes(&reader, SM_MESSAGE_HEADER);
	if (reader.failed || load_u16(message + 4) != 1)
		return 0;
	do {
		length = sm_read_u8(&reader);
		if (length > LABEL_MAX)
			return 0;
		sm_read_bytes(&reader, length);
	} while (length > 0 && !reader.failed);
	sm_read_bytes(&reader, 4);
	if (reader.failed || reader.at - SM_MESSAGE_HEADER > SM_QUESTION_MAX)
		return 0;
	return reader.at - SM_MESSAGE_HEADER;
}

/* ---- outgoing messages */

static enum sm_status note_question(struct sm_inbox *inbox, const uint8_t *message, size_t size)
{
	size_t question = question_size(message, size);
	struct sm_inbox_slot *slot;

	if (question == 0)
		return SM_OK; /* not a question, so it will get no answer */
	slot = find_slot(inbox, load_u16(message));
	if (!slot) {
		slot = malloc(sizeof(*slot));
		if (!slot)
			return SM_EXHAUSTED;
		slot->id = load_u16(message);
		slot->message = NULL;
		slot->next = inbox->slots;
		inbox->slots = slot;
	}
	memcpy(slot->question, message + SM_MESSAGE_HEADER, question);
	slot->question_size = question;
	return SM_OK;
}

/* Collects the head of each message of the stream, and skips all bytes after its question. */
static enum sm_status note_stream(struct sm_inbox *inbox, const uint8_t *bytes, size_t size)
{
	enum sm_status status = SM_OK;

	while (size > 0 && status == SM_OK) {
		size_t wanted = PREFIX, part, whole;

		if (inbox->leaving_skipped > 0) {
			part = size < inbox->leaving_skipped ? size : inbox->leaving_skipped;
			inbox->leaving_skipped -= part;
			bytes += part;
			size -= part;
			continue;
		}
		if (inbox->leaving_size >= PREFIX) {
			whole = PREFIX + load_u16(inbox->leaving);
			wanted = whole < sizeof(inbox->leaving) ? whole : sizeof(inbox->leaving);
		}
		part = wanted - inbox->leaving_size < size ? wanted - inbox->leaving_size : size;
		memcpy(inbox->leaving + inbox->leaving_size, bytes, part);
		inbox->leaving_size += part;
		bytes += part;
		size -= part;
		if (inbox->leaving_size < wanted || wanted == PREFIX)
			continue;
		status = note_question(inbox, inbox->leaving + PREFIX, inbox->leaving_size - PREFIX);
		inbox->leaving_skipped = whole - wanted;
		inbox->leaving_size = 0;
	}
	return status;
}

enum sm_status sm_inbox_sent(struct sm_inbox *inbox, const void *bytes, size_t size)
{
	return inbox->is_stream ? note_stream(inbox, bytes, size) : note_question(inbox, bytes, size);
}

/* ---- incoming messages */

static uint8_t fold(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 'a' - 'A') : byte;
}

/* Ignores case in names, compares type and class exactly. Label lengths are smaller than every letter. */
static bool same_question(const struct sm_inbox_slot *slot, const uint8_t *question)
{
	size_t name = slot->question_size - 4;

	for (size_t i = 0; i < name; i++)
		if (fold(slot->question[i]) != fold(question[i]))
			return false;
	return memcmp(slot->question + name, question + name, 4) == 0;
}

/* Does the message answer the question that was sent under its id? A server that did not understand a message may
 * leave the question out of its error (RFC 1035, 4.1.1 does not say; many servers do). */
static bool answers(const struct sm_inbox_slot *slot, const uint8_t *message, size_t size)
{
	if (!(message[2] & FLAG_RESPONSE))
		return false;
	if (load_u16(message + 4) == 0)
		return (message[3] & MASK_RCODE) != 0;
	return question_size(message, size) == slot->question_size && same_question(slot, message + SM_MESSAGE_HEADER);
}

static void make_stand_in(struct sm_inbox *inbox, const struct sm_inbox_slot *slot)
{
	static const uint8_t rest[] = {0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}; /* a reply, recursion, one question */
	uint8_t *at = inbox->stand_in;
	size_t size = SM_MESSAGE_HEADER + slot->question_size;

	if (inbox->is_stream) {
		*at++ = (uint8_t)(size >> 8);
		*at++ = (uint8_t)size;
	}
	*at++ = (uint8_t)(slot->id >> 8);
	*at++ = (uint8_t)slot->id;
	memcpy(at, rest, sizeof(rest));
	memcpy(at + sizeof(rest), slot->question, slot->question_size);
	inbox->stand_in_at = 0;
	inbox->stand_in_size = size + (inbox->is_stream ? PREFIX : 0);
}

/* Keeps the message, and makes its stand-in. Drops a message that answers no question, or one already answered. */
static void accept_message(struct sm_inbox *inbox, const uint8_t *message, size_t size)
{
	struct sm_inbox_slot *slot = size >= SM_MESSAGE_HEADER ? find_slot(inbox, load_u16(message)) : NULL;

	if (!slot || slot->message || !answers(slot, message, size))
		return;
	slot->message = malloc(size);
	if (!slot->message)
		return;
	memcpy(slot->message, message, size);
	slot->size = size;
	make_stand_in(inbox, slot);
}

/* Removes the parsed bytes: once for each read, not for each message, because a server may send thousands of tiny
 * ones. */
static void move_up(struct sm_inbox *inbox)
{
	if (inbox->taken == 0)
		return;
	inbox->filled -= inbox->taken;
	memmove(inbox->room, inbox->room + inbox->taken, inbox->filled);
	inbox->taken = 0;
}

enum sm_status sm_inbox_room(struct sm_inbox *inbox, void **ret, size_t *ret_size)
{
	if (inbox->room)
		move_up(inbox);
	else
		inbox->room = malloc(SM_INBOX_ROOM);
	if (!inbox->room)
		return SM_EXHAUSTED;
	*ret = inbox->room + inbox->filled;
	*ret_size = SM_INBOX_ROOM - inbox->filled;
	return SM_OK;
}

void sm_inbox_read(struct sm_inbox *inbox, size_t size)
{
	if (inbox->is_stream)
		inbox->filled += size;
	else
		accept_message(inbox, inbox->room, size);
}

/* The size of the first message in `room`, with its length prefix; 0: it is incomplete. */
static size_t whole_message(const struct sm_inbox *inbox)
{
	size_t size, there = inbox->filled - inbox->taken;

	if (!inbox->is_stream || there < PREFIX)
		return 0;
	size = PREFIX + load_u16(inbox->room + inbox->taken);
	return size <= there ? size : 0;
}

static bool has_stand_in(const struct sm_inbox *inbox)
{
	return inbox->stand_in_at < inbox->stand_in_size;
}

bool sm_inbox_can_give(const struct sm_inbox *inbox)
{
	return has_stand_in(inbox) || whole_message(inbox) > 0;
}

size_t sm_inbox_give(struct sm_inbox *inbox, void *bytes, size_t size)
{
	size_t whole, left;

	while (!has_stand_in(inbox) && (whole = whole_message(inbox)) > 0) {
		accept_message(inbox, inbox->room + inbox->taken + PREFIX, whole - PREFIX);
		inbox->taken += whole;
	}
	left = inbox->stand_in_size - inbox->stand_in_at;
	if (size > left)
		size = left;
	memcpy(bytes, inbox->stand_in + inbox->stand_in_at, size);
	inbox->stand_in_at += size;
	inbox->given += size;
	return size;
}

enum sm_status sm_inbox_take(struct sm_inbox *inbox, const void *stand_in, size_t size, uint8_t **ret, size_t *ret_size)
{
	struct sm_inbox_slot **at = &inbox->slots, *slot;

	if (size < SM_MESSAGE_HEADER)
		return SM_CORRUPT;
	while (*at && (*at)->id != load_u16(stand_in))
		at = &(*at)->next;
	slot = *at;
	if (!slot || !slot->message)
		return SM_MISS;
	*ret = slot->message;
	*ret_size = slot->size;
	slot->message = NULL;
	*at = slot->next;
	free_slot(slot);
	return SM_OK;
}
