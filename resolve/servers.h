/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of each server, from one lookup to the next: how fast it answers, whether it does, and when to try it
 * again. A lookup is given the memory and writes into it; srvmeshd has one, a process has one. DESIGN: servers that fail.
 *
 *                    heard ◄──────────────────────────────────────────── a good message forgives everything
 *                      │
 *   usable ──hedge won─┼─► overtaken ──silent for `timeout`─► backing off ──its time has come──► asked again
 *      └──two failures, or silent on two names──────────────►    1 s, 2 s, 4 s ... 30 s
 *
 * A message from a server shows that an older silence was not the server's: it does not count. A burst of questions that
 * time out together counts as one, because each failure counts from what was known when the question was sent.
 *
 * Pure: times are those of base/clock.h, and arguments. Not for two threads at once. */
#pragma once

#include "base/status.h"
#include "mesh/rule.h"

#define SM_SERVERS_KNOWN_MAX 64 /* of all rules together; the one unused for longest gives way */
#define SM_HEDGE_WINDOW 100     /* questions over which hedges are counted */

/* One server. Its address, port and transport are its name. */
struct sm_server_known {
	struct sm_server server;
	bool is_overtaken;     /* another server answered a question meanwhile; not heard since */
	bool speaks_edns;      /* it has answered a question with EDNS0 */
	uint8_t n_plain;       /* answers without EDNS0 in a row to what it had not answered with it */
	uint8_t n_failures;    /* in a row */
	uint8_t n_poor;        /* SERVFAILs since the last good message: each half a failure */
	uint8_t n_names;       /* different names on which it was silent since it was last heard; counted up to 2 */
	uint32_t names[2];     /* their hashes */
	uint32_t srtt_us, var_us; /* RFC 6298; srtt_us 0: not known */
	uint32_t backoff_ms;   /* 0: usable; else how long it stays unused after its last failure */
	int64_t retry_ns;      /* while backing off: its time comes */
	int64_t overtaken_ns;
	int64_t probed_ns;     /* a probe is under way until then */
	int64_t heard_ns;      /* any message, */
	int64_t good_ns;       /* and a good one */
	int64_t silent_ns;     /* the last silence that counted, or that nobody listened, */
	int64_t since_ns;      /* and the first one since it was heard */
	int64_t back_ns;       /* heard again after it was backing off for silence */
	int64_t scouted_ns;    /* asked although all servers of a rule were down */
	int64_t plain_ns;      /* asked without EDNS0 until then */
	int64_t changed_ns;
};

struct sm_servers {
	uint64_t seed; /* of the jitter */
	uint64_t n_questions;
	uint32_t n_hedges; /* of the last SM_HEDGE_WINDOW questions, */
	uint8_t hedges[SM_HEDGE_WINDOW]; /* and of each */
	uint64_t n_changes;   /* of what matters to other processes: no round trip times */
	uint64_t n_overtaken; /* how often a server was overtaken: what waits there may move on */
	uint32_t n;
	struct sm_server_known known[SM_SERVERS_KNOWN_MAX];
};

/* A question as it was sent: what was then known of its server. */
struct sm_sent {
	int64_t at_ns;
	uint32_t backoff_ms;
	uint8_t n_failures;
};

/* Nothing is known. `seed` is for the jitter. A memory of zeros is as good. */
void sm_servers_init(struct sm_servers *servers, uint64_t seed);
/* NULL: nothing is known of it. */
const struct sm_server_known *sm_servers_find(const struct sm_servers *servers, const struct sm_server *server);
/* Takes over one server, if that is known later than what is here. */
void sm_servers_learn(struct sm_servers *servers, const struct sm_server_known *known);
/* Takes over what `from` knows later. */
void sm_servers_merge(struct sm_servers *servers, const struct sm_servers *from);
/* The network has changed: no failure says anything any more. The time of every server has come. */
void sm_servers_forget_network(struct sm_servers *servers, int64_t now_ns);

/* ---- whom to ask */

/* The servers of the rule by their index, in the order in which to ask them: the usable as configured; behind them those
 * that are overtaken or far slower than the best; then those that are backing off. `tries_due`: one whose time has come
 * stands first, once. Writes rule->n_servers numbers. */
void sm_servers_order(struct sm_servers *servers, const struct sm_rule *rule, bool tries_due, int64_t now_ns,
                      uint8_t ret[SM_SERVERS_MAX]);
/* Has the time come to try this server again beside the others? true once; the probe is then under way for `timeout`. */
bool sm_servers_take_probe(struct sm_servers *servers, const struct sm_rule *rule, uint32_t index, int64_t now_ns);
/* How long to wait for this server before the next one is asked, too. */
int64_t sm_servers_hedge_ns(const struct sm_servers *servers, const struct sm_rule *rule, uint32_t index, int64_t now_ns);
/* What a question to this server usually takes, and is sure to have taken (RFC 6298); 0: not known. */
int64_t sm_servers_usual_ns(const struct sm_servers *servers, const struct sm_server *server);
bool sm_servers_is_backing_off(const struct sm_servers *servers, const struct sm_server *server);
/* Has the server become worse than others since the question was sent? */
bool sm_servers_is_worse_since(const struct sm_servers *servers, const struct sm_server *server, int64_t sent_ns);
/* Is anything known of how fast servers of the rule answer? */
bool sm_servers_is_known(const struct sm_servers *servers, const struct sm_rule *rule);
/* Is the server to be asked without EDNS0? */
bool sm_servers_is_plain(const struct sm_servers *servers, const struct sm_server *server, int64_t now_ns);

/* Hedges are bounded: a tenth of SM_HEDGE_WINDOW questions. `number` is that of the question; hedges of a
 * question that its first server has not answered are taken out again. */
uint64_t sm_servers_count_question(struct sm_servers *servers);
bool sm_servers_may_hedge(const struct sm_servers *servers);
void sm_servers_count_hedges(struct sm_servers *servers, uint64_t number, uint8_t n);

/* ---- what has happened */

struct sm_sent sm_servers_sent(struct sm_servers *servers, const struct sm_server *server, int64_t now_ns);

enum sm_heard {
	SM_HEARD_GOOD,        /* a settling message */
	SM_HEARD_ALIVE,       /* a message that says nothing against it: it declines what is not its own */
	SM_HEARD_POOR,        /* SERVFAIL */
	SM_HEARD_BAD,         /* it refuses, or cannot be understood */
	SM_HEARD_UNREACHABLE, /* no message: the network says that nobody listens */
};

void sm_servers_heard(struct sm_servers *servers, const struct sm_server *server, const struct sm_sent *sent,
                      enum sm_heard what, int64_t now_ns);
/* `name`: a hash of the service's name. */
void sm_servers_silent(struct sm_servers *servers, const struct sm_server *server, const struct sm_sent *sent,
                       uint32_t name, int64_t now_ns);
/* Another server has answered the question. */
void sm_servers_overtaken(struct sm_servers *servers, const struct sm_server *server, const struct sm_sent *sent,
                          int64_t now_ns);
/* It answered with EDNS0. */
void sm_servers_note_edns(struct sm_servers *servers, const struct sm_server *server, int64_t now_ns);
/* It answered without EDNS0 what it rejected with it; or what it had not answered with it, which may be a lost packet, and so
 * counts from the second time on. */
void sm_servers_note_plain(struct sm_servers *servers, const struct sm_server *server, bool has_rejected, int64_t now_ns);

/* ---- the rule as a whole */

#define SM_SCOUT_PAUSE_NS 1000000000LL /* while all servers of a rule are down, one name asks them so often */

/* May a name ask them all the same? true once in SM_SCOUT_PAUSE_NS; `if_due`: and only where the time of one has come. */
bool sm_servers_take_scout(struct sm_servers *servers, const struct sm_rule *rule, bool if_due, int64_t now_ns);
