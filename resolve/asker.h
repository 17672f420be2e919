/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions to servers, until they are settled: which server, how long, and then?
 *
 * A question goes to the first server in the order of resolve/servers.h. While it is unanswered it goes to the next one,
 * too (a hedge), until every server has it; then again in the same order, each time after a longer wait. The first
 * settling answer wins. An error is that server's last word in this lookup, and the next server gets the question at once.
 * A question ends in vain when its tries are over and every server had `timeout` to answer it. All questions run at the
 * same time.
 *
 *   0 ms      20 ms           46 ms      80 ms                 the first server loses the question, hedge after 20 ms
 *   server 1  server 2 ► answer          server 1 ...          server 1 is overtaken; the next question goes to server 2
 *
 * A message that was cut is asked for again by TCP; where that fails or takes longer than `timeout`, and nobody else answers,
 * what is left of it is the reply.
 *
 * A scout, where all servers are known to be down, sends its question to every server once and at once, and waits `timeout`.
 *
 * Time and chance are arguments, and a transport carries the questions; nothing here waits, reads a clock or opens a
 * socket. Not for two threads at once. */
#pragma once

#include "base/arena.h"
#include "mesh/expand.h"
#include "resolve/counts.h"
#include "resolve/servers.h"
#include "wire/transport.h"

#define SM_CONNECTIONS_MAX 16 /* servers used in one lookup: enough for two domains */
#define SM_ASKER_FDS_MAX (SM_CONNECTIONS_MAX * SM_TRANSPORT_FDS_MAX)

/* What was said of a host's addresses before: a message, and how old it is. */
struct sm_remembered {
	const uint8_t *bytes;
	size_t size;
	uint32_t age_s;
	bool is_alias; /* it may lead to another question */
};

/* Who remembers it. `rule`: by whose servers the question is asked first. */
struct sm_hosts_memory {
	/* false: nothing that still holds. *ret lives until the next call. */
	bool (*recall)(void *context, const struct sm_question *question, const struct sm_rule *rule, int64_t now_ns,
	               struct sm_remembered *ret);
	/* `message` is borrowed for the call; it holds for `ttl_s`. */
	void (*remember)(void *context, const struct sm_question *question, const struct sm_rule *rule,
	                 const struct sm_remembered *message, uint32_t ttl_s, int64_t now_ns);
};

struct sm_asked; /* a question and what has become of it */

struct sm_asker {
	const struct sm_transport *transport;
	struct sm_arena *arena; /* the lookup's: questions and tries live in it */
	struct sm_servers *servers;
	uint64_t seed;
	uint32_t name;     /* a hash of the service's name */
	bool listens_on;   /* late answers are waited for, behind the lookup: then old servers are tried by copies */
	bool is_scout;     /* sees whether servers that are down are there again */
	bool is_closing;
	struct sm_counts *counts; /* NULL: nobody counts */
	const struct sm_hosts_memory *hosts; /* NULL: nobody remembers */
	void *hosts_context;
	uint32_t n_connections;
	struct {
		struct sm_server server;
		struct sm_connection *connection;
		bool is_dead;
	} connections[SM_CONNECTIONS_MAX];
	bool has_heard;    /* a message of any server, good or not */
	int64_t silence_ns; /* when the silence of a server counted last; 0: never */
	bool is_exhausted; /* a message was lost for want of memory: what is settled says nothing of the name */
	uint32_t n_open;
	uint32_t n_unread; /* tries that have heard something which is not yet read */
	uint32_t n_asked, asked_room;
	struct sm_asked **asked;
};

/* `transport`, `arena` and `servers` must outlive the asker. `name` is a hash of the service's name; `seed` is for the
 * jitter. */
void sm_asker_init(struct sm_asker *asker, const struct sm_transport *transport, struct sm_arena *arena,
                   struct sm_servers *servers, uint32_t name, uint64_t seed);
/* To be called before the arena is cleared. */
void sm_asker_clear(struct sm_asker *asker);

/* Puts question `number` (questions come in the order 0, 1, 2, ...) to the servers of `rule`, which must outlive it.
 * `is_foreign`: the rule does not cover its name; then a server that declines it has not failed.
 * SM_EXHAUSTED: it is not asked, and the next question has the same number. */
enum sm_status sm_asker_ask(struct sm_asker *asker, uint32_t number, const struct sm_question *question,
                            const struct sm_rule *rule, bool is_foreign, int64_t now_ns) SM_MUST_CHECK;
/* Puts a question that has ended in vain to the servers of another rule. */
void sm_asker_ask_again(struct sm_asker *asker, uint32_t number, const struct sm_rule *rule, int64_t now_ns);
/* Has the question ended because its servers say that it is not for them? */
bool sm_asker_was_declined(const struct sm_asker *asker, uint32_t number);

/* The server whose reply settled it, and how long that took; NULL: none has. */
const struct sm_server *sm_asker_winner(const struct sm_asker *asker, uint32_t number, int64_t *ret_took_ns);
/* By whose servers it was answered last. */
const struct sm_rule *sm_asker_rule(const struct sm_asker *asker, uint32_t number);

/* Could any question be sent at all? SM_OK; SM_REFUSED, SM_EXHAUSTED: this process got no socket, see wire/transport.h. */
enum sm_status sm_asker_socket_status(const struct sm_asker *asker);

/* What to poll, at most SM_ASKER_FDS_MAX entries, and until when to wait at most (INT64_MAX: without limit). */
size_t sm_asker_fds(const struct sm_asker *asker, struct pollfd *ret);
int64_t sm_asker_wakes_ns(const struct sm_asker *asker);
/* Handles the polled entries. */
void sm_asker_process(struct sm_asker *asker, const struct pollfd *fds, size_t n, int64_t now_ns);

/* Moves on the tries that have ended, and returns the next question that is settled: SM_OK with its reply, which lives in
 * `room`; SM_SILENT when its tries, SM_REFUSED when its servers are used up; SM_MISS: none at the moment. `ret` is
 * overwritten, and `room` cleared, by every call. */
enum sm_status sm_asker_take(struct sm_asker *asker, int64_t now_ns, struct sm_arena *room, struct sm_reply *ret,
                             uint32_t *ret_number) SM_MUST_CHECK;

/* There is no more time: the next open question of which something is left that is better than nothing. SM_OK with that,
 * SM_MISS: there is none. */
enum sm_status sm_asker_take_remnant(struct sm_asker *asker, struct sm_arena *room, struct sm_reply *ret,
                                     uint32_t *ret_number) SM_MUST_CHECK;

/* The program that waits has lost its patience, and no server has said anything: they have all been silent. */
void sm_asker_note_silence(struct sm_asker *asker, int64_t now_ns);
/* The questions are of no more use, but what their servers still say teaches something. false: nothing is awaited. */
bool sm_asker_listen(struct sm_asker *asker, struct sm_arena *room, int64_t now_ns);
