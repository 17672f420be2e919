/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/epochs.h"

#include "base/cursor.h"
#include "base/scope.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_VERSION 1
#define ENTRY_MAX (1 + 8 + 1 + SM_NAME_MAX)
#define ENTRIES_MAX 1024 /* of rules that are no more */

struct sm_epoch {
	int64_t until_ns;
	uint32_t n;
	struct entry {
		struct sm_name name;
		uint64_t key;
		bool is_exact;
	} entries[];
};

static struct sm_epoch *make(uint32_t n)
{
	struct sm_epoch *epoch = malloc(sizeof(*epoch) + n * sizeof(epoch->entries[0]));

	if (epoch)
		*epoch = (struct sm_epoch){.n = n};
	return epoch;
}

static struct sm_epoch *make_of_rules(const struct sm_rules *rules)
{
	struct sm_epoch *epoch = make(rules->n_rules);

	for (uint32_t i = 0; epoch && i < rules->n_rules; i++) {
		const struct sm_rule *rule = &rules->rules[i];

		epoch->entries[i] = (struct entry){.name = rule->name, .key = rule->key, .is_exact = rule->is_exact};
	}
	return epoch;
}

static bool read_entry(struct sm_reader *reader, struct entry *ret)
{
	const uint8_t *name;
	uint8_t length;

	ret->is_exact = sm_read_u8(reader);
	ret->key = sm_read_u64le(reader);
	length = sm_read_u8(reader);
	name = sm_read_bytes(reader, length);
	return name && sm_name_parse((const char *)name, length, &ret->name) == SM_OK;
}

/* NULL: the map does not say it, or nothing of use. */
static struct sm_epoch *make_of_map(struct sm_owner *owner)
{
	SM_SCOPE_FREE struct sm_epoch *epoch = NULL;
	struct sm_epoch *whole;
	struct sm_reader reader;
	const void *bytes;
	size_t size;

	if (sm_owner_get_own(owner, SM_MAP_RULES, &bytes, &size) != SM_OK)
		return NULL;
	epoch = make((uint32_t)(size / (1 + 8 + 1)));
	reader = sm_reader_of(bytes, size);
	if (!epoch || sm_read_u8(&reader) != TABLE_VERSION)
		return NULL;
	for (epoch->n = 0; reader.at < size; epoch->n++)
		if (!read_entry(&reader, &epoch->entries[epoch->n]))
			return NULL;
	whole = epoch;
	epoch = NULL;
	return whole;
}

static bool is_same(const struct sm_epoch *a, const struct sm_epoch *b)
{
	if (!a || !b || a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++)
		if (a->entries[i].key != b->entries[i].key || a->entries[i].is_exact != b->entries[i].is_exact ||
		    strcmp(a->entries[i].name.text, b->entries[i].name.text) != 0)
			return false;
	return true;
}

/* The epoch of today is over. Where there are too many, of what is older than all of them it is not known how it was made. */
static void push(struct sm_epochs *epochs, struct sm_epoch *past, int64_t now_ns)
{
	if (!past)
		return;
	if (epochs->n == SM_EPOCHS_MAX) {
		epochs->past[1]->n = 0;
		free(epochs->past[0]);
		memmove(epochs->past, epochs->past + 1, --epochs->n * sizeof(epochs->past[0]));
	}
	past->until_ns = now_ns;
	epochs->past[epochs->n++] = past;
}

bool sm_epochs_begin(struct sm_epochs *epochs, struct sm_owner *owner, const struct sm_rules *rules, int64_t now_ns)
{
	struct sm_epoch *of_map = make_of_map(owner);

	*epochs = (struct sm_epochs){.today = make_of_rules(rules)};
	if (is_same(of_map, epochs->today)) {
		free(of_map);
		return false;
	}
	push(epochs, of_map ? of_map : make(0), now_ns);
	return true;
}

bool sm_epochs_turn(struct sm_epochs *epochs, const struct sm_rules *rules, int64_t now_ns)
{
	struct sm_epoch *today = make_of_rules(rules);

	if (is_same(today, epochs->today)) {
		free(today);
		return epochs->n > 0;
	}
	push(epochs, epochs->today ? epochs->today : make(0), now_ns);
	epochs->today = today;
	return true;
}

static void forget_past(struct sm_epochs *epochs)
{
	while (epochs->n > 0)
		free(epochs->past[--epochs->n]);
}

static void write_entry(struct sm_writer *writer, const struct entry *entry)
{
	sm_write_u8(writer, entry->is_exact);
	sm_write_u64le(writer, entry->key);
	sm_write_u8(writer, entry->name.length);
	sm_write_bytes(writer, entry->name.text, entry->name.length);
}

static bool covers(const struct entry *entry, const struct sm_name *name)
{
	if (entry->is_exact)
		return strcmp(entry->name.text, name->text) == 0;
	return sm_name_under(name->text, name->length, &entry->name);
}

static uint64_t key_in(const struct sm_epoch *epoch, const struct sm_name *name)
{
	for (uint32_t i = 0; epoch && i < epoch->n; i++) {
		const struct entry *entry = &epoch->entries[i];

		if (covers(entry, name))
			return entry->key;
	}
	return 0;
}

/* Rules of which no rule of today covers the name: their answers are still in the map, and their sections may come back. */
static void carry_over(const struct sm_epochs *epochs, const struct sm_epoch *epoch, struct sm_epoch *ret)
{
	for (uint32_t i = 0; i < epoch->n; i++) {
		if (key_in(epochs->today, &epoch->entries[i].name) != 0 || key_in(ret, &epoch->entries[i].name) != 0)
			continue;
		if (ret->n < epochs->today->n + ENTRIES_MAX)
			ret->entries[ret->n++] = epoch->entries[i];
	}
}

/* The table of today with what is carried over; NULL: no memory. */
static struct sm_epoch *settled(const struct sm_epochs *epochs)
{
	struct sm_epoch *whole = make(epochs->today->n + ENTRIES_MAX);

	if (!whole)
		return NULL;
	memcpy(whole->entries, epochs->today->entries, epochs->today->n * sizeof(whole->entries[0]));
	whole->n = epochs->today->n;
	for (uint32_t i = epochs->n; i > 0; i--) /* of two the later one */
		carry_over(epochs, epochs->past[i - 1], whole);
	return whole;
}

void sm_epochs_settle(struct sm_epochs *epochs, struct sm_owner *owner)
{
	struct sm_epoch *whole = epochs->today ? settled(epochs) : NULL;
	size_t room = whole ? 1 + whole->n * (size_t)ENTRY_MAX : 0;
	SM_SCOPE_FREE uint8_t *bytes = malloc(room + 1);
	struct sm_writer writer = sm_writer_of(bytes, bytes ? room : 0);

	if (!whole)
		return;
	sm_write_u8(&writer, TABLE_VERSION);
	for (uint32_t i = 0; i < whole->n; i++)
		write_entry(&writer, &whole->entries[i]);
	if (writer.failed || sm_owner_put_own(owner, SM_MAP_RULES, bytes, writer.at) != SM_OK) {
		free(whole); /* the map says what it said before, and the past is still known */
		return;
	}
	forget_past(epochs);
	free(epochs->today);
	epochs->today = whole;
}

void sm_epochs_end(struct sm_epochs *epochs)
{
	forget_past(epochs);
	free(epochs->today);
	epochs->today = NULL;
}

uint64_t sm_epochs_key(const struct sm_epochs *epochs, const struct sm_name *name, int64_t made_ns)
{
	for (uint32_t i = 0; i < epochs->n; i++)
		if (made_ns < epochs->past[i]->until_ns)
			return key_in(epochs->past[i], name);
	return key_in(epochs->today, name);
}
