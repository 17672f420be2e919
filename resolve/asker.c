/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When a question is sent, to whom, and when it ends. */
#include "resolve/asker.h"

#include "base/clock.h"
#include "base/random.h"
#include "resolve/outlook.h"
#include "resolve/try.h"

#include <stdlib.h>
#include <string.h>

/* Where three packets of ten are lost each way, 99 of 100 questions are then answered within half a second. */
#define GAP_GROWS_PERCENT 130
#define GAP_MAX_NS (SM_NS_PER_S / 2) /* so that servers that come back are soon heard */

void sm_asker_init(struct sm_asker *asker, const struct sm_transport *transport, struct sm_arena *arena,
                   struct sm_servers *servers, uint32_t name, uint64_t seed)
{
	*asker = (struct sm_asker){
		.transport = transport, .arena = arena, .servers = servers, .name = name, .seed = seed,
	};
}

static void free_messages(struct sm_try *try)
{
	free(try->message);
	free(try->remnant);
}

void sm_asker_clear(struct sm_asker *asker)
{
	asker->is_closing = true;
	for (uint32_t i = 0; i < asker->n_connections; i++)
		asker->transport->close(asker->connections[i].connection);
	for (uint32_t i = 0; i < asker->n_asked; i++)
		for (struct sm_try *try = asker->asked[i]->tries; try; try = try->next)
			free_messages(try);
	asker->n_connections = asker->n_asked = asker->n_open = 0;
}

/* ---- sending */

static bool all_have_failed(const struct sm_asked *asked)
{
	return asked->failed == (1U << asked->rule->n_servers) - 1;
}

/* Does every server that may answer have the question? */
static bool all_have_it(const struct sm_asked *asked)
{
	for (uint32_t i = asked->n_sent; i < asked->rule->n_servers; i++)
		if (!sm_asked_has_failed(asked, asked->order[i]))
			return false;
	return true;
}

/* Until the next sending: the hedge of the server that was asked last; when all have been asked, longer than before, up
 * to half a second. */
static int64_t next_gap_ns(struct sm_asked *asked, uint32_t server, int64_t now_ns)
{
	int64_t hedge_ns = sm_servers_hedge_ns(asked->asker->servers, asked->rule, server, now_ns), longer_ns;

	if (!all_have_it(asked))
		return hedge_ns;
	longer_ns = asked->gap_ns * GAP_GROWS_PERCENT / 100;
	if (longer_ns > GAP_MAX_NS)
		longer_ns = GAP_MAX_NS;
	return longer_ns > hedge_ns ? longer_ns : hedge_ns;
}

/* An eighth more or less, so that many clients that lost a packet together do not send together. */
static int64_t jittered(struct sm_asked *asked, int64_t ns)
{
	return ns - ns / 8 + ns / 4 * (int64_t)(sm_random_step(&asked->asker->seed) % 1024) / 1024;
}

/* Sends to the next server that accepts the question. */
static void send_next(struct sm_asked *asked, int64_t now_ns)
{
	uint32_t n = asked->rule->n_servers;

	while (!all_have_failed(asked)) {
		uint32_t server = asked->order[asked->n_sent % n];
		bool is_resent = asked->n_sent++ >= n;

		if (sm_asked_has_failed(asked, server))
			continue;
		sm_try_send(asked, server, false, now_ns);
		if (sm_asked_has_failed(asked, server))
			continue;
		asked->gap_ns = next_gap_ns(asked, server, now_ns);
		asked->next_ns = now_ns + (is_resent ? jittered(asked, asked->gap_ns) : asked->gap_ns);
		/* every server has its time */
		if (!is_resent && asked->ends_ns < now_ns + asked->rule->timeout_ms * SM_NS_PER_MS)
			asked->ends_ns = now_ns + asked->rule->timeout_ms * SM_NS_PER_MS;
		return;
	}
}

/* All tries together: timeout × (1 + backoff + backoff² ...), the later ones up to a quarter longer, so that many clients
 * that fail together do not give up together. */
static int64_t patience_ns(struct sm_asked *asked)
{
	int64_t wait = asked->rule->timeout_ms * SM_NS_PER_MS, longest = asked->rule->deadline_ms * SM_NS_PER_MS, all = wait;

	for (uint32_t i = 1; i < asked->rule->attempts && all < longest; i++) {
		wait = wait * asked->rule->backoff_permille / 1000;
		all += wait + wait / 4 * (int64_t)(sm_random_step(&asked->asker->seed) % 1024) / 1024;
	}
	return all;
}

/* Servers whose time has come get a copy, beside the one that is asked. */
static void send_copies(struct sm_asked *asked, int64_t now_ns)
{
	for (uint32_t i = 1; i < asked->rule->n_servers; i++)
		if (!sm_asked_has_failed(asked, asked->order[i]) &&
		    sm_servers_take_probe(asked->asker->servers, asked->rule, asked->order[i], now_ns))
			sm_try_send(asked, asked->order[i], true, now_ns);
}

static void begin(struct sm_asked *asked, const struct sm_rule *rule, bool is_foreign, int64_t now_ns)
{
	struct sm_asker *asker = asked->asker;

	asked->rule = rule;
	asked->is_open = true;
	asked->is_foreign = is_foreign;
	asked->is_scout = asker->is_scout && sm_outlook_is_down(asker->servers, rule, now_ns);
	asked->is_declined = false;
	asked->n_hedges = 0;
	asked->number = sm_servers_count_question(asker->servers);
	asked->n_sent = 0;
	asked->failed = asked->declined = asked->plain = asked->vacant = 0;
	asked->began_ns = now_ns;
	asked->gap_ns = 0;
	asked->ends_ns = asked->is_scout ? now_ns : now_ns + patience_ns(asked);
	asked->newest = NULL;
	asked->winner = NULL;
	sm_servers_order(asker->servers, rule, !asker->listens_on && !asked->is_scout, now_ns, asked->order);
	asker->n_open++;
	do {
		send_next(asked, now_ns);
	} while (asked->is_scout && !all_have_it(asked));
	if (asker->listens_on && !asked->is_scout)
		send_copies(asked, now_ns);
	if (asked->is_scout)
		asked->next_ns = INT64_MAX;
}

enum sm_status sm_asker_ask(struct sm_asker *asker, uint32_t number, const struct sm_question *question,
                            const struct sm_rule *rule, bool is_foreign, int64_t now_ns)
{
	struct sm_asked *asked = sm_asker_place(asker, number, question, rule);

	if (!asked)
		return SM_EXHAUSTED;
	begin(asked, rule, is_foreign, now_ns);
	return SM_OK;
}

void sm_asker_ask_again(struct sm_asker *asker, uint32_t number, const struct sm_rule *rule, int64_t now_ns)
{
	begin(asker->asked[number], rule, false, now_ns);
}

const struct sm_rule *sm_asker_rule(const struct sm_asker *asker, uint32_t number)
{
	return asker->asked[number]->rule;
}

const struct sm_server *sm_asker_winner(const struct sm_asker *asker, uint32_t number, int64_t *ret_took_ns)
{
	*ret_took_ns = asker->asked[number]->took_ns;
	return asker->asked[number]->winner;
}

bool sm_asker_was_declined(const struct sm_asker *asker, uint32_t number)
{
	return asker->asked[number]->is_declined;
}

enum sm_status sm_asker_socket_status(const struct sm_asker *asker)
{
	enum sm_status status = asker->n_connections > 0 ? SM_REFUSED : SM_EXHAUSTED;

	if (asker->n_asked == 0)
		return SM_OK; /* there was no question to send */
	for (uint32_t i = 0; i < asker->n_connections; i++) {
		enum sm_status one = asker->transport->socket_status(asker->connections[i].connection);

		if (one == SM_OK)
			return SM_OK;
		if (one != SM_REFUSED)
			status = SM_EXHAUSTED;
	}
	return status;
}

size_t sm_asker_fds(const struct sm_asker *asker, struct pollfd *ret)
{
	size_t n = 0;

	for (uint32_t i = 0; i < asker->n_connections; i++)
		n += asker->transport->fds(asker->connections[i].connection, ret + n);
	return n;
}

void sm_asker_process(struct sm_asker *asker, const struct pollfd *fds, size_t n, int64_t now_ns)
{
	for (uint32_t i = 0; i < asker->n_connections; i++)
		asker->transport->process(asker->connections[i].connection, fds, n, now_ns);
}

/* ---- waiting */

/* When an open question moves on by itself. */
static int64_t moves_ns(const struct sm_asked *asked)
{
	if (!asked->is_open || all_have_failed(asked))
		return INT64_MAX;
	return sm_sooner(asked->next_ns, all_have_it(asked) ? asked->ends_ns : INT64_MAX);
}

int64_t sm_asker_wakes_ns(const struct sm_asker *asker)
{
	int64_t wakes_ns = INT64_MAX;

	for (uint32_t i = 0; i < asker->n_connections; i++)
		wakes_ns = sm_sooner(wakes_ns, asker->transport->wakes_ns(asker->connections[i].connection));
	for (uint32_t i = 0; i < asker->n_asked; i++) {
		const struct sm_asked *asked = asker->asked[i];

		for (const struct sm_try *try = asked->tries; try; try = try->next)
			wakes_ns = sm_sooner(wakes_ns, sm_try_counts_ns(try));
		wakes_ns = sm_sooner(wakes_ns, moves_ns(asked));
	}
	return wakes_ns;
}

static void count_silence(struct sm_asker *asker, int64_t now_ns)
{
	for (uint32_t i = 0; i < asker->n_asked; i++)
		for (struct sm_try *try = asker->asked[i]->tries; try; try = try->next)
			if (now_ns >= sm_try_counts_ns(try))
				sm_try_count(try, now_ns);
}

static bool is_overdue(const struct sm_try *try, int64_t now_ns)
{
	int64_t waited_ns = now_ns - try->sent.at_ns;

	return waited_ns >= try->rule->timeout_ms * SM_NS_PER_MS / 4 &&
	       waited_ns > sm_servers_usual_ns(try->asked->asker->servers, sm_try_server(try));
}

/* A try whose server usually takes longer, or that was sent only just now, says nothing. */
void sm_asker_note_silence(struct sm_asker *asker, int64_t now_ns)
{
	for (uint32_t i = 0; !asker->has_heard && i < asker->n_asked; i++)
		for (struct sm_try *try = asker->asked[i]->tries; try; try = try->next)
			if (try->is_waiting && !try->is_counted && is_overdue(try, now_ns))
				sm_try_count(try, now_ns);
}

/* ---- reading */

/* The answer of `winner` counts. Servers that had the question before, and are silent, are overtaken. */
static void settle(struct sm_asked *asked, const struct sm_try *winner, int64_t now_ns)
{
	struct sm_asker *asker = asked->asker;

	asked->winner = sm_try_server(winner);
	asked->took_ns = now_ns - winner->sent.at_ns;
	for (struct sm_try *try = asked->tries; try; try = try->next)
		if (try->is_waiting && !try->is_copy && try->rule == winner->rule && try->server != winner->server &&
		    try->sent.at_ns < winner->sent.at_ns)
			sm_servers_overtaken(asker->servers, sm_try_server(try), &try->sent, now_ns);
	/* the hedge was needed, as far as is known now */
	if (!sm_try_is_hedged(winner))
		sm_servers_count_hedges(asker->servers, asked->number, 0);
}

static void close_question(struct sm_asked *asked)
{
	asked->is_open = false;
	asked->asker->n_open--;
}

/* What was heard of questions that are closed. A server that answers after all did not need the hedge. */
static void read_late(struct sm_asked *asked, struct sm_arena *room, int64_t now_ns)
{
	struct sm_reply reply;

	for (struct sm_try *try = asked->tries; try; try = try->next)
		if (try->is_unread && sm_try_read(try, room, &reply, now_ns) == SM_HEARD_GOOD && sm_try_is_hedged(try))
			sm_servers_count_hedges(asked->asker->servers, asked->number, asked->n_hedges);
}

/* Reads what has come. true: a reply that settles the question. A good message is never given up for a bad one. */
static bool read_all(struct sm_asked *asked, struct sm_arena *room, struct sm_reply *ret, int64_t now_ns)
{
	for (struct sm_try *try = asked->tries; try; try = try->next) {
		enum sm_heard what;

		if (!try->is_unread)
			continue;
		what = sm_try_read(try, room, ret, now_ns);
		if (what == SM_HEARD_GOOD) {
			settle(asked, try, now_ns);
			return true;
		}
		if (try->rule == asked->rule && !sm_try_goes_on_plain(try, what, ret, now_ns))
			sm_asked_fail(asked, try->server);
	}
	return false;
}

/* ---- moving on */

static bool hedges_alone(const struct sm_asked *asked)
{
	const struct sm_asker *asker = asked->asker;

	for (uint32_t i = 0; i < asker->n_asked; i++)
		if (asker->asked[i] != asked && asker->asked[i]->is_open && asker->asked[i]->n_hedges > 0 &&
		    asker->asked[i]->rule == asked->rule)
			return false;
	return true;
}

/* One sending more, beside one that may still be answered. */
static void count_hedge(struct sm_asked *asked, int64_t now_ns)
{
	if (asked->n_hedges == 0)
		asked->hedged_ns = now_ns;
	if (asked->n_hedges < UINT8_MAX)
		asked->n_hedges++;
	sm_servers_count_hedges(asked->asker->servers, asked->number, asked->n_hedges);
}

/* May the question go to a server more, although another one may still answer it? While nothing is known, one question
 * finds out for all. After `timeout` it is no hedge any more. */
static bool may_hedge(struct sm_asked *asked, int64_t now_ns)
{
	struct sm_servers *servers = asked->asker->servers;

	if (now_ns >= asked->began_ns + asked->rule->timeout_ms * SM_NS_PER_MS)
		return true;
	if (!sm_servers_may_hedge(servers) || (!sm_servers_is_known(servers, asked->rule) && !hedges_alone(asked)))
		return false;
	count_hedge(asked, now_ns);
	return true;
}

static void hedge(struct sm_asked *asked, int64_t now_ns)
{
	int64_t timeout_ns = asked->began_ns + asked->rule->timeout_ms * SM_NS_PER_MS;

	if (may_hedge(asked, now_ns))
		send_next(asked, now_ns);
	else
		asked->next_ns = sm_sooner(now_ns + (asked->gap_ns > SM_NS_PER_MS ? asked->gap_ns : SM_NS_PER_MS), timeout_ns);
}

/* Have all servers said that it is not for them, except for those that are backing off and have said nothing? */
static bool is_declined(const struct sm_asked *asked)
{
	if (!asked->is_foreign || !asked->declined)
		return false;
	for (uint32_t i = 0; i < asked->rule->n_servers; i++) {
		bool has_declined = asked->declined & 1U << i, has_spoken = has_declined || sm_asked_has_failed(asked, i);

		if (!has_declined && (has_spoken || !sm_servers_is_backing_off(asked->asker->servers, &asked->rule->servers[i])))
			return false;
	}
	return true;
}

/* Every server has said something bad, but an earlier sending may still be answered: by a server that answers only sometimes. */
static bool is_hoping(const struct sm_asked *asked)
{
	for (const struct sm_try *try = asked->tries; try; try = try->next)
		if (try->rule == asked->rule && sm_try_is_hopeful(try))
			return true;
	return false;
}

static bool waits_in_vain(const struct sm_try *try)
{
	return sm_servers_is_worse_since(try->asked->asker->servers, sm_try_server(try), try->sent.at_ns);
}

/* SM_OK: the question is under way. */
static enum sm_status move_on(struct sm_asked *asked, int64_t now_ns)
{
	const struct sm_try *newest = asked->newest;

	if (is_declined(asked)) {
		asked->is_declined = true;
		return SM_REFUSED;
	}
	if (all_have_failed(asked))
		return is_hoping(asked) ? SM_OK : SM_REFUSED;
	if (asked->is_scout) {
		return now_ns >= asked->ends_ns ? SM_SILENT : SM_OK;
	} else if (sm_asked_has_failed(asked, newest->server)) {
		send_next(asked, now_ns);
	} else if (!all_have_it(asked) && waits_in_vain(newest)) {
		count_hedge(asked, now_ns);
		send_next(asked, now_ns);
	} else if (now_ns >= asked->ends_ns && all_have_it(asked)) {
		return SM_SILENT;
	} else if (now_ns >= asked->next_ns) {
		hedge(asked, now_ns);
	}
	return all_have_failed(asked) && !is_hoping(asked) ? SM_REFUSED : SM_OK;
}

/* What is left of a message is better than nothing. And where several servers agree that there is nothing to say, although
 * none of them says it as it should be said, it is believed. */
static bool take_last_resort(const struct sm_asked *asked, struct sm_arena *room, struct sm_reply *ret)
{
	if (asked->is_declined)
		return false;
	for (const struct sm_try *try = asked->tries; try; try = try->next)
		if (try->rule == asked->rule && sm_try_read_remnant(try, room, ret))
			return true;
	*ret = (struct sm_reply){.rcode = SM_RCODE_NOERROR};
	return asked->rule->n_servers > 1 && asked->vacant == (1U << asked->rule->n_servers) - 1;
}

enum sm_status sm_asker_take_remnant(struct sm_asker *asker, struct sm_arena *room, struct sm_reply *ret, uint32_t *ret_number)
{
	for (uint32_t i = 0; i < asker->n_asked; i++) {
		struct sm_asked *asked = asker->asked[i];

		if (!asked->is_open || !take_last_resort(asked, room, ret))
			continue;
		close_question(asked);
		*ret_number = i;
		return SM_OK;
	}
	return SM_MISS;
}

enum sm_status sm_asker_take(struct sm_asker *asker, int64_t now_ns, struct sm_arena *room, struct sm_reply *ret,
                             uint32_t *ret_number)
{
	count_silence(asker, now_ns);
	for (uint32_t i = 0; i < asker->n_asked; i++) {
		struct sm_asked *asked = asker->asked[i];
		enum sm_status status;

		if (!asked->is_open && asker->n_unread > 0)
			read_late(asked, room, now_ns);
		if (!asked->is_open)
			continue;
		*ret_number = i;
		if (asker->n_unread > 0 && read_all(asked, room, ret, now_ns)) {
			close_question(asked);
			return SM_OK;
		}
		status = move_on(asked, now_ns);
		if (status != SM_OK) {
			close_question(asked);
			return take_last_resort(asked, room, ret) ? SM_OK : status;
		}
	}
	return SM_MISS;
}

bool sm_asker_listen(struct sm_asker *asker, struct sm_arena *room, int64_t now_ns)
{
	bool is_awaiting = false;

	count_silence(asker, now_ns);
	for (uint32_t i = 0; i < asker->n_asked; i++) {
		asker->asked[i]->is_open = false;
		read_late(asker->asked[i], room, now_ns);
		for (const struct sm_try *try = asker->asked[i]->tries; try; try = try->next)
			is_awaiting |= sm_try_counts_ns(try) < INT64_MAX;
	}
	return is_awaiting;
}
