/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record codec. Little endian, without padding:
 *
 *   0  u64 checksum     XXH3 of all following bytes
 *   8  u8  version      3 of format 1, 4 of format 2
 *   9  u8  kind         enum sm_answer_kind
 *  10  u8  families     uncertain, from bit 2 unawaited, from bit 4 unasked; from bit 6 renewals that failed
 *  11  u8  name length
 *  12  u64 made_ns, expires_ns, recheck_ns, stale_ns    CLOCK_BOOTTIME
 *  44  u32 ttl_s        as DNS gave it
 *  48  u16 targets
 *  50  u16 addresses
 *  52  name
 *
 * Format 2 goes on with fields, each at most once, the targets before the metadata: u16 tag, u32 length, and so many
 * bytes. A tag that is not known is passed over; a field that is not there has the value in brackets.
 *
 *   1 targets     of each: u16 priority, weight, port, first address, addresses; u8 judgement; u8 length; name; NUL
 *   2 addresses   of each: u8 family; 4 or 16 bytes
 *   3 ranks       of each address: u64 [0]
 *   5 missing     u8 families of which addresses are missing, 4 metadata that did not fit, 8 metadata that could not be
 *                 found; u16 targets that are missing [0]
 *   6 marks       of each: u16 target, u16 address, u64 until, in this order [none]
 *   7 metadata    u64 of the pairs by which they were judged; of some targets: u16 which, or 65535 for all; u16 length;
 *                 strings as of mesh/metadata.h [none]
 *   8 origin      how it was come by, as of mesh/origin.h [not known]
 *
 * Format 1 goes on with the targets, each as above with u8 0; NUL behind it, and the addresses, each u8 family; u64 rank;
 * 4 or 16 bytes. */
#include "mesh/record.h"

#include "mesh/field.h"

#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

#define VERSION_OF_FORMAT_1 3
#define VERSION_OF_FORMAT_2 4
#define CHECKSUM_SIZE 8
#define HEAD_SIZE 52
#define FIELD_HEAD_SIZE 6
#define TARGET_SIZE 11  /* before its texts */

enum field {
	FIELD_TARGETS = 1,
	FIELD_ADDRESSES = 2,
	FIELD_RANKS = 3,
	FIELD_MISSING = 5,
	FIELD_MARKS = 6,
	FIELD_METADATA = 7,
	FIELD_ORIGIN = 8,
	FIELDS_END,
};

/* ---- encoding */

static size_t address_size(uint8_t family)
{
	return family == SM_IPV4 ? 4 : 16;
}

size_t sm_record_size(const struct sm_name *name, const struct sm_answer *answer)
{
	size_t size = HEAD_SIZE + name->length + (FIELDS_END - 1) * FIELD_HEAD_SIZE + answer->n_addresses * (1 + 16 + 8U) +
	              SM_FIELD_MISSING_SIZE + answer->n_marks * (size_t)SM_FIELD_MARK_SIZE + 8 + answer->packed_size +
	              answer->origin_size;

	for (uint32_t i = 0; i < answer->n_targets; i++) {
		const struct sm_target *target = &answer->targets[i];

		size += TARGET_SIZE + 2 + strlen(target->name) + 4 + target->metadata_size;
	}
	return size;
}

static void encode_text(struct sm_writer *writer, const char *text)
{
	size_t length = strlen(text);

	sm_write_u8(writer, (uint8_t)length);
	sm_write_bytes(writer, text, length + 1);
}

static void encode_target(struct sm_writer *writer, const struct sm_target *target, uint8_t judgement)
{
	sm_write_u16le(writer, target->priority);
	sm_write_u16le(writer, target->weight);
	sm_write_u16le(writer, target->port);
	sm_write_u16le(writer, target->first_address);
	sm_write_u16le(writer, target->n_addresses);
	sm_write_u8(writer, judgement);
	encode_text(writer, target->name);
}

static void encode_times(struct sm_writer *writer, const struct sm_times *times)
{
	sm_write_u64le(writer, (uint64_t)times->made_ns);
	sm_write_u64le(writer, (uint64_t)times->expires_ns);
	sm_write_u64le(writer, (uint64_t)times->recheck_ns);
	sm_write_u64le(writer, (uint64_t)times->stale_ns);
}

static void encode_head(struct sm_writer *writer, const struct sm_name *name, const struct sm_answer *answer,
                        const struct sm_times *times, enum sm_format format)
{
	sm_write_u64le(writer, 0);
	sm_write_u8(writer, format == SM_FORMAT_1 ? VERSION_OF_FORMAT_1 : VERSION_OF_FORMAT_2);
	sm_write_u8(writer, (uint8_t)answer->kind);
	sm_write_u8(writer, (uint8_t)(answer->uncertain_families | answer->unawaited_families << 2 |
	                              answer->unasked_families << 4 | times->n_unrenewed << 6));
	sm_write_u8(writer, name->length);
	encode_times(writer, times);
	sm_write_u32le(writer, answer->ttl_s);
	sm_write_u16le(writer, answer->n_targets);
	sm_write_u16le(writer, answer->n_addresses);
	sm_write_bytes(writer, name->text, name->length);
}

static void encode_lists_of_format_1(struct sm_writer *writer, const struct sm_answer *answer)
{
	for (uint32_t i = 0; i < answer->n_targets; i++) {
		encode_target(writer, &answer->targets[i], 0);
		encode_text(writer, "");
	}
	for (uint32_t i = 0; i < answer->n_addresses; i++) {
		sm_write_u8(writer, answer->addresses[i].family);
		sm_write_u64le(writer, answer->ranks[i]);
		sm_write_bytes(writer, answer->addresses[i].bytes, address_size(answer->addresses[i].family));
	}
}

static void encode_targets(struct sm_writer *writer, const struct sm_answer *answer)
{
	for (uint32_t i = 0; i < answer->n_targets; i++)
		encode_target(writer, &answer->targets[i], answer->targets[i].judgement);
}

static void encode_addresses(struct sm_writer *writer, const struct sm_answer *answer)
{
	for (uint32_t i = 0; i < answer->n_addresses; i++) {
		sm_write_u8(writer, answer->addresses[i].family);
		sm_write_bytes(writer, answer->addresses[i].bytes, address_size(answer->addresses[i].family));
	}
}

static void encode_ranks(struct sm_writer *writer, const struct sm_answer *answer)
{
	uint64_t any = 0;

	for (uint32_t i = 0; i < answer->n_addresses; i++)
		any |= answer->ranks[i];
	for (uint32_t i = 0; any && i < answer->n_addresses; i++)
		sm_write_u64le(writer, answer->ranks[i]);
}

static void encode_origin(struct sm_writer *writer, const struct sm_answer *answer)
{
	sm_write_bytes(writer, answer->origin, answer->origin_size);
}

/* A field without bytes is left out. */
static void encode_field(struct sm_writer *writer, enum field tag,
                         void (*encode)(struct sm_writer *writer, const struct sm_answer *answer),
                         const struct sm_answer *answer)
{
	struct sm_writer head = *writer;
	size_t begin;

	sm_write_u16le(writer, (uint16_t)tag);
	sm_write_u32le(writer, 0);
	begin = writer->at;
	encode(writer, answer);
	if (writer->at == begin) {
		writer->at = head.at;
		return;
	}
	sm_write_u16le(&head, (uint16_t)tag);
	sm_write_u32le(&head, (uint32_t)(writer->at - begin));
}

static void encode_fields(struct sm_writer *writer, const struct sm_answer *answer)
{
	encode_field(writer, FIELD_TARGETS, encode_targets, answer);
	encode_field(writer, FIELD_ADDRESSES, encode_addresses, answer);
	encode_field(writer, FIELD_RANKS, encode_ranks, answer);
	encode_field(writer, FIELD_MISSING, sm_field_encode_missing, answer);
	encode_field(writer, FIELD_MARKS, sm_field_encode_marks, answer);
	encode_field(writer, FIELD_METADATA, sm_field_encode_metadata, answer);
	encode_field(writer, FIELD_ORIGIN, encode_origin, answer);
}

enum sm_status sm_record_encode(const struct sm_name *name, const struct sm_answer *answer, const struct sm_times *times,
                                enum sm_format format, void *bytes, size_t size, size_t *ret_size)
{
	struct sm_writer writer = sm_writer_of(bytes, size), checksum = sm_writer_of(bytes, size);

	encode_head(&writer, name, answer, times, format);
	if (format == SM_FORMAT_1)
		encode_lists_of_format_1(&writer, answer);
	else
		encode_fields(&writer, answer);
	if (writer.failed)
		return SM_FULL;
	sm_write_u64le(&checksum, XXH3_64bits(writer.bytes + CHECKSUM_SIZE, writer.at - CHECKSUM_SIZE));
	*ret_size = writer.at;
	return SM_OK;
}

/* ---- decoding */

/* A length, that many bytes, and a NUL. */
static const char *decode_text(struct sm_reader *reader)
{
	uint8_t length = sm_read_u8(reader);
	const char *text = (const char *)sm_read_bytes(reader, (size_t)length + 1);

	if (!text || text[length] != '\0')
		reader->failed = true;
	return text;
}

static void decode_target(struct sm_reader *reader, uint16_t n_addresses, struct sm_target *ret)
{
	const uint8_t *fixed = sm_read_bytes(reader, TARGET_SIZE);

	if (!fixed)
		return;
	ret->priority = sm_load_u16le(fixed);
	ret->weight = sm_load_u16le(fixed + 2);
	ret->port = sm_load_u16le(fixed + 4);
	ret->first_address = sm_load_u16le(fixed + 6);
	ret->n_addresses = sm_load_u16le(fixed + 8);
	ret->name = decode_text(reader);
	ret->metadata = NULL;
	ret->metadata_size = 0;
	ret->judgement = fixed[10];
	ret->is_marked = false;
	if (ret->first_address > n_addresses || ret->n_addresses > n_addresses - ret->first_address)
		reader->failed = true;
}

static uint8_t decode_family(struct sm_reader *reader)
{
	uint8_t family = sm_read_u8(reader);

	if (family != SM_IPV4 && family != SM_IPV6)
		reader->failed = true;
	return family;
}

static void decode_address_bytes(struct sm_reader *reader, uint8_t family, struct sm_address *ret)
{
	const uint8_t *bytes = sm_read_bytes(reader, address_size(family));

	memset(ret, 0, sizeof(*ret));
	ret->family = family;
	if (bytes)
		memcpy(ret->bytes, bytes, address_size(family));
}

__attribute__((noinline)) static void decode_lists_of_format_1(struct sm_reader *reader, struct sm_answer *ret)
{
	for (uint32_t i = 0; i < ret->n_targets && !reader->failed; i++) {
		decode_target(reader, ret->n_addresses, &ret->targets[i]);
		decode_text(reader); /* metadata that no release of this format wrote */
	}
	for (uint32_t i = 0; i < ret->n_addresses && !reader->failed; i++) {
		uint8_t family = decode_family(reader);

		ret->ranks[i] = sm_read_u64le(reader);
		decode_address_bytes(reader, family, &ret->addresses[i]);
	}
}

static void decode_targets(struct sm_reader *reader, struct sm_answer *ret)
{
	for (uint32_t i = 0; i < ret->n_targets && !reader->failed; i++)
		decode_target(reader, ret->n_addresses, &ret->targets[i]);
}

static void decode_addresses(struct sm_reader *reader, struct sm_answer *ret)
{
	for (uint32_t i = 0; i < ret->n_addresses && !reader->failed; i++)
		decode_address_bytes(reader, decode_family(reader), &ret->addresses[i]);
}

static void decode_ranks(struct sm_reader *reader, struct sm_answer *ret)
{
	for (uint32_t i = 0; i < ret->n_addresses && !reader->failed; i++)
		ret->ranks[i] = sm_read_u64le(reader);
}

static void decode_field(uint16_t tag, struct sm_reader *field, struct sm_arena *arena, struct sm_answer *ret)
{
	switch (tag) {
	case FIELD_TARGETS:
		decode_targets(field, ret);
		break;
	case FIELD_ADDRESSES:
		decode_addresses(field, ret);
		break;
	case FIELD_RANKS:
		decode_ranks(field, ret);
		break;
	case FIELD_MISSING:
		sm_field_decode_missing(field, ret);
		break;
	case FIELD_MARKS:
		sm_field_decode_marks(field, arena, ret);
		break;
	case FIELD_METADATA:
		sm_field_decode_metadata(field, ret);
		break;
	default:
		return; /* of a newer release */
	}
	field->failed |= field->at != field->size;
}

#define SEEN(tag) (1U << (tag))

/* What is written into targets needs them first. */
static bool comes_too_early(uint16_t tag, uint32_t seen)
{
	return tag == FIELD_MARKS && !(seen & SEEN(FIELD_TARGETS));
}

/* The field whose head is at *at, and moves *at behind it; one check for both. NULL: it is not whole. */
static inline const uint8_t *next_field(const uint8_t **at, const uint8_t *end, uint16_t *ret_tag, uint32_t *ret_length)
{
	const uint8_t *bytes = *at + FIELD_HEAD_SIZE;

	if (end - *at < FIELD_HEAD_SIZE)
		return NULL;
	*ret_tag = sm_load_u16le(*at);
	*ret_length = sm_load_u32le(*at + 2);
	if (*ret_length > (size_t)(end - bytes))
		return NULL;
	*at = bytes + *ret_length;
	return bytes;
}

static void decode_fields(struct sm_reader *reader, struct sm_arena *arena, struct sm_answer *ret)
{
	const uint8_t *at = reader->bytes + reader->at, *end = reader->bytes + reader->size;
	uint32_t seen = 0, length;
	uint16_t tag;

	while (at < end && !reader->failed) {
		const uint8_t *bytes = next_field(&at, end, &tag, &length);
		struct sm_reader field;

		reader->failed |= !bytes;
		if (!bytes || tag >= FIELDS_END)
			continue;
		if (tag == FIELD_ORIGIN) { /* rarely looked at: it costs no more than this */
			reader->failed |= ret->origin || length > SM_ORIGIN_MAX;
			ret->origin = bytes;
			ret->origin_size = (uint16_t)length;
			continue;
		}
		field = (struct sm_reader){.bytes = bytes, .size = length};
		decode_field(tag, &field, arena, ret);
		reader->failed |= field.failed || (seen & SEEN(tag)) || comes_too_early(tag, seen);
		seen |= SEEN(tag);
	}
	reader->at = reader->size;
	reader->failed |= (!(seen & SEEN(FIELD_TARGETS)) && ret->n_targets > 0) ||
	                  (!(seen & SEEN(FIELD_ADDRESSES)) && ret->n_addresses > 0);
}

struct head {
	uint8_t version, kind, families, name_length;
	struct sm_times times;
	uint32_t ttl_s;
	uint16_t n_targets, n_addresses;
	const uint8_t *name;
};

static struct sm_times decode_times(const uint8_t *bytes)
{
	return (struct sm_times){
		.made_ns = (int64_t)sm_load_u64le(bytes),
		.expires_ns = (int64_t)sm_load_u64le(bytes + 8),
		.recheck_ns = (int64_t)sm_load_u64le(bytes + 16),
		.stale_ns = (int64_t)sm_load_u64le(bytes + 24),
	};
}

/* Everything before the lists; also checks the checksum. */
static enum sm_status decode_head(struct sm_reader *reader, struct head *ret)
{
	const uint8_t *fixed = sm_read_bytes(reader, HEAD_SIZE);

	if (!fixed || fixed[9] > SM_ANSWER_FAILURE)
		return SM_CORRUPT;
	if (fixed[8] != VERSION_OF_FORMAT_2 && fixed[8] != VERSION_OF_FORMAT_1)
		return SM_CORRUPT;
	if (sm_load_u64le(fixed) != XXH3_64bits(reader->bytes + CHECKSUM_SIZE, reader->size - CHECKSUM_SIZE))
		return SM_CORRUPT;
	ret->version = fixed[8];
	ret->kind = fixed[9];
	ret->families = fixed[10];
	ret->name_length = fixed[11];
	ret->times = decode_times(fixed + 12);
	if (sm_lifetime_is_beyond_reckoning(&ret->times))
		sm_lifetime_bring_in(&ret->times);
	ret->times.n_unrenewed = fixed[10] >> 6;
	ret->ttl_s = sm_load_u32le(fixed + 44);
	ret->n_targets = sm_load_u16le(fixed + 48);
	ret->n_addresses = sm_load_u16le(fixed + 50);
	ret->name = sm_read_bytes(reader, ret->name_length);
	return ret->name ? SM_OK : SM_CORRUPT;
}

/* Room for the lists; ranks are 0 until a field says otherwise. */
static enum sm_status begin_answer(const struct head *head, struct sm_arena *arena, struct sm_answer *ret)
{
	size_t targets_size = head->n_targets * sizeof(*ret->targets), ranks_size = head->n_addresses * sizeof(*ret->ranks);
	size_t addresses_size = head->n_addresses * sizeof(*ret->addresses);

	if (head->n_targets > SM_TARGETS_MAX || head->n_addresses > SM_ADDRESSES_MAX)
		return SM_CORRUPT;
	ret->kind = (enum sm_answer_kind)head->kind;
	ret->uncertain_families = head->families & SM_IPV4_AND_IPV6;
	ret->unawaited_families = head->families >> 2 & SM_IPV4_AND_IPV6;
	ret->unasked_families = head->families >> 4 & SM_IPV4_AND_IPV6;
	ret->deferred_families = ret->cut_families = 0;
	ret->is_metadata_cut = ret->is_metadata_unknown = ret->is_remnant = ret->is_of_old = false;
	ret->n_cut = ret->n_marks = 0;
	ret->marks = NULL;
	ret->judged_by = 0;
	ret->packed_metadata = NULL;
	ret->packed_size = 0;
	ret->origin = NULL;
	ret->origin_size = 0;
	ret->ttl_s = head->ttl_s;
	ret->n_targets = head->n_targets;
	ret->n_addresses = head->n_addresses;
	ret->ranks = sm_arena_take(arena, ranks_size + targets_size + addresses_size, _Alignof(uint64_t));
	if (arena->failed)
		return SM_EXHAUSTED;
	ret->targets = (struct sm_target *)((char *)ret->ranks + ranks_size);
	ret->addresses = (struct sm_address *)((char *)ret->targets + targets_size);
	memset(ret->ranks, 0, ranks_size);
	return SM_OK;
}

enum sm_status sm_record_decode(const struct sm_name *name, const void *bytes, size_t size, struct sm_arena *arena,
                                struct sm_answer *ret, struct sm_times *ret_times)
{
	struct sm_reader reader = sm_reader_of(bytes, size);
	struct head head;
	enum sm_status status = decode_head(&reader, &head);

	if (status != SM_OK)
		return status;
	if (head.name_length != name->length || memcmp(head.name, name->text, name->length) != 0)
		return SM_MISS;
	status = begin_answer(&head, arena, ret);
	if (status != SM_OK)
		return status;
	*ret_times = head.times;
	if (head.version == VERSION_OF_FORMAT_1)
		decode_lists_of_format_1(&reader, ret);
	else
		decode_fields(&reader, arena, ret);
	if (arena->failed)
		return SM_EXHAUSTED;
	return reader.failed || reader.at != size ? SM_CORRUPT : SM_OK;
}

enum sm_status sm_record_head(const void *bytes, size_t size, struct sm_record_head *ret)
{
	struct sm_reader reader = sm_reader_of(bytes, size);
	struct head head;

	if (decode_head(&reader, &head) != SM_OK)
		return SM_CORRUPT;
	if (sm_name_parse((const char *)head.name, head.name_length, &ret->name) != SM_OK)
		return SM_CORRUPT;
	ret->times = head.times;
	ret->kind = (enum sm_answer_kind)head.kind;
	ret->unasked_families = head.families >> 4 & SM_IPV4_AND_IPV6;
	return SM_OK;
}
