/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An answer with room for the largest, and an arena in which any answer fits. */
#pragma once

#include "base/arena.h"
#include "mesh/answer.h"

#include <string.h>

#define ROOMY_ANSWER(name)                                                                                         \
	static struct sm_target name##_targets[SM_TARGETS_MAX];                                              \
	static struct sm_address name##_addresses[SM_ADDRESSES_MAX];                                         \
	static uint64_t name##_ranks[SM_ADDRESSES_MAX];                                                      \
	static struct sm_mark name##_marks[SM_MARKS_MAX];                                                    \
	static struct sm_answer name = {                                                                     \
		.targets = name##_targets, .addresses = name##_addresses, .ranks = name##_ranks,             \
		.marks = name##_marks,                                                                       \
	}

/* An answer that says nothing yet. */
#define ROOMY_ANSWER_CLEAR(name)                                                                                   \
	do {                                                                                                 \
		memset(name##_targets, 0, sizeof(name##_targets));                                           \
		memset(name##_addresses, 0, sizeof(name##_addresses));                                       \
		memset(name##_ranks, 0, sizeof(name##_ranks));                                               \
		name = (struct sm_answer){                                                                   \
			.targets = name##_targets, .addresses = name##_addresses, .ranks = name##_ranks,     \
			.marks = name##_marks,                                                               \
		};                                                                                           \
	} while (0)

/* Gives the target metadata of words such as "version=2 zone=a", each a string; `bytes` has room for them. */
static inline void set_metadata(struct sm_target *target, const char *words, uint8_t *bytes)
{
	target->metadata = bytes;
	target->metadata_size = 0;
	while (*words) {
		size_t length = strcspn(words, " ");

		bytes[target->metadata_size] = (uint8_t)length;
		memcpy(bytes + target->metadata_size + 1, words, length);
		target->metadata_size += (uint16_t)(1 + length);
		words += length + (words[length] == ' ');
	}
}

/* What a decoder fills; sm_arena_clear before the next. */
#define ROOMY_ARENA(name) static struct sm_arena name = {.may_grow = 1U << 20}
