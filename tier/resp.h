/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* RESP, the protocol of Redis and Valkey, of both versions, 2 and 3: commands to bytes, and bytes to replies. Pure.
 * https://valkey.io/topics/protocol/ */
#pragma once

#include "base/cursor.h"
#include "base/status.h"

/* A command: its number of words, then each word. */
void sm_resp_begin(struct sm_writer *writer, uint32_t n_words);
void sm_resp_word(struct sm_writer *writer, const void *bytes, size_t size);
void sm_resp_text(struct sm_writer *writer, const char *text);
/* So much a word takes besides its bytes, at most, and a command besides its words. */
#define SM_RESP_WORD_LEAD 16

#define SM_RESP_BULK_MAX (192U << 10) /* bytes of one value: above the largest that we write */
#define SM_RESP_REPLY_MAX (256U << 10) /* bytes of a whole reply */
#define SM_RESP_ITEMS_MAX 600U
#define SM_RESP_DEPTH_MAX 4U

enum sm_resp_kind {
	SM_RESP_NULL,
	SM_RESP_TEXT,   /* a simple, bulk or verbatim string, a double, or a big number */
	SM_RESP_ERROR,
	SM_RESP_NUMBER, /* or a boolean */
	SM_RESP_LIST,   /* an array, a set, or a map: `number` items follow, of a map two for each pair */
	SM_RESP_PUSH,   /* a list that answers no command */
};

struct sm_resp_item {
	enum sm_resp_kind kind;
	uint32_t size;
	const uint8_t *bytes; /* borrowed from the bytes read */
	int64_t number;
};

/* A reply, and what it contains, each list before its items. */
struct sm_resp_reply {
	uint32_t n_items;
	struct sm_resp_item items[SM_RESP_ITEMS_MAX];
};

/* The first reply of `bytes`, and how many bytes it takes. SM_MISS: it is not whole yet. SM_CORRUPT: it is no reply, or one
 * beyond our bounds, whatever follows. */
enum sm_status sm_resp_read(const void *bytes, size_t size, struct sm_resp_reply *ret, size_t *ret_size) SM_MUST_CHECK;

/* Does the item's text begin with this word? */
bool sm_resp_begins(const struct sm_resp_item *item, const char *word);
