/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cursor.h"
#include "mesh/field.h"
#include "mesh/metadata.h"
#include "mesh/record.h"
#include "tests/fuzz/fuzz.h"

#define XXH_INLINE_ALL
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* With a right checksum, for otherwise nothing behind it would ever be read: the arrays are whole, and what was read is
 * written and read again the same. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	static uint8_t again[SM_RECORD_MAX];
	const struct sm_name name = {8, "api.mesh"};
	struct sm_answer answer, other;
	struct sm_times times, other_times;
	struct sm_origin origin;
	uint8_t *copy = malloc(size ? size : 1);
	uint64_t checksum;
	size_t again_size;

	memcpy(copy, bytes, size);
	if (size >= 8) {
		checksum = XXH3_64bits(copy + 8, size - 8);
		memcpy(copy, &checksum, sizeof(checksum));
	}
	if (sm_record_decode(&name, copy, size, &arena, &answer, &times) == SM_OK) {
		HOLDS(answer.n_targets <= SM_TARGETS_MAX && answer.n_addresses <= SM_ADDRESSES_MAX);
		for (uint32_t i = 0; i < answer.n_targets; i++)
			HOLDS(answer.targets[i].first_address + answer.targets[i].n_addresses <= answer.n_addresses &&
			      strlen(answer.targets[i].name) <= 255);
		HOLDS(sm_record_encode(&name, &answer, &times, SM_FORMAT, again, sizeof(again), &again_size) == SM_OK);
		HOLDS(again_size <= sm_record_size(&name, &answer));
		HOLDS(sm_record_decode(&name, again, again_size, &arena, &other, &other_times) == SM_OK);
		HOLDS(other.n_targets == answer.n_targets && other.n_addresses == answer.n_addresses);
		HOLDS(other.n_marks == answer.n_marks && other.packed_size == answer.packed_size);
		for (uint32_t i = 0; i < answer.n_marks; i++)
			HOLDS(answer.marks[i].target < answer.n_targets && answer.marks[i].address < answer.n_addresses);
		HOLDS(other.origin_size == answer.origin_size);
		if (answer.origin && sm_origin_unpack(answer.origin, answer.origin_size, &origin) == SM_OK)
			HOLDS(strlen(origin.owner.text) <= SM_NAME_MAX && strlen(origin.server.zone) <= SM_ZONE_MAX);
		sm_field_unpack_metadata(&answer);
		for (uint32_t i = 0; i < answer.n_targets; i++)
			HOLDS(sm_metadata_whole(answer.targets[i].metadata, answer.targets[i].metadata_size, SIZE_MAX) <=
			      answer.targets[i].metadata_size);
	}
	free(copy);
	return 0;
}
