/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table. Little endian, without padding:
 *
 *   0  u64 checksum    XXH3 of all following bytes
 *   8  u64 made_ns     CLOCK_BOOTTIME
 *  16  u16 servers, u16 size of each; what is longer than we know is passed over
 *  20  servers
 *
 * A server: u8 family, u8 marks, u16 port, 16 bytes of address, 16 of zone, u8 failures, u8 poor answers, u8 names, u8 0,
 * u32 name, u32 name, u32 srtt_us, u32 var_us, u32 backoff_ms, and u64 retry_ns, overtaken_ns, heard_ns, good_ns, silent_ns,
 * since_ns, back_ns, scouted_ns, plain_ns, changed_ns. */
#include "resolve/table.h"

#include "base/cursor.h"

#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

#define CHECKSUM_SIZE 8
#define SERVER_SIZE (4 + 16 + 16 + 4 + 5 * 4 + 10 * 8)
#define MARK_STREAM 1
#define MARK_OVERTAKEN 2
#define MARK_EDNS 4

_Static_assert(20 + SM_SERVERS_KNOWN_MAX * SERVER_SIZE <= SM_TABLE_MAX, "a whole table fits");
_Static_assert(sizeof(((struct sm_server *)0)->zone) == 16, "the zone as it stands in the table");

static void encode_server(struct sm_writer *writer, const struct sm_server_known *known)
{
	sm_write_u8(writer, known->server.address.family);
	sm_write_u8(writer, (uint8_t)((known->server.is_stream ? MARK_STREAM : 0) | (known->is_overtaken ? MARK_OVERTAKEN : 0) |
	                              (known->speaks_edns ? MARK_EDNS : 0)));
	sm_write_u16le(writer, known->server.port);
	sm_write_bytes(writer, known->server.address.bytes, 16);
	sm_write_bytes(writer, known->server.zone, 16);
	sm_write_u8(writer, known->n_failures);
	sm_write_u8(writer, known->n_poor);
	sm_write_u8(writer, known->n_names);
	sm_write_u8(writer, 0);
	sm_write_u32le(writer, known->names[0]);
	sm_write_u32le(writer, known->names[1]);
	sm_write_u32le(writer, known->srtt_us);
	sm_write_u32le(writer, known->var_us);
	sm_write_u32le(writer, known->backoff_ms);
	sm_write_u64le(writer, (uint64_t)known->retry_ns);
	sm_write_u64le(writer, (uint64_t)known->overtaken_ns);
	sm_write_u64le(writer, (uint64_t)known->heard_ns);
	sm_write_u64le(writer, (uint64_t)known->good_ns);
	sm_write_u64le(writer, (uint64_t)known->silent_ns);
	sm_write_u64le(writer, (uint64_t)known->since_ns);
	sm_write_u64le(writer, (uint64_t)known->back_ns);
	sm_write_u64le(writer, (uint64_t)known->scouted_ns);
	sm_write_u64le(writer, (uint64_t)known->plain_ns);
	sm_write_u64le(writer, (uint64_t)known->changed_ns);
}

size_t sm_table_encode(const struct sm_servers *servers, int64_t now_ns, uint8_t ret[SM_TABLE_MAX])
{
	struct sm_writer writer = sm_writer_of(ret, SM_TABLE_MAX), checksum = sm_writer_of(ret, SM_TABLE_MAX);

	sm_write_u64le(&writer, 0);
	sm_write_u64le(&writer, (uint64_t)now_ns);
	sm_write_u16le(&writer, (uint16_t)servers->n);
	sm_write_u16le(&writer, SERVER_SIZE);
	for (uint32_t i = 0; i < servers->n; i++)
		encode_server(&writer, &servers->known[i]);
	sm_write_u64le(&checksum, XXH3_64bits(ret + CHECKSUM_SIZE, writer.at - CHECKSUM_SIZE));
	return writer.at;
}

static void decode_server(struct sm_reader *reader, struct sm_server_known *ret)
{
	const uint8_t *bytes;
	uint8_t marks;

	*ret = (struct sm_server_known){.server.address.family = sm_read_u8(reader)};
	marks = sm_read_u8(reader);
	ret->server.is_stream = marks & MARK_STREAM;
	ret->is_overtaken = marks & MARK_OVERTAKEN;
	ret->speaks_edns = marks & MARK_EDNS;
	ret->server.port = sm_read_u16le(reader);
	bytes = sm_read_bytes(reader, 32);
	if (bytes) {
		memcpy(ret->server.address.bytes, bytes, 16);
		memcpy(ret->server.zone, bytes + 16, 15);
	}
	ret->n_failures = sm_read_u8(reader);
	ret->n_poor = sm_read_u8(reader);
	ret->n_names = sm_read_u8(reader);
	if (ret->n_names > 2)
		ret->n_names = 2;
	sm_read_u8(reader);
	ret->names[0] = sm_read_u32le(reader);
	ret->names[1] = sm_read_u32le(reader);
	ret->srtt_us = sm_read_u32le(reader);
	ret->var_us = sm_read_u32le(reader);
	ret->backoff_ms = sm_read_u32le(reader);
	ret->retry_ns = (int64_t)sm_read_u64le(reader);
	ret->overtaken_ns = (int64_t)sm_read_u64le(reader);
	ret->heard_ns = (int64_t)sm_read_u64le(reader);
	ret->good_ns = (int64_t)sm_read_u64le(reader);
	ret->silent_ns = (int64_t)sm_read_u64le(reader);
	ret->since_ns = (int64_t)sm_read_u64le(reader);
	ret->back_ns = (int64_t)sm_read_u64le(reader);
	ret->scouted_ns = (int64_t)sm_read_u64le(reader);
	ret->plain_ns = (int64_t)sm_read_u64le(reader);
	ret->changed_ns = (int64_t)sm_read_u64le(reader);
}

/* Each time lies in its bounds, so that sums with it cannot overflow: in the past, or as far ahead as srvmeshd sets it. */
static bool is_plausible(const struct sm_server_known *known, int64_t now_ns)
{
	const int64_t past[] = {known->overtaken_ns, known->heard_ns, known->good_ns,    known->silent_ns,
	                        known->since_ns,     known->back_ns,  known->scouted_ns, known->changed_ns};
	const int64_t hour_ns = 3600000000000LL;

	for (size_t i = 0; i < sizeof(past) / sizeof(past[0]); i++)
		if (past[i] < 0 || past[i] > now_ns)
			return false;
	return known->retry_ns >= 0 && known->retry_ns <= now_ns + hour_ns && known->plain_ns >= 0 &&
	       known->plain_ns <= now_ns + hour_ns && known->backoff_ms <= 60000 && known->srtt_us <= 60000000 &&
	       known->var_us <= 60000000;
}

enum sm_status sm_table_decode(const void *bytes, size_t size, int64_t now_ns, struct sm_servers *servers)
{
	struct sm_reader reader = sm_reader_of(bytes, size);
	uint64_t checksum = sm_read_u64le(&reader);
	int64_t made_ns = (int64_t)sm_read_u64le(&reader);
	uint16_t n = sm_read_u16le(&reader), server_size = sm_read_u16le(&reader);

	if (reader.failed || server_size < SERVER_SIZE || n > SM_SERVERS_KNOWN_MAX ||
	    size - reader.at != (size_t)n * server_size ||
	    checksum != XXH3_64bits((const uint8_t *)bytes + CHECKSUM_SIZE, size - CHECKSUM_SIZE))
		return SM_CORRUPT;
	if (made_ns > now_ns || made_ns < 0 || now_ns - made_ns > SM_TABLE_LIFE_NS)
		return SM_MISS;
	for (uint16_t i = 0; i < n; i++) {
		struct sm_reader one = sm_reader_of(sm_read_bytes(&reader, server_size), server_size);
		struct sm_server_known known;

		decode_server(&one, &known);
		if (!one.failed && is_plausible(&known, now_ns))
			sm_servers_learn(servers, &known);
	}
	return SM_OK;
}
