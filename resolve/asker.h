/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions to servers, until they are settled: which server, how long, and then?
 *
 * A question goes to the servers of its rule in turn. Silence is answered by the next try, each waiting `backoff` times
 * longer than the last, with jitter, `attempts` tries in all; an error (refused, SERVFAIL, a broken or foreign message)
 * is that server's last word in this lookup, and the next server is asked at once. All questions run at the same time.
 * Time is an argument; nothing here waits. */
#pragma once

#include "mesh/expand.h"
#include "resolve/channel.h"

#define SM_CHANNELS_MAX 16 /* servers that one lookup talks to: two domains' worth */
#define SM_TRIES_MAX 16    /* the upper bound of `attempts` */
#define SM_ASKER_FDS_MAX (SM_CHANNELS_MAX * SM_CHANNEL_FDS_MAX)

struct sm_asker;

/* One sending of a question to one server. */
struct sm_try {
	struct sm_asker *asker;
	uint32_t question;
	uint8_t server;
};

struct sm_asked {
	struct sm_question question;
	const struct sm_rule *rule;
	bool is_open;
	enum sm_status outcome; /* SM_OK: a try is running */
	uint8_t server;    /* of the current try */
	uint8_t next;      /* the server whose turn is next */
	uint8_t failed;    /* servers that said their last word, a bit each */
	uint8_t n_silent;  /* tries that silence has ended */
	uint8_t n_tries;
	int64_t try_ends_ns;
	uint8_t *message; /* what came and is not yet read; owned */
	size_t message_size;
	uint8_t heard_from;
	struct sm_try tries[SM_TRIES_MAX + SM_SERVERS_MAX];
};

struct sm_asker {
	uint32_t n_channels;
	struct {
		struct sm_server server;
		struct sm_channel *channel;
		bool is_dead;
	} channels[SM_CHANNELS_MAX];
	bool has_heard; /* a message of any server, good or not */
	uint32_t n_asked;
	struct sm_asked asked[SM_QUESTIONS_MAX];
};

void sm_asker_init(struct sm_asker *asker);
void sm_asker_clear(struct sm_asker *asker);

/* Puts question `number` (questions come in the order 0, 1, 2, ...) to the servers of `rule`, which must outlive it. */
void sm_asker_ask(struct sm_asker *asker, uint32_t number, const struct sm_question *question,
                  const struct sm_rule *rule, int64_t now_ns);

/* Could anything be asked at all? SM_OK; SM_REFUSED, SM_MEMORY: this process got no socket, see channel.h. */
enum sm_status sm_asker_socket_status(const struct sm_asker *asker);

/* What to poll, at most SM_ASKER_FDS_MAX entries, and when to come back at the latest (INT64_MAX: no need). */
size_t sm_asker_fds(const struct sm_asker *asker, struct pollfd *ret);
int64_t sm_asker_wakes_ns(const struct sm_asker *asker);
/* Takes up polled entries. */
void sm_asker_process(struct sm_asker *asker, const struct pollfd *fds, size_t n);

/* Moves on the tries that have ended, and returns the next question that is settled: SM_OK with its reply; SM_SILENT when
 * its tries, SM_REFUSED when its servers are used up; SM_MISS: none at the moment. `ret` is overwritten by every call. */
enum sm_status sm_asker_take(struct sm_asker *asker, int64_t now_ns, struct sm_reply *ret,
                             uint32_t *ret_number) SM_MUST_CHECK;
