/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The store that hosts share, a Redis or Valkey: a connection to it, the commands under way, and when it is better left alone.
 * What is kept there, and what it means, is daemon/shared.h's.
 *
 * Commands go out together, before the loop waits, and are answered in their order. A server of RESP 3 sends what hosts
 * publish on the same connection; one of RESP 2 needs a second one for that. */
#pragma once

#include "base/status.h"
#include "conf/keys.h"
#include "conf/secret.h"
#include "daemon/loop.h"
#include "stream/stream.h"
#include "tier/breaker.h"
#include "tier/resp.h"

#define SM_STORE_KEY_MAX (SM_WORD_MAX + 48)
#define SM_STORE_MESSAGES "256" /* that it keeps */
#define SM_STORE_WRITES_MAX 1024 /* under way; more are dropped */

/* What a command's answer goes to; a member of its user's. */
struct sm_store_waiter {
	uint32_t n_under_way;
	/* Of a read. `bytes` NULL: nothing is kept there. `left_ms`: until the store drops it; negative: not known. */
	void (*on_value)(struct sm_store_waiter *waiter, const void *bytes, size_t size, int64_t left_ms);
	/* Of a claim, or of a message for all. */
	void (*on_done)(struct sm_store_waiter *waiter, bool is_done);
	/* Of any: no answer in time, or an error. */
	void (*on_lost)(struct sm_store_waiter *waiter);
};

enum sm_store_command {
	SM_STORE_READ_TIME, /* goes before each READ */
	SM_STORE_READ,
	SM_STORE_CLAIM,
	SM_STORE_WRITE,
	SM_STORE_TELL,
	SM_STORE_IGNORED, /* the answer does not matter */
	SM_STORE_HELLO,
	SM_STORE_LOG_IN,
	SM_STORE_SUBSCRIBE,
	SM_STORE_LIST,
};

/* A command under way. */
struct sm_store_sent {
	enum sm_store_command command;
	bool is_late;
	struct sm_store_waiter *waiter; /* NULL: nobody waits any more */
	int64_t sent_ns;
};

enum sm_store_state {
	SM_STORE_OFF,
	SM_STORE_AWAY,     /* not connected */
	SM_STORE_GREETING, /* connected, and not yet ready for jobs */
	SM_STORE_READY,
};

enum sm_store_message {
	SM_STORE_PUBLISHED,
	SM_STORE_OLDEST, /* of the list of those that were published before, the first, */
	SM_STORE_KEPT,   /* and each other one */
};

struct sm_store_events {
	void (*on_message)(void *context, enum sm_store_message which, const void *bytes, size_t size);
	/* All earlier messages are heard: jobs may use the store. `is_full`: there may have been more. */
	void (*on_ready)(void *context, bool is_full);
};

#define SM_STORE_ERRORS_MAX 16

struct sm_store {
	uv_loop_t *loop; /* set by the user, as all up to `context` */
	const struct sm_store_events *events;
	void *context;

	struct sm_shared_conf conf; /* a copy */
	char password[SM_SECRET_MAX + 1];
	char messages[SM_STORE_KEY_MAX]; /* the channel, and the list of the last messages */
	enum sm_store_state state;
	uint32_t road;                    /* which of the roads is taken */
	bool is_told_away;
	bool hears;                    /* what hosts publish; else the list is read again and again */
	int64_t listens_ns, lists_ns;  /* when the second connection was made, and when the list is read again */
	struct sm_stream *stream, *listening; /* `listening`: for messages, in RESP 2; NULL: not needed, in RESP 3 */
	struct sm_breaker breaker;
	struct sm_store_sent *sent; /* a ring */
	uint32_t first_sent, n_sent, n_writes;
	int64_t left_ms;            /* the answer to the last READ_TIME */
	char told[SM_STORE_ERRORS_MAX][16]; /* first words of errors that the log has */
	uint32_t n_told;
	uint64_t n_reads, n_lost, n_written, n_dropped;

	int sockets_fd; /* an epoll of both connections */
	uv_poll_t sockets;
	uv_timer_t waking;
};

/* Once; and after it as often as the configuration changes, sm_store_open. */
void sm_store_start(struct sm_store *store);
void sm_store_stop(struct sm_store *store);

/* Connects as soon as the loop goes on, and keeps the connection. `conf` and `password` are copied. SM_EXHAUSTED. */
enum sm_status sm_store_open(struct sm_store *store, const struct sm_shared_conf *conf, const char *password) SM_MUST_CHECK;
/* Waiters are told that their answers are lost. */
void sm_store_close(struct sm_store *store);

/* Whether a job should ask, and wait. */
enum sm_breaker_way sm_store_way(struct sm_store *store, int64_t now_ns);

/* Each of these sends a command; `key` is whole, with the namespace. SM_FULL: it is not ready, or too much is under way;
 * nobody is told then. */
enum sm_status sm_store_read(struct sm_store *store, const char *key, struct sm_store_waiter *waiter) SM_MUST_CHECK;
/* Done: nobody else has claimed it within the last `ms`. */
enum sm_status sm_store_claim(struct sm_store *store, const char *key, uint32_t ms, struct sm_store_waiter *waiter) SM_MUST_CHECK;
enum sm_status sm_store_write(struct sm_store *store, const char *key, const void *value, size_t size, uint64_t ms) SM_MUST_CHECK;
/* Publishes a message, and keeps it for `ms` for hosts that do not hear it now. */
enum sm_status sm_store_tell(struct sm_store *store, const void *message, size_t size, uint64_t ms,
                             struct sm_store_waiter *waiter) SM_MUST_CHECK;
/* The waiter is told nothing more. */
void sm_store_forget(struct sm_store *store, struct sm_store_waiter *waiter);

/* Before the loop waits: sends what is to be sent. */
void sm_store_before_waiting(struct sm_store *store);

/* "up", "slow", "down", or "off", */
const char *sm_store_word(const struct sm_store *store);
/* and which road is taken, as it is written in the configuration. */
void sm_store_road(const struct sm_store *store, char ret[SM_PATH_MAX + 16]);
