/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One name resolved by DNS, from the question to the answer, inside one deadline. Time is an argument: drive
 * the lookup from your own loop, or let sm_lookup_run wait. Not for two threads at once. */
#pragma once

#include "base/random.h"
#include "mesh/expand.h"
#include "resolve/asker.h"
#include "resolve/source.h"

struct sm_lookup; /* grows with what it holds: some KiB for three targets, beside what the transport takes */

#define SM_LOOKUP_GRACE_NS (50 * 1000000LL) /* the resolution delay of RFC 8305 */

/* What a lookup works with; all must outlive it. */
struct sm_lookup_means {
	const struct sm_transport *transport;
	const struct sm_rules *rules; /* they find the servers for targets elsewhere */
	struct sm_servers *servers;   /* what is known of servers */
	/* What the kernel says of this host's network, valid until the lookup's caller goes on; it may return NULL, and may be
	 * NULL: then the lookup learns it where it needs it. */
	const struct sm_network *(*network)(void *context);
	/* How glibc sorts on this host. It may return NULL, and may be NULL: then addresses stay without ranks. */
	const struct sm_policies *(*policies)(void *context);
	/* Where to ask for what the servers of the service decline. May be NULL: rules->elsewhere; may return NULL: nowhere. */
	const struct sm_rule *(*elsewhere)(void *context);
	void *context;
	uint8_t needs;   /* families that a program wants alone, although they may be left out otherwise */
	uint8_t keeps;   /* families that the last answer held */
	bool is_plain;   /* the name had no SRV the last time */
	bool listens_on; /* sm_lookup_listen is called when it is finished */
	struct sm_counts *counts; /* NULL: nobody counts */
	const struct sm_hosts_memory *hosts; /* with `context`; NULL: nobody remembers */
	/* What was known of the service before, decoded into the arena, if it may still serve; NULL: nothing. May be NULL. Where
	 * it is taken, SRV records that come later are the next lookup's. */
	const struct sm_answer *(*old)(void *context, struct sm_arena *arena);
	struct sm_random_reserve *random; /* may be NULL */
	bool is_scout;   /* where all servers are down, it asks each of them once, and waits for `timeout` */
};

/* `rule` is the rule of `name`, and outlives the lookup. Where the rule says `family = auto`, families that this host has no
 * address of are left out. Once all addresses of `families` are known, the others are waited
 * for no longer than SM_LOOKUP_GRACE_NS.
 * SM_EXHAUSTED. */
enum sm_status sm_lookup_open(const struct sm_lookup_means *means, const struct sm_rule *rule, const struct sm_name *name,
                              uint8_t families, int64_t deadline_ns, struct sm_lookup **ret) SM_MUST_CHECK;
void sm_lookup_close(struct sm_lookup *lookup);

/* Has its deadline passed, and does it go on with the targets of old? Whoever waits should get what is old. */
bool sm_lookup_is_extended(const struct sm_lookup *lookup);

/* Another deadline, for a lookup that has waited before it was advanced for the first time. */
void sm_lookup_begin_again(struct sm_lookup *lookup, int64_t deadline_ns);

/* Goes on as far as it can without waiting. true: finished, also if the deadline has passed. */
bool sm_lookup_advance(struct sm_lookup *lookup, int64_t now_ns);
/* Until it is finished: what to poll (at most SM_ASKER_FDS_MAX entries), until when, and how to handle the result. */
size_t sm_lookup_fds(const struct sm_lookup *lookup, struct pollfd *ret);
int64_t sm_lookup_wakes_ns(const struct sm_lookup *lookup);
void sm_lookup_process(struct sm_lookup *lookup, const struct pollfd *fds, size_t n, int64_t now_ns);

/* Are all addresses of these families known? If so, sm_lookup_answer gives the answer known so far, and the rest
 * goes on. */
bool sm_lookup_is_settled(const struct sm_lookup *lookup, uint8_t families);

/* Waits with poll until it is finished; never past the deadline, and goes on after a signal. Returns
 * sm_lookup_status. */
enum sm_status sm_lookup_run(struct sm_lookup *lookup) SM_MUST_CHECK;

/* To be called when it is finished. SM_REFUSED: a sandbox forbids this process to open sockets, or to wait for them.
 * SM_EXHAUSTED: the process lacks something, such as a free descriptor. In both cases the answer says nothing about the
 * name. */
enum sm_status sm_lookup_status(const struct sm_lookup *lookup) SM_MUST_CHECK;

/* The answer of what is known, with ranks where there are several addresses; lives until the lookup is advanced or asked again.
 * SM_EXHAUSTED: no memory for it. */
enum sm_status sm_lookup_answer(struct sm_lookup *lookup, struct sm_answer **ret) SM_MUST_CHECK;

/* Asks for families that were left out, until `deadline_ns`; then the lookup is to be advanced again, even if it was
 * finished. false: there is nothing to ask for. */
bool sm_lookup_widen(struct sm_lookup *lookup, uint8_t families, int64_t deadline_ns);
/* The families that some target was not asked for. */
uint8_t sm_lookup_unasked(const struct sm_lookup *lookup);
/* The families that complete glue made superfluous for the moment, and that this host has a use for. */
uint8_t sm_lookup_left_out(struct sm_lookup *lookup);

/* Bytes that it holds at the moment, beside the transport. */
size_t sm_lookup_held(const struct sm_lookup *lookup);

/* Has every question that failed been answered, but badly? */
bool sm_lookup_was_answered_badly(const struct sm_lookup *lookup);
/* When the silence of a server counted last, if none has been heard; else 0. */
int64_t sm_lookup_silence_ns(const struct sm_lookup *lookup);
/* The program that waits has lost its patience: servers that have said nothing at all have been silent. */
void sm_lookup_note_silence(struct sm_lookup *lookup, int64_t now_ns);
/* When it is finished, and its answer used: servers that are still silent may be heard, or counted as silent. false:
 * none is left. Until then as above: sm_lookup_fds, and sm_lookup_wakes_ns, which is then never later than `timeout`. */
bool sm_lookup_listen(struct sm_lookup *lookup, int64_t now_ns);
