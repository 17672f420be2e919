/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tries. What arrives is only copied while the transport is on the stack, and read in sm_try_read. */
#include "resolve/try.h"

#include "base/clock.h"
#include "resolve/recall.h"
#include "wire/message.h"

#include <stdlib.h>
#include <string.h>

/* The connection to a server; NULL: the server cannot be reached. */
static struct sm_connection *connection_to(struct sm_asker *asker, const struct sm_server *server)
{
	uint32_t n = asker->n_connections;

	for (uint32_t i = 0; i < n; i++)
		if (sm_server_equals(&asker->connections[i].server, server))
			return asker->connections[i].is_dead ? NULL : asker->connections[i].connection;
	if (n == SM_CONNECTIONS_MAX ||
	    asker->transport->open(asker->transport, server, &asker->connections[n].connection) != SM_OK)
		return NULL;
	asker->connections[n].server = *server;
	asker->connections[n].is_dead = false;
	asker->n_connections++;
	return asker->connections[n].connection;
}

struct sm_asked *sm_asker_place(struct sm_asker *asker, uint32_t number, const struct sm_question *question,
                                const struct sm_rule *rule)
{
	struct sm_asked **all = sm_arena_room(asker->arena, asker->asked, number, &asker->asked_room, sizeof(*all));
	struct sm_asked *asked = sm_arena_take(asker->arena, sizeof(*asked), _Alignof(struct sm_asked));

	if (!all || !asked)
		return NULL;
	*asked = (struct sm_asked){.asker = asker, .question = *question, .rule = rule, .first_rule = rule};
	asker->asked = all;
	asker->asked[number] = asked;
	asker->n_asked = number + 1;
	return asked;
}

/* A failed socket affects every open question on it, but only one of them gets the error: the kernel reports an ICMP
 * error once, to the next send or receive. */
static void fail_everywhere(struct sm_asker *asker, const struct sm_server *server)
{
	for (uint32_t i = 0; i < asker->n_connections; i++)
		if (sm_server_equals(&asker->connections[i].server, server))
			asker->connections[i].is_dead = true;
	for (uint32_t i = 0; i < asker->n_asked; i++)
		for (uint8_t k = 0; k < asker->asked[i]->rule->n_servers; k++)
			if (sm_server_equals(&asker->asked[i]->rule->servers[k], server))
				sm_asked_fail(asker->asked[i], k);
}

/* The whole of it is being asked for by TCP, and that may be in vain. */
static void keep_remnant(struct sm_try *try, const uint8_t *message, size_t size, int64_t now_ns)
{
	struct sm_asked *asked = try->asked;
	int64_t patience_ns = now_ns + try->rule->timeout_ms * SM_NS_PER_MS;

	free(try->remnant);
	try->remnant = malloc(size);
	try->remnant_size = size;
	if (!try->remnant)
		return;
	memcpy(try->remnant, message, size);
	if (try->rule == asked->rule && asked->ends_ns > patience_ns)
		asked->ends_ns = patience_ns;
}

/* May run inside the transport's ask, process or close: it only notes. */
static void hear(void *context, enum sm_status status, const uint8_t *message, size_t size, int64_t now_ns)
{
	struct sm_try *try = context;
	struct sm_asker *asker = try->asked->asker;

	try->is_waiting = status == SM_FULL && !asker->is_closing;
	if (asker->is_closing)
		return;
	asker->has_heard |= status == SM_OK || status == SM_FULL;
	if (status == SM_FULL) {
		keep_remnant(try, message, size, now_ns);
		return;
	}
	if (status == SM_REFUSED) {
		fail_everywhere(asker, sm_try_server(try));
		sm_servers_heard(asker->servers, sm_try_server(try), &try->sent, SM_HEARD_UNREACHABLE, now_ns);
		sm_counts_outcome(asker->counts, sm_try_server(try), SM_OUTCOME_UNREACHABLE, 0);
	}
	try->message = status == SM_OK ? malloc(size) : NULL;
	if (try->message) {
		memcpy(try->message, message, size);
		try->message_size = size;
	} else if (status == SM_OK) {
		asker->is_exhausted = true;
		status = SM_EXHAUSTED;
	}
	if (status != SM_OK && try->rule == try->asked->rule)
		sm_asked_fail(try->asked, try->server);
	try->status = status;
	try->is_unread = true;
	asker->n_unread++;
}

/* Without EDNS0 where the server rejected it; or has been silent, once where it is not known to speak it, else twice, because
 * something between may drop it since. */
static bool goes_plain(const struct sm_asked *asked, uint32_t server, int64_t now_ns)
{
	const struct sm_server_known *known = sm_servers_find(asked->asker->servers, &asked->rule->servers[server]);
	uint32_t n = 0;

	if ((asked->plain & 1U << server) || sm_servers_is_plain(asked->asker->servers, &asked->rule->servers[server], now_ns))
		return true;
	for (const struct sm_try *try = asked->tries; try; try = try->next)
		n += try->rule == asked->rule && try->server == server && !try->is_plain;
	return n >= (known && known->speaks_edns ? 2U : 1U);
}

void sm_try_send(struct sm_asked *asked, uint32_t server, bool is_copy, int64_t now_ns)
{
	struct sm_asker *asker = asked->asker;
	const struct sm_server *to = &asked->rule->servers[server];
	struct sm_connection *connection = connection_to(asker, to);
	struct sm_try *try = sm_arena_take(asker->arena, sizeof(*try), _Alignof(struct sm_try));

	if (!connection || !try) {
		sm_asked_fail(asked, server);
		return;
	}
	*try = (struct sm_try){
		.asked = asked,
		.rule = asked->rule,
		.next = asked->tries,
		.sent = sm_servers_sent(asker->servers, to, now_ns),
		.server = (uint8_t)server,
		.is_copy = is_copy,
		.is_plain = goes_plain(asked, server, now_ns),
		.is_waiting = true,
	};
	sm_counts_asked(asker->counts, to);
	asked->tries = try;
	if (!is_copy)
		asked->newest = try;
	asker->transport->ask(connection, asked->question.name, asked->question.type,
	                      (to->is_stream ? SM_ASK_STREAM : 0U) | (try->is_plain ? SM_ASK_PLAIN : 0U), hear, try, now_ns);
}

int64_t sm_try_counts_ns(const struct sm_try *try)
{
	if (!try->is_waiting || try->is_counted)
		return INT64_MAX;
	return try->sent.at_ns + try->rule->timeout_ms * SM_NS_PER_MS;
}

bool sm_try_is_hedged(const struct sm_try *try)
{
	return try->asked->n_hedges > 0 && try->rule == try->asked->rule && try->sent.at_ns < try->asked->hedged_ns;
}

/* Hedges of a question that the server before them does not answer were needed. */
void sm_try_count(struct sm_try *try, int64_t now_ns)
{
	struct sm_asker *asker = try->asked->asker;

	try->is_counted = true;
	if (try->asked->question.type == SM_RR_TXT || try->remnant)
		return; /* some filters in the network drop TXT, or TCP: that says nothing about the server */
	asker->silence_ns = now_ns;
	sm_servers_silent(asker->servers, sm_try_server(try), &try->sent, asker->name, now_ns);
	sm_counts_outcome(asker->counts, sm_try_server(try), SM_OUTCOME_SILENT, 0);
	if (sm_try_is_hedged(try))
		sm_servers_count_hedges(asker->servers, try->asked->number, 0);
}

bool sm_try_read_remnant(const struct sm_try *try, struct sm_arena *room, struct sm_reply *ret)
{
	const struct sm_question *question = &try->asked->question;

	if (!try->remnant)
		return false;
	sm_arena_clear(room);
	if (sm_message_decode(try->remnant, try->remnant_size, question->name, question->type, room, ret) != SM_OK)
		return false;
	ret->is_remnant = ret->has_answer && sm_message_settles(ret);
	return ret->is_remnant;
}

/* The server has answered, but what carries large answers from it to us does not work. */
static enum sm_heard meaning_of_silence(const struct sm_try *try)
{
	return try->remnant ? SM_HEARD_ALIVE : SM_HEARD_UNREACHABLE;
}

static enum sm_heard meaning_of(const struct sm_try *try, enum sm_status status, const struct sm_reply *reply)
{
	if (status != SM_OK)
		return SM_HEARD_BAD;
	if (sm_message_settles(reply))
		return SM_HEARD_GOOD;
	if (reply->rcode == SM_RCODE_SERVFAIL)
		return SM_HEARD_POOR;
	return try->asked->is_foreign && sm_message_declines(reply) ? SM_HEARD_ALIVE : SM_HEARD_BAD;
}

static void learn_edns(const struct sm_try *try, int64_t now_ns)
{
	struct sm_servers *servers = try->asked->asker->servers;
	const struct sm_server_known *known = sm_servers_find(servers, sm_try_server(try));
	bool has_rejected = try->asked->plain & 1U << try->server;

	if (!try->is_plain && !(known && known->speaks_edns && known->n_plain == 0))
		sm_servers_note_edns(servers, sm_try_server(try), now_ns);
	if (try->is_plain && !sm_servers_is_plain(servers, sm_try_server(try), now_ns))
		sm_servers_note_plain(servers, sm_try_server(try), has_rejected, now_ns);
}

static enum sm_outcome outcome_of(enum sm_heard what)
{
	switch (what) {
	case SM_HEARD_GOOD:
		return SM_OUTCOME_GOOD;
	case SM_HEARD_POOR:
		return SM_OUTCOME_SERVFAIL;
	case SM_HEARD_UNREACHABLE:
		return SM_OUTCOME_UNREACHABLE;
	case SM_HEARD_ALIVE:
	case SM_HEARD_BAD:
		break;
	}
	return SM_OUTCOME_BAD;
}

static void note_refusal(struct sm_asked *asked, uint32_t server, const struct sm_reply *reply)
{
	if (sm_message_declines(reply))
		asked->declined |= (uint8_t)(1U << server);
	if (reply->rcode == SM_RCODE_NOERROR && reply->says_nothing)
		asked->vacant |= (uint8_t)(1U << server);
}

enum sm_heard sm_try_read(struct sm_try *try, struct sm_arena *room, struct sm_reply *ret, int64_t now_ns)
{
	struct sm_asked *asked = try->asked;
	enum sm_status status = try->status;
	enum sm_heard what;

	try->is_unread = false;
	asked->asker->n_unread--;
	sm_arena_clear(room);
	if (try->message)
		status = sm_message_decode(try->message, try->message_size, asked->question.name, asked->question.type, room,
		                           ret);
	if (try->message && status == SM_OK && sm_message_settles(ret))
		sm_asked_remember(asked, try, ret, now_ns);
	free(try->message);
	try->message = NULL;
	asked->asker->is_exhausted |= status == SM_EXHAUSTED && try->status == SM_OK;
	if (status == SM_EXHAUSTED || status == SM_INVALID || status == SM_REFUSED)
		return SM_HEARD_UNREACHABLE; /* our own fault, or already noted */
	what = try->status == SM_SILENT ? meaning_of_silence(try) : meaning_of(try, status, ret);
	sm_servers_heard(asked->asker->servers, sm_try_server(try), &try->sent, what, now_ns);
	sm_counts_outcome(asked->asker->counts, sm_try_server(try), outcome_of(what), now_ns - try->sent.at_ns);
	if (what == SM_HEARD_GOOD)
		learn_edns(try, now_ns);
	else if (what != SM_HEARD_UNREACHABLE && status == SM_OK && asked->rule == try->rule)
		note_refusal(asked, try->server, ret);
	return what;
}

bool sm_try_goes_on_plain(struct sm_try *try, enum sm_heard what, const struct sm_reply *reply, int64_t now_ns)
{
	struct sm_asked *asked = try->asked;

	if (what != SM_HEARD_BAD || try->status != SM_OK || try->is_plain || !sm_message_rejects_edns(reply))
		return false;
	asked->plain |= (uint8_t)(1U << try->server);
	sm_try_send(asked, try->server, false, now_ns);
	return true;
}

bool sm_try_is_hopeful(const struct sm_try *try)
{
	return sm_try_counts_ns(try) < INT64_MAX && connection_to(try->asked->asker, sm_try_server(try));
}
