/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tier/flushes.h"

#include "base/cursor.h"

#include <string.h>

#define CLOCK_SHIFT 20 /* an id: milliseconds, and a random number that tells flushes of one millisecond apart */

struct sm_flush sm_flushes_make(const struct sm_flushes *flushes, const char *pattern, int64_t wall_ms, uint64_t number)
{
	uint64_t low = number & ((1U << CLOCK_SHIFT) - 1);
	struct sm_flush flush = {.id = ((uint64_t)wall_ms << CLOCK_SHIFT) + low, .made_ms = wall_ms};

	if (flush.id <= flushes->last_id) /* of a host whose clock is ahead, or of this millisecond */
		flush.id = flushes->last_id + 1 + low;
	memcpy(flush.pattern, pattern, strlen(pattern) + 1);
	return flush;
}

static bool is_known(const struct sm_flushes *flushes, uint64_t id)
{
	for (uint32_t i = 0; i < flushes->n; i++)
		if (flushes->kept[i].id == id)
			return true;
	return id <= flushes->merged_id;
}

static void forget(struct sm_flushes *flushes, uint32_t which)
{
	flushes->n--;
	flushes->kept[which] = flushes->kept[flushes->n];
	flushes->until_ms[which] = flushes->until_ms[flushes->n];
}

static void forget_ended(struct sm_flushes *flushes, int64_t wall_ms)
{
	for (uint32_t i = flushes->n; i > 0; i--)
		if (wall_ms >= flushes->until_ms[i - 1])
			forget(flushes, i - 1);
}

/* The oldest two become one of all names, so that nothing from before them counts. */
static void merge_two(struct sm_flushes *flushes)
{
	uint32_t first = 0, second;

	for (uint32_t i = 1; i < flushes->n; i++)
		if (flushes->kept[i].id < flushes->kept[first].id)
			first = i;
	second = first == 0 ? 1 : 0;
	for (uint32_t i = 0; i < flushes->n; i++)
		if (i != first && flushes->kept[i].id < flushes->kept[second].id)
			second = i;
	strcpy(flushes->kept[second].pattern, "*");
	if (flushes->merged_id < flushes->kept[second].id)
		flushes->merged_id = flushes->kept[second].id;
	if (flushes->kept[second].made_ms < flushes->kept[first].made_ms)
		flushes->kept[second].made_ms = flushes->kept[first].made_ms;
	if (flushes->until_ms[second] < flushes->until_ms[first])
		flushes->until_ms[second] = flushes->until_ms[first];
	forget(flushes, first);
}

enum sm_flush_taken sm_flushes_take(struct sm_flushes *flushes, const struct sm_flush *flush, int64_t wall_ms, int64_t age_ms,
                                    int64_t keep_ms)
{
	if (is_known(flushes, flush->id))
		return SM_FLUSH_KNOWN;
	if (wall_ms - flush->made_ms > age_ms)
		return SM_FLUSH_TOO_OLD;
	forget_ended(flushes, wall_ms);
	if (flushes->n == SM_FLUSHES_MAX)
		merge_two(flushes);
	flushes->until_ms[flushes->n] = wall_ms + keep_ms;
	flushes->kept[flushes->n++] = *flush;
	if (flush->id > flushes->last_id)
		flushes->last_id = flush->id;
	return flush->made_ms - wall_ms > SM_FLUSH_AHEAD_MS ? SM_FLUSH_AHEAD : SM_FLUSH_TAKEN;
}

void sm_flushes_widen(struct sm_flushes *flushes, const struct sm_flush *flush)
{
	for (uint32_t i = 0; i < flushes->n; i++)
		if (flushes->kept[i].id == flush->id)
			strcpy(flushes->kept[i].pattern, "*");
}

uint64_t sm_flushes_covering(const struct sm_flushes *flushes, const struct sm_name *name)
{
	uint64_t id = 0;

	for (uint32_t i = 0; i < flushes->n; i++)
		if (flushes->kept[i].id > id && sm_pattern_matches(flushes->kept[i].pattern, name))
			id = flushes->kept[i].id;
	return id;
}

uint64_t sm_flushes_recent(const struct sm_flushes *flushes, const struct sm_name *name, int64_t wall_ms)
{
	uint64_t id = 0;

	for (uint32_t i = 0; i < flushes->n; i++)
		if (flushes->kept[i].id > id && wall_ms - flushes->kept[i].made_ms < SM_FLUSH_SURE_MS &&
		    sm_pattern_matches(flushes->kept[i].pattern, name))
			id = flushes->kept[i].id;
	return id;
}

bool sm_flushes_allow(const struct sm_flushes *flushes, const struct sm_name *name, uint64_t id, int64_t made_ms)
{
	for (uint32_t i = 0; i < flushes->n; i++)
		if (flushes->kept[i].id > id && made_ms < flushes->kept[i].made_ms + SM_FLUSH_SURE_MS &&
		    sm_pattern_matches(flushes->kept[i].pattern, name))
			return false;
	return true;
}

size_t sm_flush_encode(const struct sm_flush *flush, uint8_t ret[SM_FLUSH_MESSAGE_MAX])
{
	struct sm_writer writer = sm_writer_of(ret, SM_FLUSH_MESSAGE_MAX);
	size_t length = strlen(flush->pattern);

	sm_write_u64le(&writer, flush->id);
	sm_write_u64le(&writer, (uint64_t)flush->made_ms);
	sm_write_u8(&writer, (uint8_t)length);
	sm_write_bytes(&writer, flush->pattern, length);
	return writer.at;
}

enum sm_status sm_flush_decode(const void *bytes, size_t size, struct sm_flush *ret)
{
	struct sm_reader reader = sm_reader_of(bytes, size);
	uint64_t id = sm_read_u64le(&reader), made_ms = sm_read_u64le(&reader);
	uint8_t length = sm_read_u8(&reader);
	const char *pattern = (const char *)sm_read_bytes(&reader, length);

	if (!pattern || reader.at != size || id == 0 || made_ms > INT64_MAX / 2)
		return SM_CORRUPT;
	*ret = (struct sm_flush){.id = id, .made_ms = (int64_t)made_ms};
	return sm_pattern_parse(pattern, length, ret->pattern) == SM_OK ? SM_OK : SM_CORRUPT;
}
