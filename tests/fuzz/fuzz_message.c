/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fuzz/fuzz.h"
#include "wire/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	return 0;
}
