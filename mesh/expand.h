/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a service name to its addresses: a state machine without loop, clock or network.
 *
 * It hands out questions, is told replies in any order, and at any moment makes the best answer of what it knows:
 *
 *   SRV of template 1, 2, ... ──found──► addresses of the targets (glue first, the rest asked all at once)
 *              └──none exists──► addresses of the name itself (fallback = address)
 *
 * CNAMEs are followed inside a message, and asked again where a message ends before its chain does. */
#pragma once

#include "base/arena.h"
#include "mesh/answer.h"
#include "mesh/reply.h"
#include "mesh/rule.h"

#define SM_QUESTIONS_MAX 64 /* per lookup, everything included */
#define SM_HOPS_MAX 8       /* CNAMEs followed by asking again, per chain */
#define SM_EXPAND_TEXT_MAX (SM_TARGETS_MAX * (SM_NAME_MAX + 1) + SM_QUESTIONS_MAX * (SM_NAME_MAX + 1))

struct sm_question {
	const char *name; /* lives as long as the expansion */
	enum sm_rr_type type;
	bool is_alias; /* where a CNAME led: the name may be anybody's */
};

/* A host whose addresses are wanted; targets with the same name share it. */
struct sm_expand_host {
	const char *name;
	uint8_t missing_families; /* the name does not exist */
	uint8_t failed_families;  /* nobody could say */
};

/* The caller's space, some 150 KiB and not for a stack; the fields are the machine's own. */
struct sm_expand {
	const struct sm_rule *rule;
	struct sm_name name;
	uint32_t template;
	bool is_fallback; /* no SRV: the one host is the name itself */
	bool is_denied;   /* the SRV target "." */
	bool is_failed;   /* no word on the SRV owner */
	bool is_cut;      /* a bound, or a name that cannot be asked for, kept some question from being asked */
	bool has_other_ports; /* targets that the rule's port leaves out */
	uint8_t unasked_families; /* what the bounds kept from being known */
	uint32_t ttl_s, negative_ttl_s;

	uint32_t n_questions, n_handed_out, n_open;
	struct {
		struct sm_question question;
		uint16_t host;
		uint8_t hops;
		bool is_done;
	} questions[SM_QUESTIONS_MAX];

	uint32_t n_targets, n_hosts, n_addresses;
	struct sm_target targets[SM_TARGETS_MAX];
	uint16_t host_of_target[SM_TARGETS_MAX];
	struct sm_expand_host hosts[SM_TARGETS_MAX];
	struct sm_address addresses[SM_ADDRESSES_MAX];
	uint16_t host_of_address[SM_ADDRESSES_MAX];

	const struct sm_dns_record *sorting[SM_RECORDS_MAX];
	struct sm_arena arena;
	char text[SM_EXPAND_TEXT_MAX];
};

/* Begins; `rule` must outlive the expansion. */
void sm_expand_init(struct sm_expand *expand, const struct sm_rule *rule, const struct sm_name *name);

/* The next question that nobody was handed yet, and the number to answer it by. SM_MISS: none at the moment. */
enum sm_status sm_expand_next(struct sm_expand *expand, struct sm_question *ret, uint32_t *ret_number) SM_MUST_CHECK;

/* What a question brought: a reply (NOERROR or NXDOMAIN; read, not kept), or that nobody could answer it. */
void sm_expand_reply(struct sm_expand *expand, uint32_t number, const struct sm_reply *reply);
void sm_expand_failed(struct sm_expand *expand, uint32_t number);

/* No question is open: the answer is final. Before, it counts what is open as failed. */
bool sm_expand_is_finished(const struct sm_expand *expand);
/* No question is open but for addresses of other families than these. */
bool sm_expand_is_settled(const struct sm_expand *expand, uint8_t families);
/* The targets' names live as long as the expansion. */
void sm_expand_answer(const struct sm_expand *expand, struct sm_answer *ret);
