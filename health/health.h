/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which endpoints are up. An endpoint is an address and a port of a target; all names that lead there share what is known of it.
 * Pure: time and chance are arguments.
 *
 *          a connection of this host is not answered;          `fall` failures in a row,
 *          or a probe fails                                     the last one a probe
 *   UP ──────────────────────────────────► DOUBT ─────────────────────────────────► DOWN
 *    ▲   still used                          │  probed at once, then each second       │  probed after the interval, then
 *    └───────────────────────────────────────┴─────────────────────────────────────────┘  after twice as long, to 60 s
 *       a probe is answered, or a connection of this host is made that was not there before the last failure;
 *       while it is down, `rise` times
 *
 * What other users of this host do raises doubts, and no more: any of them can make a living target look silent. */
#pragma once

#include "base/status.h"
#include "mesh/rule.h"

#define SM_ENDPOINTS_MAX 1024  /* watched at a time */
#define SM_PROBES_MAX 64       /* under way at a time */
#define SM_PROBE_GAP_NS (50 * 1000000LL) /* between the beginnings of two probes: 20 in a second */
#define SM_COOKIES_MAX 64      /* connections to one endpoint that are told apart */
#define SM_LIARS_MAX 16        /* connections that raised a doubt in vain */

struct sm_endpoint {
	struct sm_address address;
	uint16_t port;
};

enum sm_health_state {
	SM_HEALTH_UP,
	SM_HEALTH_DOUBT,
	SM_HEALTH_DOWN,
};

/* Why an endpoint is in its state; SILENT to UNKNOWN are also what comes of a probe. */
enum sm_health_reason {
	SM_REASON_NEW,         /* nothing was heard of it yet */
	SM_REASON_BEFORE,      /* srvmeshd has found it so before its start */
	SM_REASON_CONNECTION,  /* seen on a connection of this host */
	SM_REASON_ANSWERED,
	SM_REASON_REFUSED,
	SM_REASON_SILENT,
	SM_REASON_UNREACHABLE, /* a router, or the neighbour's missing answer, says so */
	SM_REASON_UNKNOWN,     /* the probe could not be made: a fault of this host, and no word on the endpoint */
};

/* How an endpoint is judged. Where sections differ, it is probed as often as the one demands that demands most, and judged as
 * slowly as the one demands that demands least. */
struct sm_health_terms {
	enum sm_health_mode mode;
	uint32_t interval_ms, timeout_ms, fall, rise;
};

struct sm_watched {
	struct sm_endpoint is;
	bool is_used;       /* the slot; the rest counts only then */
	bool is_probing;
	struct sm_health_terms terms, next_terms; /* the latter of the census that is under way */
	uint32_t n_names, n_next_names;
	uint32_t counted;   /* the last name of the census that was counted */
	int64_t needed_until_ns; /* names in use lead there until then */

	enum sm_health_state state;
	enum sm_health_reason reason;
	int64_t since_ns;
	uint32_t n_failures;  /* in a row */
	uint32_t n_successes; /* in a row, while it is down */
	uint32_t n_spared;    /* routine probes in a row */
	uint32_t pause_ms;    /* to the next probe, while it is down */
	int64_t due_ns;       /* the next probe; INT64_MAX: none */
	int64_t probed_ns;    /* the last probe began */
	int64_t seen_ns;      /* an open connection was last seen */
	int64_t marked_until_ns; /* what records say; 0: nothing */
	enum sm_health_state told; /* the state that the log knows */

	/* the connections that were open after the last failure, by the kernel's number for each */
	bool has_cookies;
	uint32_t n_cookies;
	uint64_t cookies[SM_COOKIES_MAX];

	/* connections whose doubt a probe has refuted: they never get an answer, whatever the endpoint does */
	int64_t refuted_ns;      /* the last time */
	uint64_t doubted_by;     /* the connection that raised the present doubt */
	uint32_t n_liars;        /* so far; the array is a ring */
	uint64_t liars[SM_LIARS_MAX];
};

struct sm_health {
	uint64_t seed;
	uint32_t n, n_probing;
	uint32_t top;          /* no endpoint is at or above it */
	uint32_t census;       /* the number of the name that is being counted */
	int64_t may_probe_ns;  /* not before */
	bool is_others_turn;   /* of two probes one goes to what has waited longest, doubt or not */
	int64_t lag_ns;        /* how long it may take until records follow: set by the caller */
	uint64_t n_turned_away; /* endpoints that were not watched, because too many were; since the last census */
	struct sm_watched known[SM_ENDPOINTS_MAX];
	uint16_t slots[2 * SM_ENDPOINTS_MAX]; /* a hash table of indexes, + 1; 0: free */
};

void sm_health_init(struct sm_health *health, uint64_t seed);

/* NULL: not watched. */
struct sm_watched *sm_health_find(struct sm_health *health, const struct sm_endpoint *endpoint);
/* Names in use lead there until `until_ns`; the first probe of a new one comes at a random moment of its interval. NULL: too many
 * are watched. */
struct sm_watched *sm_health_watch(struct sm_health *health, const struct sm_endpoint *endpoint,
                                   const struct sm_health_terms *terms, int64_t until_ns, int64_t now_ns);
/* A new endpoint is known to be down: a record says so that was written before the start. */
void sm_health_adopt(struct sm_health *health, struct sm_watched *watched, int64_t now_ns);

/* A census goes through all names: begin; for each name sm_health_next_name, and for each of its endpoints sm_health_watch, then
 * sm_health_count; end. Then terms and numbers of names are exact, and what no name in use leads to is forgotten. */
void sm_health_begin_census(struct sm_health *health);
void sm_health_next_name(struct sm_health *health);
/* true: it is the first name of this census that leads there. */
bool sm_health_count(struct sm_health *health, struct sm_watched *watched, const struct sm_health_terms *terms);
void sm_health_end_census(struct sm_health *health, int64_t now_ns);

/* A connection of this host, by the kernel's number for it, waits for an answer from there, and has asked twice. */
void sm_health_doubt(struct sm_watched *watched, uint64_t cookie, int64_t now_ns);
/* Is it to be looked up in the list of open connections? */
bool sm_health_wants_connections(const struct sm_watched *watched, int64_t now_ns);
/* All open connections of this host to it, by the kernel's number for each. `is_whole`: there are no more. */
void sm_health_connections(struct sm_health *health, struct sm_watched *watched, const uint64_t *cookies, uint32_t n,
                           bool is_whole, int64_t now_ns);

/* A probe to begin now. NULL: none, or the budget is used up. */
struct sm_watched *sm_health_begin_probe(struct sm_health *health, int64_t now_ns);
/* What came of it: ANSWERED or later. */
void sm_health_end_probe(struct sm_health *health, struct sm_watched *watched, enum sm_health_reason result, int64_t now_ns);
/* When the next probe may begin; INT64_MAX: none is due. */
int64_t sm_health_wakes_ns(const struct sm_health *health);

/* The host's network is another one: what is down is soon probed. */
void sm_health_network_changed(struct sm_health *health, int64_t now_ns);

/* Gives marks that are near their end a new one. true: some mark has changed, or is new, or is over: records must follow. */
bool sm_health_set_marks(struct sm_health *health, int64_t now_ns);
/* When sm_health_set_marks next has a mark to renew. */
int64_t sm_health_renews_ns(const struct sm_health *health);
