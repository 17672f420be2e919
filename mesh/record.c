/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record codec. Little endian, without padding:
 *
 *   0  u64 checksum     XXH3 of everything behind it
 *   8  u8  version      3
 *   9  u8  kind         enum sm_answer_kind
 *  10  u8  families     uncertain, from bit 2 unawaited, from bit 4 unasked
 *  11  u8  name length
 *  12  u64 made_ns, expires_ns, recheck_ns, stale_ns    CLOCK_BOOTTIME
 *  44  u32 ttl_s        as DNS gave it
 *  48  u16 targets
 *  50  u16 addresses
 *  52  name
 *      targets          u16 priority, weight, port, first address, addresses; u8 marks; u8 length; name; NUL;
 *                       u8 length; metadata; NUL
 *      addresses        u8 family; u64 rank; 4 or 16 bytes
 */
#include "mesh/record.h"

#include "base/cursor.h"

#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

#define RECORD_VERSION 3
#define CHECKSUM_SIZE 8
#define HEAD_SIZE 52
#define TARGET_SIZE 11  /* before its texts */
#define ADDRESS_SIZE 9 /* before its bytes */
#define MARK_DOWN 1

static void encode_text(struct sm_writer *writer, const char *text)
{
	size_t length = strlen(text);

	sm_write_u8(writer, (uint8_t)length);
	sm_write_bytes(writer, text, length + 1);
}

static void encode_target(struct sm_writer *writer, const struct sm_target *target)
{
	sm_write_u16le(writer, target->priority);
	sm_write_u16le(writer, target->weight);
	sm_write_u16le(writer, target->port);
	sm_write_u16le(writer, target->first_address);
	sm_write_u16le(writer, target->n_addresses);
	sm_write_u8(writer, target->is_down ? MARK_DOWN : 0);
	encode_text(writer, target->name);
	encode_text(writer, target->metadata ? target->metadata : "");
}

static void encode_times(struct sm_writer *writer, const struct sm_times *times)
{
	sm_write_u64le(writer, (uint64_t)times->made_ns);
	sm_write_u64le(writer, (uint64_t)times->expires_ns);
	sm_write_u64le(writer, (uint64_t)times->recheck_ns);
	sm_write_u64le(writer, (uint64_t)times->stale_ns);
}

static size_t address_size(uint8_t family)
{
	return family == SM_IPV4 ? 4 : 16;
}

enum sm_status sm_record_encode(const struct sm_name *name, const struct sm_answer *answer, const struct sm_times *times,
                                void *bytes, size_t size, size_t *ret_size)
{
	struct sm_writer writer = sm_writer_of(bytes, size), checksum = sm_writer_of(bytes, size);

	sm_write_u64le(&writer, 0);
	sm_write_u8(&writer, RECORD_VERSION);
	sm_write_u8(&writer, (uint8_t)answer->kind);
	sm_write_u8(&writer, (uint8_t)(answer->uncertain_families | answer->unawaited_families << 2 |
	                               answer->unasked_families << 4));
	sm_write_u8(&writer, name->length);
	encode_times(&writer, times);
	sm_write_u32le(&writer, answer->ttl_s);
	sm_write_u16le(&writer, answer->n_targets);
	sm_write_u16le(&writer, answer->n_addresses);
	sm_write_bytes(&writer, name->text, name->length);
	for (uint32_t i = 0; i < answer->n_targets; i++)
		encode_target(&writer, &answer->targets[i]);
	for (uint32_t i = 0; i < answer->n_addresses; i++) {
		sm_write_u8(&writer, answer->addresses[i].family);
		sm_write_u64le(&writer, answer->ranks[i]);
		sm_write_bytes(&writer, answer->addresses[i].bytes, address_size(answer->addresses[i].family));
	}
	if (writer.failed)
		return SM_FULL;
	sm_write_u64le(&checksum, XXH3_64bits(writer.bytes + CHECKSUM_SIZE, writer.at - CHECKSUM_SIZE));
	*ret_size = writer.at;
	return SM_OK;
}

/* A length, so many bytes, and a NUL. */
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
	ret->is_down = fixed[10] & MARK_DOWN;
	ret->name = decode_text(reader);
	ret->metadata = decode_text(reader);
	if (ret->first_address > n_addresses || ret->n_addresses > n_addresses - ret->first_address)
		reader->failed = true;
}

static void decode_address(struct sm_reader *reader, struct sm_address *ret, uint64_t *ret_rank)
{
	const uint8_t *fixed = sm_read_bytes(reader, ADDRESS_SIZE), *bytes;

	if (!fixed || (fixed[0] != SM_IPV4 && fixed[0] != SM_IPV6)) {
		reader->failed = true;
		return;
	}
	memset(ret, 0, sizeof(*ret));
	ret->family = fixed[0];
	*ret_rank = sm_load_u64le(fixed + 1);
	bytes = sm_read_bytes(reader, address_size(ret->family));
	if (bytes)
		memcpy(ret->bytes, bytes, address_size(ret->family));
}

static void decode_lists(struct sm_reader *reader, struct sm_answer *ret)
{
	if (ret->n_targets > SM_TARGETS_MAX || ret->n_addresses > SM_ADDRESSES_MAX)
		reader->failed = true;
	for (uint32_t i = 0; i < ret->n_targets && !reader->failed; i++)
		decode_target(reader, ret->n_addresses, &ret->targets[i]);
	for (uint32_t i = 0; i < ret->n_addresses && !reader->failed; i++)
		decode_address(reader, &ret->addresses[i], &ret->ranks[i]);
}

struct head {
	uint8_t kind, families, name_length;
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

/* Everything before the lists, checksum and all. */
static enum sm_status decode_head(struct sm_reader *reader, struct head *ret)
{
	const uint8_t *fixed = sm_read_bytes(reader, HEAD_SIZE);

	if (!fixed || fixed[8] != RECORD_VERSION || fixed[9] > SM_ANSWER_FAILURE)
		return SM_CORRUPT;
	if (sm_load_u64le(fixed) != XXH3_64bits(reader->bytes + CHECKSUM_SIZE, reader->size - CHECKSUM_SIZE))
		return SM_CORRUPT;
	ret->kind = fixed[9];
	ret->families = fixed[10];
	ret->name_length = fixed[11];
	ret->times = decode_times(fixed + 12);
	ret->ttl_s = sm_load_u32le(fixed + 44);
	ret->n_targets = sm_load_u16le(fixed + 48);
	ret->n_addresses = sm_load_u16le(fixed + 50);
	ret->name = sm_read_bytes(reader, ret->name_length);
	return ret->name ? SM_OK : SM_CORRUPT;
}

enum sm_status sm_record_decode(const struct sm_name *name, const void *bytes, size_t size, struct sm_answer *ret,
                                struct sm_times *ret_times)
{
	struct sm_reader reader = sm_reader_of(bytes, size);
	struct head head;

	if (decode_head(&reader, &head) != SM_OK)
		return SM_CORRUPT;
	if (head.name_length != name->length || memcmp(head.name, name->text, name->length) != 0)
		return SM_MISS;
	*ret_times = head.times;
	ret->kind = (enum sm_answer_kind)head.kind;
	ret->uncertain_families = head.families & SM_IPV4_AND_IPV6;
	ret->unawaited_families = head.families >> 2 & SM_IPV4_AND_IPV6;
	ret->unasked_families = head.families >> 4 & SM_IPV4_AND_IPV6;
	ret->ttl_s = head.ttl_s;
	ret->n_targets = head.n_targets;
	ret->n_addresses = head.n_addresses;
	decode_lists(&reader, ret);
	return reader.failed || reader.at != size ? SM_CORRUPT : SM_OK;
}

enum sm_status sm_record_head(const void *bytes, size_t size, struct sm_name *ret_name, struct sm_times *ret_times,
                              enum sm_answer_kind *ret_kind)
{
	struct sm_reader reader = sm_reader_of(bytes, size);
	struct head head;

	if (decode_head(&reader, &head) != SM_OK)
		return SM_CORRUPT;
	if (sm_name_parse((const char *)head.name, head.name_length, ret_name) != SM_OK)
		return SM_CORRUPT;
	*ret_times = head.times;
	*ret_kind = (enum sm_answer_kind)head.kind;
	return SM_OK;
}
