/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a host with our key may have sealed: a value, or a flush. */
#include "tests/answer.h"
#include "tests/fuzz/fuzz.h"
#include "tier/flushes.h"
#include "tier/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define HEAD_SIZE 24 /* of a value, before its record */

static void try_value(const uint8_t *bytes, size_t size)
{
	static uint8_t again[SM_VALUE_MAX];
	static const struct sm_rule rule = {.max_ttl_ms = 3600000, .negative_ttl_ms = 10000, .stale_ms = 86400000};
	struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	struct sm_record_head head;
	struct sm_answer answer;
	struct sm_times times;
	struct sm_value value;
	size_t used;

	if (sm_value_decode(bytes, size, &value) == SM_OK && sm_record_head(value.record, value.size, &head) == SM_OK &&
	    sm_value_answer(&value, &head.name, &arena, &answer) == SM_OK) {
		enum sm_value_age age = sm_value_age(&value, &answer, &rule, 1000, 1800000000000LL, 1000000000, &times);

		HOLDS(answer.n_marks == 0 && answer.judged_by == 0 && answer.kind != SM_ANSWER_FAILURE);
		HOLDS(age > SM_VALUE_OLD || times.made_ns <= 1000000000);
		if (sm_value_encode(&value, &head.name, &answer, again, sizeof(again), &used) == SM_OK)
			HOLDS(sm_value_decode(again, used, &value) == SM_OK);
	}
	sm_arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1), message[SM_FLUSH_MESSAGE_MAX];
	struct sm_flush flush;
	uint64_t checksum;

	memcpy(copy, bytes, size);
	if (sm_flush_decode(copy, size, &flush) == SM_OK)
		HOLDS(flush.id != 0 && sm_flush_encode(&flush, message) <= size);
	if (size >= HEAD_SIZE + 8) {
		checksum = XXH3_64bits(copy + HEAD_SIZE + 8, size - HEAD_SIZE - 8);
		memcpy(copy + HEAD_SIZE, &checksum, sizeof(checksum));
	}
	try_value(copy, size);
	free(copy);
	return 0;
}
