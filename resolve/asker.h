/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions to servers, until they are settled: which server, how long, and then?
 *
 * A question goes to the servers of its rule in turn. Silence is answered by the next try, each waiting `backoff` times
 * longer than the last, with jitter, `attempts` tries in all; an error (refused, SERVFAIL, a broken or foreign message)
 * is that server's last word in this lookup, and the next server is asked at once. All questions run at the same time.
 *
 * Time and chance are arguments, and a transport carries the questions; nothing here waits, reads a clock or opens a
 * socket. Not for two threads at once. */
#pragma once

#include "base/arena.h"
#include "mesh/expand.h"
#include "wire/transport.h"

#define SM_CONNECTIONS_MAX 16 /* servers used in one lookup: enough for two domains */
#define SM_ASKER_FDS_MAX (SM_CONNECTIONS_MAX * SM_TRANSPORT_FDS_MAX)

struct sm_asked; /* a question and what has become of it */

struct sm_asker {
	const struct sm_transport *transport;
	struct sm_arena *arena; /* the lookup's: questions and tries live in it */
	uint64_t seed;
	uint32_t n_connections;
	struct {
		struct sm_server server;
		struct sm_connection *connection;
		bool is_dead;
	} connections[SM_CONNECTIONS_MAX];
	bool has_heard;    /* a message of any server, good or not */
	bool is_exhausted; /* a message was lost for want of memory: what is settled says nothing of the name */
	uint32_t n_asked, asked_room;
	struct sm_asked **asked;
};

/* `transport` and `arena` must outlive the asker. `seed` is for the jitter. */
void sm_asker_init(struct sm_asker *asker, const struct sm_transport *transport, struct sm_arena *arena, uint64_t seed);
/* To be called before the arena is cleared. */
void sm_asker_clear(struct sm_asker *asker);

/* Puts question `number` (questions come in the order 0, 1, 2, ...) to the servers of `rule`, which must outlive it.
 * SM_EXHAUSTED: it is not asked, and the next question has the same number. */
enum sm_status sm_asker_ask(struct sm_asker *asker, uint32_t number, const struct sm_question *question,
                            const struct sm_rule *rule, int64_t now_ns) SM_MUST_CHECK;

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
