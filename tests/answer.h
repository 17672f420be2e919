/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An answer with room for the largest, and an arena in which any answer fits. */
#pragma once

#include "base/arena.h"
#include "mesh/answer.h"

#define ROOMY_ANSWER(name)                                                                                         \
	static struct sm_target name##_targets[SM_TARGETS_MAX];                                              \
	static struct sm_address name##_addresses[SM_ADDRESSES_MAX];                                         \
	static uint64_t name##_ranks[SM_ADDRESSES_MAX];                                                      \
	static struct sm_answer name = {                                                                     \
		.targets = name##_targets, .addresses = name##_addresses, .ranks = name##_ranks,             \
	}

/* An answer that says nothing yet. */
#define ROOMY_ANSWER_CLEAR(name)                                                                                   \
	do {                                                                                                 \
		memset(name##_targets, 0, sizeof(name##_targets));                                           \
		memset(name##_addresses, 0, sizeof(name##_addresses));                                       \
		memset(name##_ranks, 0, sizeof(name##_ranks));                                               \
		name = (struct sm_answer){                                                                   \
			.targets = name##_targets, .addresses = name##_addresses, .ranks = name##_ranks,     \
		};                                                                                           \
	} while (0)

/* What a decoder fills; sm_arena_clear before the next. */
#define ROOMY_ARENA(name) static struct sm_arena name = {.may_grow = 1U << 20}
