/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/field.h"

#define MISSING_METADATA_CUT 4
#define MISSING_METADATA_UNKNOWN 8
#define ALL_TARGETS UINT16_MAX

/* As it is where the metadata are those of the SRV owner. */
static bool have_same_metadata(const struct sm_answer *answer)
{
	for (uint32_t i = 1; i < answer->n_targets; i++)
		if (answer->targets[i].metadata != answer->targets[0].metadata)
			return false;
	return answer->n_targets > 1;
}

void sm_field_encode_metadata(struct sm_writer *writer, const struct sm_answer *answer)
{
	uint32_t n = have_same_metadata(answer) ? 1 : answer->n_targets;

	if (!answer->judged_by)
		return;
	sm_write_u64le(writer, answer->judged_by);
	if (answer->packed_metadata) {
		sm_write_bytes(writer, answer->packed_metadata, answer->packed_size);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct sm_target *target = &answer->targets[i];

		if (target->metadata_size == 0)
			continue;
		sm_write_u16le(writer, n < answer->n_targets ? ALL_TARGETS : (uint16_t)i);
		sm_write_u16le(writer, target->metadata_size);
		sm_write_bytes(writer, target->metadata, target->metadata_size);
	}
}

void sm_field_encode_missing(struct sm_writer *writer, const struct sm_answer *answer)
{
	if (!sm_answer_is_cut(answer) && !answer->is_metadata_unknown)
		return;
	sm_write_u8(writer, (uint8_t)(answer->cut_families | (answer->is_metadata_cut ? MISSING_METADATA_CUT : 0) |
	                              (answer->is_metadata_unknown ? MISSING_METADATA_UNKNOWN : 0)));
	sm_write_u16le(writer, answer->n_cut);
}

void sm_field_encode_marks(struct sm_writer *writer, const struct sm_answer *answer)
{
	for (uint32_t i = 0; i < answer->n_marks; i++) {
		sm_write_u16le(writer, answer->marks[i].target);
		sm_write_u16le(writer, answer->marks[i].address);
		sm_write_u64le(writer, (uint64_t)answer->marks[i].until_ns);
	}
}

void sm_field_unpack_metadata(struct sm_answer *answer)
{
	struct sm_reader reader = sm_reader_of(answer->packed_metadata, answer->packed_size);

	while (reader.at < reader.size && !reader.failed) {
		uint32_t which = sm_read_u16le(&reader), end = which == ALL_TARGETS ? answer->n_targets : which + 1;
		uint16_t size = sm_read_u16le(&reader);
		const uint8_t *strings = sm_read_bytes(&reader, size);

		for (uint32_t i = which == ALL_TARGETS ? 0 : which; strings && i < end && end <= answer->n_targets; i++) {
			answer->targets[i].metadata = strings;
			answer->targets[i].metadata_size = size;
		}
	}
	answer->packed_metadata = NULL;
	answer->packed_size = 0;
}

/* They are rarely looked at. */
void sm_field_decode_metadata(struct sm_reader *reader, struct sm_answer *ret)
{
	ret->judged_by = sm_read_u64le(reader);
	ret->packed_size = (uint32_t)(reader->size - reader->at);
	ret->packed_metadata = sm_read_bytes(reader, ret->packed_size);
	reader->failed |= ret->judged_by == 0; /* then none are written */
}

void sm_field_decode_missing(struct sm_reader *reader, struct sm_answer *ret)
{
	uint8_t what = sm_read_u8(reader);

	ret->cut_families = what & SM_IPV4_AND_IPV6;
	ret->is_metadata_cut = what & MISSING_METADATA_CUT;
	ret->is_metadata_unknown = what & MISSING_METADATA_UNKNOWN;
	ret->n_cut = sm_read_u16le(reader);
}

void sm_field_decode_marks(struct sm_reader *reader, struct sm_arena *arena, struct sm_answer *ret)
{
	size_t n = reader->size / SM_FIELD_MARK_SIZE;

	ret->marks = n <= SM_MARKS_MAX ? sm_arena_take(arena, n * sizeof(*ret->marks), _Alignof(struct sm_mark)) : NULL;
	for (size_t i = 0; ret->marks && i < n; i++) {
		struct sm_mark *mark = &ret->marks[i];

		mark->target = sm_read_u16le(reader);
		mark->address = sm_read_u16le(reader);
		mark->until_ns = (int64_t)sm_read_u64le(reader);
		reader->failed |= mark->target >= ret->n_targets || mark->address >= ret->n_addresses ||
		                  (i > 0 && !sm_mark_is_before(mark - 1, mark->target, mark->address));
		if (!reader->failed)
			ret->targets[mark->target].is_marked = true;
	}
	ret->n_marks = ret->marks ? (uint16_t)n : 0;
	reader->failed |= !ret->marks;
}
