/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions and their tries, as resolve/asker.c and resolve/try.c share them: the one decides when to send, the other sends
 * and reads. */
#pragma once

#include "resolve/asker.h"

/* One sending of a question to one server. */
struct sm_try {
	struct sm_asked *asked;
	const struct sm_rule *rule; /* that its server is of */
	struct sm_try *next; /* the one before it */
	struct sm_sent sent;
	uint8_t server;
	bool is_copy;    /* only to see whether the server is there again */
	bool is_plain;   /* without EDNS0 */
	bool is_waiting; /* nothing has come yet; it may come as long as the connection is open */
	bool is_unread;
	bool is_counted; /* its silence */
	enum sm_status status;
	uint8_t *message; /* owned */
	size_t message_size;
	uint8_t *remnant; /* a message that was cut, and whose whole has not come; owned; NULL: none */
	size_t remnant_size;
};

struct sm_asked {
	struct sm_asker *asker;
	struct sm_question question;
	const struct sm_rule *rule, *first_rule; /* by whose servers it is asked, and was asked first */
	bool is_open, is_foreign, is_scout, is_declined;
	uint8_t n_hedges;        /* sendings before `timeout` beside the first */
	uint64_t number;         /* for their count */
	uint8_t order[SM_SERVERS_MAX];
	uint32_t n_sent;         /* in this order, round and round; without copies */
	uint8_t failed, declined, plain; /* servers that said their last word; that said it is not for them; a bit each */
	uint8_t vacant;          /* servers that said nothing at all with their message */
	int64_t began_ns, next_ns, gap_ns;
	int64_t hedged_ns;       /* the first hedge */
	int64_t ends_ns;         /* the tries are over; sooner where only the whole of a message that was cut is waited for */
	const struct sm_server *winner; /* whose reply settled it; NULL: none yet */
	int64_t took_ns;         /* that reply, from its sending on */
	struct sm_try *newest;      /* of the rule, without copies */
	struct sm_try *tries;       /* all, the last one first */
};

/* A place for question `number`, which is not open yet; NULL: no memory. */
struct sm_asked *sm_asker_place(struct sm_asker *asker, uint32_t number, const struct sm_question *question,
                                const struct sm_rule *rule);

static inline const struct sm_server *sm_try_server(const struct sm_try *try)
{
	return &try->rule->servers[try->server];
}

static inline bool sm_asked_has_failed(const struct sm_asked *asked, uint32_t server)
{
	return asked->failed & 1U << server;
}

static inline void sm_asked_fail(struct sm_asked *asked, uint32_t server)
{
	asked->failed |= (uint8_t)(1U << server);
}

/* Was it waited for when the first hedge was sent? */
bool sm_try_is_hedged(const struct sm_try *try);
/* Where the question cannot be sent, the server has failed for this lookup, and is not to blame. */
void sm_try_send(struct sm_asked *asked, uint32_t server, bool is_copy, int64_t now_ns);
/* May it still be answered? Not if the connection is gone. */
bool sm_try_is_hopeful(const struct sm_try *try);
/* When its silence counts; INT64_MAX: it is heard, or counted. */
int64_t sm_try_counts_ns(const struct sm_try *try);
void sm_try_count(struct sm_try *try, int64_t now_ns);
/* Reads what it has heard, and takes note of what that says of the server. With SM_HEARD_GOOD `ret` is the reply. */
enum sm_heard sm_try_read(struct sm_try *try, struct sm_arena *room, struct sm_reply *ret, int64_t now_ns);
/* Reads the message that was cut, if there is one, and if it holds any of the answer. */
bool sm_try_read_remnant(const struct sm_try *try, struct sm_arena *room, struct sm_reply *ret);
/* Sends the question once more without EDNS0, where the server rejects it with EDNS0. false: there is no reason to. */
bool sm_try_goes_on_plain(struct sm_try *try, enum sm_heard what, const struct sm_reply *reply, int64_t now_ns);
