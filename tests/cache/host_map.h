/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A host map in a test's directory. The targets of each answer show to which name it belongs. */
#pragma once

#include "base/clock.h"
#include "cache/owner.h"
#include "cache/reader.h"
#include "tests/answer.h"
#include "tests/directory.h"

#include <sys/stat.h>

static struct sm_owner *owner;
static struct sm_mapped mapped;
ROOMY_ANSWER(made);
ROOMY_ARENA(arena);
static struct sm_answer read_answer;
static uint8_t record[SM_RECORD_MAX];

static void open_owner(uint64_t size_bytes, uint32_t quota_percent)
{
	assert_int_equal(sm_owner_open(path_of("run"), size_bytes, quota_percent, &owner), SM_OK);
}

static void close_owner(void)
{
	sm_owner_close(owner);
	owner = NULL;
}

/* Puts an answer with `n_targets` targets, all with the name itself and one address each. */
static void put_service(const char *text, uint16_t n_targets, uid_t uid)
{
	struct sm_name name = name_of(text);
	int64_t now_ns = sm_clock_now_ns();
	struct sm_times times = {now_ns, now_ns + 60 * SM_NS_PER_S, now_ns, now_ns + 600 * SM_NS_PER_S, 0};
	const void *bytes;
	size_t size;

	ROOMY_ANSWER_CLEAR(made);
	made.kind = n_targets ? SM_ANSWER_ADDRESSES : SM_ANSWER_NO_NAME;
	made.n_targets = made.n_addresses = n_targets;
	for (uint16_t i = 0; i < n_targets; i++) {
		made.targets[i] = (struct sm_target){name.text, 1, 1, 80, i, 1, .metadata = NULL};
		made.addresses[i] = (struct sm_address){SM_IPV4, {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};
		made.ranks[i] = i;
	}
	assert_int_equal(sm_owner_put(owner, &name, &made, &times, uid, now_ns, &bytes, &size), SM_OK);
}

static void commit(void)
{
	assert_int_equal(sm_owner_commit(owner), SM_OK);
}

/* The number of targets in the answer that a reader finds; -1: a miss, -2: not a valid tree, -3: not a valid record. */
static int find_service(const char *text)
{
	struct sm_name name = name_of(text);
	uint8_t key[SM_MAP_KEY_MAX];
	struct sm_times times;
	size_t size;
	enum sm_status status = sm_reader_get(&mapped, key, sm_map_key(SM_MAP_SERVICE, &name, key), record, sizeof(record), &size);

	if (status != SM_OK)
		return status == SM_MISS ? -1 : -2;
	sm_arena_clear(&arena);
	if (sm_record_decode(&name, record, size, &arena, &read_answer, &times) != SM_OK)
		return -3;
	for (int i = 0; i < read_answer.n_targets; i++)
		assert_string_equal(read_answer.targets[i].name, text);
	return read_answer.n_targets;
}
