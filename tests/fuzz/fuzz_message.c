/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/expand.h"
#include "mesh/record.h"
#include "tests/fuzz/fuzz.h"
#include "wire/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool believe(void *context, uint32_t number, const char *name)
{
	(void)context;
	(void)name;
	return number % 2 == 0;
}

static bool reach(void *context, const struct sm_address *address)
{
	(void)context;
	return address->family == SM_IPV4;
}

/* The reply to every other question of a name, whatever it holds: the expansion ends, and has an answer within its bounds. */
static void expand(const struct sm_reply *reply)
{
	static struct sm_rule rule = {.templates = "_{service}._{proto}.{domain}", .n_templates = 1, .proto = "tcp", .max_ttl_ms = 60000};
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	const struct sm_expand_means means = {.families = SM_IPV4_AND_IPV6, .believes = believe, .reaches = reach};
	SM_SCOPE_ARENA struct sm_arena room = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	struct sm_answer answer;
	struct sm_expand expand;
	struct sm_question question;
	struct sm_name name;
	uint32_t number, n = 0;

	(void)!sm_name_parse("api.mesh", 8, &name);
	(void)!sm_name_parse("mesh", 4, &rule.domain);
	rule.name = rule.domain;
	sm_expand_init(&expand, &rule, &name, &means, &arena);
	while (sm_expand_next(&expand, &question, &number) == SM_OK) {
		HOLDS(strlen(question.name) <= 253 && ++n < 10000);
		if (number % 2 == 0)
			sm_expand_reply(&expand, number, reply);
		else
			sm_expand_failed(&expand, number);
	}
	HOLDS(sm_expand_is_finished(&expand));
	sm_expand_answer(&expand, &room, &answer);
	HOLDS(answer.n_targets <= SM_TARGETS_MAX && answer.n_addresses <= SM_ADDRESSES_MAX);
	for (uint32_t i = 0; i < answer.n_targets; i++)
		HOLDS(answer.targets[i].first_address + answer.targets[i].n_addresses <= answer.n_addresses);
}

/* A reply is whole: what it counts is there, and every name is a text. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_REPLY_MEMORY_MAX);
	struct sm_reply reply;

	if (sm_message_decode(bytes, size, "_api._tcp.mesh", SM_RR_SRV, &arena, &reply) != SM_OK)
		return 0;
	HOLDS(reply.n_records <= SM_RECORDS_MAX);
	for (uint32_t i = 0; i < reply.n_records; i++) {
		HOLDS(strlen(reply.records[i].owner) <= 253);
		HOLDS(!reply.records[i].target || strlen(reply.records[i].target) <= 253);
	}
	expand(&reply);
	return 0;
}
