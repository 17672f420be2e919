/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/pipeline.h"

#include "base/clock.h"
#include "daemon/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNDER_WAY_MAX 16384U
#define TIMEOUTS_MAX 10 /* a command under way for so many time-outs: the connection is of no use */
#define GIVEN_UP_NS SM_NS_PER_S

/* ---- the ring */

static struct sm_store_sent *at(const struct sm_store *store, uint32_t i)
{
	return &store->sent[(store->first_sent + i) % UNDER_WAY_MAX];
}

static enum sm_status push(struct sm_store *store, const struct sm_store_sent *sent)
{
	if (!store->sent)
		store->sent = calloc(UNDER_WAY_MAX, sizeof(*store->sent));
	if (!store->sent || store->n_sent == UNDER_WAY_MAX)
		return SM_FULL;
	*at(store, store->n_sent++) = *sent;
	if (sent->waiter)
		sent->waiter->n_under_way++;
	store->n_writes += sent->command == SM_STORE_WRITE;
	return SM_OK;
}

const struct sm_store_sent *sm_pipeline_next(const struct sm_store *store)
{
	return store->n_sent > 0 ? at(store, 0) : NULL;
}

struct sm_store_sent sm_pipeline_pop(struct sm_store *store)
{
	struct sm_store_sent sent = *at(store, 0);

	store->first_sent = (store->first_sent + 1) % UNDER_WAY_MAX;
	store->n_sent--;
	store->n_writes -= sent.command == SM_STORE_WRITE;
	if (sent.waiter)
		sent.waiter->n_under_way--;
	return sent;
}

void sm_store_forget(struct sm_store *store, struct sm_store_waiter *waiter)
{
	for (uint32_t i = 0; waiter->n_under_way > 0 && i < store->n_sent; i++)
		if (at(store, i)->waiter == waiter) {
			at(store, i)->waiter = NULL;
			waiter->n_under_way--;
		}
}

/* The waiter is told once, whatever else of it is under way. */
static void lose(struct sm_store *store, struct sm_store_waiter *waiter)
{
	sm_store_forget(store, waiter);
	store->n_lost++;
	waiter->on_lost(waiter);
}

void sm_pipeline_lose_all(struct sm_store *store)
{
	while (store->n_sent > 0) {
		struct sm_store_waiter *waiter = sm_pipeline_pop(store).waiter;

		if (waiter)
			lose(store, waiter);
	}
	free(store->sent);
	store->sent = NULL;
	store->first_sent = 0;
}

/* ---- sending */

struct word {
	const void *bytes;
	size_t size;
};

static enum sm_status send_words(struct sm_store *store, struct sm_stream *stream, const struct sm_store_sent *sent,
                                 const struct word *words, uint32_t n)
{
	size_t size = SM_RESP_WORD_LEAD;
	struct sm_writer writer;
	void *room;

	for (uint32_t i = 0; i < n; i++)
		size += SM_RESP_WORD_LEAD + words[i].size;
	if (sm_stream_room(stream, size, &room) != SM_OK || (stream == store->stream && push(store, sent) != SM_OK))
		return SM_FULL;
	writer = sm_writer_of(room, size);
	sm_resp_begin(&writer, n);
	for (uint32_t i = 0; i < n; i++)
		sm_resp_word(&writer, words[i].bytes, words[i].size);
	sm_stream_wrote(stream, writer.at);
	return SM_OK;
}

/* Of a job. */
static enum sm_status send_command(struct sm_store *store, enum sm_store_command command, const struct word *words, uint32_t n,
                                   struct sm_store_waiter *waiter, int64_t now_ns)
{
	const struct sm_store_sent sent = {.command = command, .waiter = waiter, .sent_ns = now_ns};

	return send_words(store, store->stream, &sent, words, n);
}

static struct word text(const char *text)
{
	return (struct word){text, strlen(text)};
}

#define NUMBER_TEXT 24

static struct word number(uint64_t value, char room[NUMBER_TEXT])
{
	snprintf(room, NUMBER_TEXT, "%llu", (unsigned long long)value);
	return text(room);
}

enum sm_status sm_pipeline_send(struct sm_store *store, struct sm_stream *stream, enum sm_store_command command,
                                const char *const *words, uint32_t n, int64_t now_ns)
{
	const struct sm_store_sent sent = {.command = command, .sent_ns = now_ns};
	struct word all[8];

	for (uint32_t i = 0; i < n; i++)
		all[i] = text(words[i]);
	return send_words(store, stream, &sent, all, n);
}

enum sm_status sm_store_read(struct sm_store *store, const char *key, struct sm_store_waiter *waiter)
{
	const struct word time[] = {text("PTTL"), text(key)}, value[] = {text("GET"), text(key)};
	int64_t now_ns = sm_clock_now_ns();

	if (store->state != SM_STORE_READY || store->n_sent + 2 > UNDER_WAY_MAX ||
	    send_command(store, SM_STORE_READ_TIME, time, 2, NULL, now_ns) != SM_OK ||
	    send_command(store, SM_STORE_READ, value, 2, waiter, now_ns) != SM_OK) {
		store->breaker.is_probing = false; /* if this was to be one */
		return SM_FULL;
	}
	store->n_reads++;
	return SM_OK;
}

enum sm_status sm_store_claim(struct sm_store *store, const char *key, uint32_t ms, struct sm_store_waiter *waiter)
{
	char room[NUMBER_TEXT];
	const struct word words[] = {text("SET"), text(key), text("1"), text("NX"), text("PX"), number(ms, room)};

	if (store->state != SM_STORE_READY)
		return SM_FULL;
	return send_command(store, SM_STORE_CLAIM, words, 6, waiter, sm_clock_now_ns());
}

enum sm_status sm_store_write(struct sm_store *store, const char *key, const void *value, size_t size, uint64_t ms)
{
	char room[NUMBER_TEXT];
	const struct word words[] = {text("SET"), text(key), {value, size}, text("PX"), number(ms, room)};

	if (store->state == SM_STORE_READY && store->n_writes < SM_STORE_WRITES_MAX &&
	    send_command(store, SM_STORE_WRITE, words, 5, NULL, sm_clock_now_ns()) == SM_OK)
		return SM_OK;
	store->n_dropped++;
	return SM_FULL;
}

/* A list, not one value: two hosts may publish at the same moment. */
enum sm_status sm_store_tell(struct sm_store *store, const void *message, size_t size, uint64_t ms,
                             struct sm_store_waiter *waiter)
{
	char room[NUMBER_TEXT];
	const struct word kept = text(store->messages), bytes = {message, size};
	const struct word append[] = {text("RPUSH"), kept, bytes}, publish[] = {text("PUBLISH"), kept, bytes};
	const struct word trim[] = {text("LTRIM"), kept, text("-" SM_STORE_MESSAGES), text("-1")};
	const struct word expire[] = {text("PEXPIRE"), kept, number(ms, room)};
	int64_t now_ns = sm_clock_now_ns();

	if (store->state != SM_STORE_READY)
		return SM_FULL;
	if (send_command(store, SM_STORE_TELL, append, 3, waiter, now_ns) != SM_OK ||
	    send_command(store, SM_STORE_IGNORED, trim, 4, NULL, now_ns) != SM_OK ||
	    send_command(store, SM_STORE_IGNORED, expire, 3, NULL, now_ns) != SM_OK ||
	    send_command(store, SM_STORE_TELL, publish, 3, waiter, now_ns) != SM_OK) {
		sm_store_forget(store, waiter);
		return SM_FULL;
	}
	return SM_OK;
}

/* ---- answers */

/* The store works, but has this key elsewhere, or as something else, or takes no writes. */
static bool is_harmless(const struct sm_resp_item *error)
{
	static const char *const words[] = {"MOVED ", "ASK ", "WRONGTYPE ", "READONLY ", "OOM "};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (sm_resp_begins(error, words[i]))
			return true;
	return false;
}

void sm_store_log_error(struct sm_store *store, const struct sm_resp_item *answer)
{
	char word[sizeof(store->told[0])], whole[128];
	int length = (int)(answer->size < sizeof(whole) ? answer->size : sizeof(whole) - 1);

	snprintf(whole, sizeof(whole), "%.*s", length, (const char *)answer->bytes);
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(whole, " "), whole);
	for (uint32_t i = 0; i < store->n_told; i++)
		if (strcmp(store->told[i], word) == 0)
			return;
	if (store->n_told == SM_STORE_ERRORS_MAX)
		return;
	memcpy(store->told[store->n_told++], word, sizeof(word));
	sm_log(SM_LOG_WARNING, "the shared store refuses a command", "error", whole, NULL);
}

static void note_time(struct sm_store *store, const struct sm_store_sent *sent, int64_t now_ns)
{
	sm_stream_is_good(store->stream);
	if (!sm_breaker_heard(&store->breaker, now_ns - sent->sent_ns, store->conf.head_start_ms * SM_NS_PER_MS, now_ns))
		return;
	if (store->breaker.is_slow)
		sm_log(SM_LOG_WARNING, "the shared store is slower than head_start: jobs do not wait for it", NULL);
	else
		sm_log(SM_LOG_INFO, "the shared store is in time again", NULL);
}

static void note_failure(struct sm_store *store, int64_t now_ns)
{
	if (sm_breaker_failed(&store->breaker))
		sm_stream_break(store->stream, now_ns);
}

static void hand_value(struct sm_store *store, const struct sm_store_sent *sent, const struct sm_resp_item *answer)
{
	struct sm_store_waiter *waiter = sent->waiter;

	if (waiter && answer->kind == SM_RESP_TEXT)
		waiter->on_value(waiter, answer->bytes, answer->size, store->left_ms);
	else if (waiter)
		waiter->on_value(waiter, NULL, 0, -1);
}

static void answer_read(struct sm_store *store, const struct sm_store_sent *sent, const struct sm_resp_item *answer,
                        int64_t now_ns)
{
	if (answer->kind == SM_RESP_ERROR && !is_harmless(answer)) {
		if (sent->waiter)
			lose(store, sent->waiter);
		note_failure(store, now_ns);
		return;
	}
	if (!sent->is_late)
		note_time(store, sent, now_ns);
	hand_value(store, sent, answer);
}

static void answer_done(const struct sm_store_sent *sent, const struct sm_resp_item *answer)
{
	bool is_done = answer->kind == SM_RESP_TEXT || answer->kind == SM_RESP_NUMBER;

	if (sent->waiter)
		sent->waiter->on_done(sent->waiter, is_done);
}

void sm_pipeline_answer(struct sm_store *store, const struct sm_resp_item *answer, int64_t now_ns)
{
	struct sm_store_sent sent = sm_pipeline_pop(store);
	bool is_error = answer->kind == SM_RESP_ERROR;

	if (is_error)
		sm_store_log_error(store, answer);
	switch (sent.command) {
	case SM_STORE_READ_TIME:
		store->left_ms = answer->kind == SM_RESP_NUMBER ? answer->number : -1;
		break;
	case SM_STORE_READ:
		answer_read(store, &sent, answer, now_ns);
		break;
	case SM_STORE_CLAIM:
	case SM_STORE_TELL:
		if (is_error && sent.waiter)
			lose(store, sent.waiter);
		else
			answer_done(&sent, answer);
		break;
	case SM_STORE_WRITE:
		store->n_written += !is_error;
		store->n_dropped += is_error;
		break;
	case SM_STORE_IGNORED:
	case SM_STORE_HELLO:
	case SM_STORE_LOG_IN:
	case SM_STORE_SUBSCRIBE:
	case SM_STORE_LIST:
		break;
	}
}

/* ---- time */

static bool is_awaited(const struct sm_store_sent *sent)
{
	return sent->command == SM_STORE_READ || sent->command == SM_STORE_CLAIM || sent->command == SM_STORE_TELL;
}

/* true: so many in a row that the connection was given up. */
static bool lose_late(struct sm_store *store, int64_t timeout_ns, int64_t now_ns)
{
	for (uint32_t i = 0; i < store->n_sent && now_ns - at(store, i)->sent_ns >= timeout_ns; i++) {
		struct sm_store_sent *sent = at(store, i);
		bool is_read = sent->command == SM_STORE_READ;

		if (sent->is_late || !is_awaited(sent))
			continue;
		sent->is_late = true;
		if (sent->waiter)
			lose(store, sent->waiter);
		if (is_read)
			note_failure(store, now_ns);
		if (store->n_sent == 0)
			return true;
	}
	return false;
}

static int64_t next_late_ns(const struct sm_store *store, int64_t timeout_ns)
{
	for (uint32_t i = 0; i < store->n_sent; i++)
		if (!at(store, i)->is_late && is_awaited(at(store, i)))
			return at(store, i)->sent_ns + timeout_ns;
	return INT64_MAX;
}

int64_t sm_pipeline_look(struct sm_store *store, int64_t now_ns)
{
	int64_t timeout_ns = store->conf.timeout_ms * SM_NS_PER_MS, given_up_ns = timeout_ns * TIMEOUTS_MAX;

	if (given_up_ns < GIVEN_UP_NS)
		given_up_ns = GIVEN_UP_NS;
	if (store->n_sent == 0 || lose_late(store, timeout_ns, now_ns) || store->n_sent == 0)
		return INT64_MAX;
	if (now_ns - at(store, 0)->sent_ns >= given_up_ns) {
		sm_stream_break(store->stream, now_ns);
		return INT64_MAX;
	}
	return sm_sooner(at(store, 0)->sent_ns + given_up_ns, next_late_ns(store, timeout_ns));
}
