/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a service name to its addresses: a state machine without loop, clock or network.
 *
 * It hands out questions, takes replies in any order, and can give the best answer known so far at any moment:
 *
 *   SRV of template 1, 2, ... ──found──► addresses of the targets (glue first, the rest asked all at once)
 *              └──none exists──► addresses of the name itself (fallback = address)
 *
 * Where the rule filters or prefers by metadata, the TXT records of the targets, or of the SRV owner, are asked for together
 * with the addresses.
 * Of a name that had no SRV the last time, the addresses are asked together with the last template. CNAMEs are followed
 * inside a message. Where the message ends before the chain, or another section's servers know better, the last name is
 * asked for again. */
#pragma once

#include "base/arena.h"
#include "mesh/answer.h"
#include "mesh/reply.h"
#include "mesh/rule.h"

#define SM_QUESTIONS_MAX 4096 /* per lookup: 1,024 targets in two families with their metadata, aliases, templates */
#define SM_HOPS_MAX 8       /* CNAMEs followed by asking again, per chain */

struct sm_question {
	const char *name; /* lives as long as the expansion */
	enum sm_rr_type type;
	bool is_owner; /* an SRV owner that a template gave; any other name may belong to any domain */
};

#define SM_NO_HOST UINT16_MAX /* the question is for an SRV owner */
#define SM_NO_ADDRESS UINT32_MAX

/* What TXT records say of a host, or of the SRV owner. */
struct sm_expand_metadata {
	bool is_asked;
	bool is_known; /* also that there is none */
	bool is_cut;   /* there is more than SM_METADATA_MAX */
	uint16_t size;
	uint8_t *strings; /* with room for SM_METADATA_MAX; NULL: none */
	uint32_t negative_ttl_s; /* of the denial; UINT32_MAX: none, or it does not say it */
};

/* A host whose addresses are wanted; targets with the same name share it. */
struct sm_expand_host {
	const char *name;
	const char *canonical;    /* where its CNAMEs lead; NULL: it has none, or that is no host name */
	uint32_t hash;
	bool is_used;             /* by a target; not, as long as the name's own addresses are asked on a guess */
	bool is_glue_judged, has_good_glue; /* may its glue be believed? */
	bool has_enough;          /* its glue is complete: it is not asked for */
	uint8_t families;         /* of its addresses */
	uint8_t asked_families;
	uint8_t missing_families; /* the name does not exist */
	uint8_t failed_families;  /* no server could say */
	uint8_t cut_families;     /* not all is known because of our bounds */
	uint32_t ttl_s;           /* the smallest of its addresses, and of the CNAMEs on the way to them */
	uint32_t negative_ttl_s;  /* of denials, as in struct sm_expand */
	bool has_bare_denial;
	struct sm_expand_metadata metadata;
	uint32_t first_address, last_address; /* SM_NO_ADDRESS: none */
};

struct sm_expand_question {
	struct sm_question asks;
	uint16_t host;
	uint8_t hops;
	bool is_done;
};

struct sm_expand_target {
	struct sm_target is;
	uint16_t host;
};

struct sm_expand_address {
	struct sm_address is;
	uint32_t next; /* of the same host */
};

/* What the lookup knows, and the expansion asks for. */
struct sm_expand_means {
	uint8_t families; /* that this host has a use for; the others are left out */
	uint8_t keeps;    /* families that the last answer held, because some program had a use for them */
	uint8_t needs;    /* families that a program wants alone: glue of others is not enough. 0: any */
	bool is_plain;    /* the name had no SRV the last time */
	uint64_t seed;
	/* May the reply to the question `number` speak for this name? */
	bool (*believes)(void *context, uint32_t number, const char *name);
	bool (*reaches)(void *context, const struct sm_address *address);
	/* Will this question be answered without being sent, and lead to no other? Then it is asked, although glue would be
	 * enough. May be NULL: no. */
	bool (*remembers)(void *context, const struct sm_question *question);
	/* What was known of the service before, if it may still serve; lives as long as the expansion. May be NULL. */
	const struct sm_answer *(*old)(void *context);
	void *context;
};

/* The fields are the machine's own. The arrays grow in the arena. */
struct sm_expand {
	struct sm_arena *arena;
	const struct sm_rule *rule;
	struct sm_expand_means means;
	struct sm_name name;
	uint32_t template;
	bool is_fallback; /* no SRV: the only host is the name itself */
	bool is_glue_enough; /* but for what a program wants alone */
	bool is_denied;   /* the SRV target "." */
	bool is_failed;   /* no server answered for the SRV owner */
	const struct sm_answer *old; /* whose targets are asked for, because nobody tells today's; NULL: they are today's */
	bool is_remnant;  /* some reply is only what was left of one */
	bool is_cut;      /* some question was not asked: a bound was reached, or its name is no host name */
	bool has_other_ports; /* some targets were left out because of the rule's port */
	uint16_t n_cut;       /* targets that were left out because of our bounds */
	uint32_t ttl_s;           /* of the SRV records, and of the CNAMEs on the way to them */
	uint32_t negative_ttl_s;  /* of the denials that say how long they live; UINT32_MAX: none does */
	bool has_bare_denial;     /* one without a SOA */
	const char *owner;        /* that has the SRV records; NULL: not known yet */
	struct sm_expand_metadata metadata; /* of the owner */

	uint32_t n_questions, questions_room, n_handed_out, n_open;
	struct sm_expand_question *questions;
	uint32_t n_targets, targets_room;
	struct sm_expand_target *targets;
	uint32_t n_hosts, hosts_room;
	struct sm_expand_host *hosts;
	uint32_t n_addresses, addresses_room;
	struct sm_expand_address *addresses;
};

static inline void sm_expand_lower(uint32_t *least, uint32_t value)
{
	if (value < *least)
		*least = value;
}

/* All families that may be asked for. */
static inline uint8_t sm_expand_wanted_families(const struct sm_expand *expand)
{
	return expand->means.families | expand->means.keeps | expand->means.needs;
}

/* Begins; `rule`, `arena` and what `means` points to must outlive the expansion. What does not fit into the arena counts as
 * cut by a bound. */
void sm_expand_init(struct sm_expand *expand, const struct sm_rule *rule, const struct sm_name *name,
                    const struct sm_expand_means *means, struct sm_arena *arena);

/* The next question that was not yet handed out, and the number to answer it with. SM_MISS: none at the moment. */
enum sm_status sm_expand_next(struct sm_expand *expand, struct sm_question *ret, uint32_t *ret_number) SM_MUST_CHECK;

/* The result of a question: a reply (NOERROR or NXDOMAIN; read, not kept), or that no server could answer it. */
void sm_expand_reply(struct sm_expand *expand, uint32_t number, const struct sm_reply *reply);
void sm_expand_failed(struct sm_expand *expand, uint32_t number);

/* A program wants these families alone, or the others of an answer without them shall be known, too: asks for what was left
 * out. */
void sm_expand_widen(struct sm_expand *expand, uint8_t families);
/* Families that are asked for only because a program wants them, or wanted them: where they fail, the rest is whole. */
uint8_t sm_expand_extra_families(const struct sm_expand *expand);
/* Families that some host was not asked for. */
uint8_t sm_expand_unasked_families(const struct sm_expand *expand);

/* There is no more time for the SRV records: the targets of old are asked for, if there are any. false: nothing has changed. */
bool sm_expand_settle_for_old(struct sm_expand *expand);
/* Nor is there any for their addresses: those of old stay. */
void sm_expand_end_with_old(struct sm_expand *expand);

/* Is an address known of any target? */
bool sm_expand_has_addresses(const struct sm_expand *expand);

/* No question is open: the answer is final. Until then sm_expand_answer counts open questions as failed. */
bool sm_expand_is_finished(const struct sm_expand *expand);
/* The only open questions, if any, are for addresses of other families than these, or for metadata by which the rule does not
 * filter. */
bool sm_expand_is_settled(const struct sm_expand *expand, uint8_t families);
/* The arrays of the answer live in `room`, the targets' names as long as the expansion. Without room it is a failure. */
void sm_expand_answer(const struct sm_expand *expand, struct sm_arena *room, struct sm_answer *ret);
