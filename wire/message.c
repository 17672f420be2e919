/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The DNS message decoder. We have our own because c-ares gives no TTL for SRV, CNAME and SOA.
 *
 * Names become folded text. A name with a character that is not allowed in host names cannot be asked for: a record
 * with such an owner is left out, and such a target is NULL. */
#include "wire/message.h"

#include "base/cursor.h"
#include "mesh/metadata.h"
#include "mesh/name.h"
#include "wire/dname.h"

#include <string.h>

#define CLASS_IN 1
#define FLAG_RESPONSE 0x8000
#define FLAG_AUTHORITATIVE 0x0400
#define FLAG_TRUNCATED 0x0200
#define FLAG_RECURSION_AVAILABLE 0x0080
#define MASK_OPCODE 0x7800
#define MASK_RCODE 0x000f
#define RECORD_SIZE_MIN 11 /* the root as its owner, and no data */

/* A name as it comes off the wire. */
struct wire_name {
	char text[SM_NAME_MAX + 1];
	size_t length;
	bool is_usable; /* a host name */
	bool is_text;   /* the text stands for this name alone */
};

struct message {
	struct sm_reader reader;
	struct sm_arena *arena;
	uint32_t records_room;
	uint32_t pointers;
	const char *name; /* asked for */
	enum sm_rr_type type;
	bool has_referred; /* NS records in the authority section */
	bool has_misplaced; /* what was asked for, in another section than the answer */
	bool has_dname;
	bool is_cut; /* a bound was reached: stop, and keep what was read */
	/* the owner of the last record: the next record mostly has the same owner, by the same pointer */
	struct wire_name owner;
	uint16_t owner_pointer;
	const char *kept_owner;
};

static void add_label(struct wire_name *name, const uint8_t *label, size_t length, bool *too_long)
{
	char *to;

	if (name->length + (name->length > 0) + length > SM_NAME_MAX) {
		*too_long = true;
		return;
	}
	if (name->length > 0)
		name->text[name->length++] = '.';
	to = name->text + name->length;
	name->length += length;
	for (size_t i = 0; i < length; i++) {
		char c = sm_name_folded[label[i]];

		to[i] = c;
		if (c && c != '.')
			continue;
		to[i] = (char)label[i];
		name->is_usable = false;
		name->is_text &= label[i] != '.' && label[i] != '\0';
	}
}

/* Reads a name at `reader` and follows compression pointers, backwards only (RFC 1035, 4.1.4). */
static void read_name(struct message *message, struct sm_reader *reader, struct wire_name *ret)
{
	struct sm_reader at = *reader;
	bool has_jumped = false, too_long = false;
	size_t lowest = reader->at;

	ret->length = 0;
	ret->is_usable = ret->is_text = true;
	for (;;) {
		uint8_t length = sm_read_u8(&at);
		const uint8_t *label;

		if ((length & 0xc0) == 0xc0) {
			size_t target = (size_t)(length & 0x3f) << 8 | sm_read_u8(&at);

			if (!has_jumped)
				*reader = at;
			has_jumped = true;
			if (message->pointers++ == SM_POINTERS_MAX)
				message->is_cut = true;
			if (at.failed || target >= lowest || message->is_cut)
				break;
			lowest = at.at = target;
			continue;
		}
		if (length == 0 || length > SM_LABEL_MAX)
			at.failed |= length > SM_LABEL_MAX;
		if (length == 0 || at.failed) {
			if (!has_jumped)
				*reader = at;
			reader->failed |= at.failed || too_long;
			ret->text[ret->length] = '\0';
			return;
		}
		label = sm_read_bytes(&at, length);
		if (label)
			add_label(ret, label, length, &too_long);
		if (too_long)
			at.failed = true;
	}
	ret->text[ret->length = 0] = '\0';
	reader->failed |= !message->is_cut;
}

static const char *keep_text(struct message *message, const struct wire_name *name)
{
	const char *text = sm_arena_text(message->arena, name->text, name->length);

	if (!text)
		message->is_cut = true;
	return text;
}

/* Reads the owner of a record into message->owner. The same pointer as before means the same name and is not followed
 * again, so that in a large set most of SM_POINTERS_MAX is left for the targets. */
static void read_owner(struct message *message)
{
	struct sm_reader ahead = message->reader;
	uint16_t pointer = sm_read_u16be(&ahead);

	if (pointer >= 0xc000 && pointer == message->owner_pointer) {
		message->reader = ahead;
		return;
	}
	message->owner_pointer = pointer;
	message->kept_owner = NULL;
	read_name(message, &message->reader, &message->owner);
}

static const char *keep_owner(struct message *message)
{
	if (!message->kept_owner)
		message->kept_owner = keep_text(message, &message->owner);
	return message->kept_owner;
}

/* An error may come without its question (RFC 1035, 4.1.1 does not say; many servers leave it out of what they did not
 * understand). It is that of the question with its id. That a name does not exist cannot be said so. */
static bool may_lack_question(uint16_t rcode)
{
	return rcode != SM_RCODE_NOERROR && rcode != SM_RCODE_NXDOMAIN;
}

static void read_question(struct message *message, uint16_t count, uint16_t rcode)
{
	struct wire_name asked;

	if (count != 1) {
		message->reader.failed |= count > 1 || !may_lack_question(rcode);
		return;
	}
	read_name(message, &message->reader, &asked);
	if (strcmp(asked.text, message->name) != 0 || sm_read_u16be(&message->reader) != message->type)
		message->reader.failed = true;
	if (sm_read_u16be(&message->reader) != CLASS_IN)
		message->reader.failed = true;
}

/* The SOA of a negative answer: its TTL and its minimum, whichever is less (RFC 2308, 5). */
static void read_soa(struct message *message, struct sm_reader *rdata, uint32_t ttl_s, struct sm_reply *reply)
{
	struct wire_name skipped;
	uint32_t minimum;

	read_name(message, rdata, &skipped);
	read_name(message, rdata, &skipped);
	sm_read_bytes(rdata, 16); /* serial, refresh, retry, expire */
	minimum = sm_read_u32be(rdata);
	if (rdata->failed || message->is_cut)
		return;
	reply->has_soa = true;
	reply->negative_ttl_s = ttl_s < minimum ? ttl_s : minimum;
}

static bool read_target(struct message *message, struct sm_reader *rdata, struct sm_dns_record *record)
{
	struct wire_name target;

	read_name(message, rdata, &target);
	if (message->is_cut || rdata->failed)
		return false;
	if (record->type == SM_RR_SRV)
		target.is_text &= target.is_usable;
	record->target = target.is_text ? keep_text(message, &target) : NULL;
	return !message->is_cut;
}

static bool read_strings(struct message *message, struct sm_reader *rdata, size_t length, struct sm_dns_record *record)
{
	const uint8_t *bytes = sm_read_bytes(rdata, length);
	char *kept;

	if (!bytes || sm_metadata_whole(bytes, length, length) != length)
		return false; /* odd metadata harm nothing else */
	kept = sm_arena_text(message->arena, (const char *)bytes, length);
	if (!kept)
		message->is_cut = true;
	record->strings = (const uint8_t *)kept;
	record->strings_size = (uint16_t)length;
	return kept;
}

static bool read_address(struct sm_reader *rdata, size_t length, struct sm_dns_record *record)
{
	const uint8_t *bytes = sm_read_bytes(rdata, length);

	if (bytes)
		memcpy(record->address, bytes, length);
	return bytes;
}

/* Reads the data of one record of a type that we keep; false: leave the record out. */
static bool read_rdata(struct message *message, struct sm_reader *rdata, struct sm_dns_record *record)
{
	switch (record->type) {
	case SM_RR_A:
		return read_address(rdata, 4, record);
	case SM_RR_AAAA:
		return read_address(rdata, 16, record);
	case SM_RR_DNAME:
		message->has_dname = true;
		/* fall through */
	case SM_RR_CNAME:
		return read_target(message, rdata, record);
	case SM_RR_TXT:
		return read_strings(message, rdata, rdata->size - rdata->at, record);
	case SM_RR_SRV:
		record->priority = sm_read_u16be(rdata);
		record->weight = sm_read_u16be(rdata);
		record->port = sm_read_u16be(rdata);
		return read_target(message, rdata, record);
	}
	return false;
}

enum section { ANSWER, AUTHORITY, ADDITIONAL };

static void keep_record(struct message *message, enum section section, struct sm_dns_record *record,
                        struct sm_reader *rdata, size_t end, struct sm_reply *reply)
{
	if (section == AUTHORITY || !message->owner.is_text || (section == ADDITIONAL && !message->owner.is_usable))
		return;
	record->is_additional = section == ADDITIONAL;
	if (!read_rdata(message, rdata, record)) {
		message->reader.failed |= rdata->failed;
		return;
	}
	if (rdata->at != end) {
		message->reader.failed = true;
		return;
	}
	if (reply->n_records == message->records_room) {
		message->is_cut = true;
		return;
	}
	record->owner = keep_owner(message);
	if (record->owner)
		reply->records[reply->n_records++] = *record;
}

static void read_record(struct message *message, enum section section, struct sm_reply *reply)
{
	struct sm_reader *reader = &message->reader, rdata;
	struct sm_dns_record record = {.type = 0};
	uint16_t class, length;

	read_owner(message);
	record.type = sm_read_u16be(reader);
	class = sm_read_u16be(reader);
	record.ttl_s = sm_read_u32be(reader);
	if (section == ADDITIONAL && record.type == SM_RR_OPT)
		reply->rcode |= (uint16_t)(record.ttl_s >> 24 << 4); /* RFC 6891, 6.1.3: an OPT has no TTL */
	if (record.ttl_s > INT32_MAX)
		record.ttl_s = 0; /* RFC 2181, 8 */
	length = sm_read_u16be(reader);
	rdata = *reader;
	sm_read_bytes(reader, length);
	if (reader->failed || message->is_cut || class != CLASS_IN)
		return;
	/* names in the data may point anywhere before it, but the data must not extend past its end */
	rdata.size = reader->at;
	message->has_referred |= section == AUTHORITY && record.type == SM_RR_NS;
	message->has_misplaced |= section != ANSWER && record.type == message->type &&
	                          strcmp(message->owner.text, message->name) == 0;
	if (section == AUTHORITY && record.type == SM_RR_SOA)
		read_soa(message, &rdata, record.ttl_s, reply);
	else
		keep_record(message, section, &record, &rdata, reader->at, reply);
}

static void read_section(struct message *message, enum section section, uint16_t count, struct sm_reply *reply)
{
	for (uint16_t i = 0; i < count && !message->reader.failed && !message->is_cut; i++)
		read_record(message, section, reply);
}

/* "No data" is said by a SOA, or by an empty answer of one who owns the name or recurses, and by nothing else. A forwarder
 * that says that it recurses may send a referral, too. */
static void judge(const struct message *message, uint16_t flags, uint16_t n_answers, struct sm_reply *reply)
{
	bool is_denial = reply->has_soa, is_known = flags & FLAG_AUTHORITATIVE, is_empty = n_answers == 0;

	reply->recurses = flags & FLAG_RECURSION_AVAILABLE;
	reply->has_answer = sm_reply_find(reply, message->name, message->type) ||
	                    sm_reply_find(reply, message->name, SM_RR_CNAME);
	reply->is_referral = is_empty && !is_denial && !is_known && (message->has_referred || !reply->recurses);
	if (reply->has_answer)
		return;
	reply->is_odd = message->has_misplaced || (!is_empty && !is_denial);
	reply->says_nothing = !message->has_misplaced && !message->has_referred && !is_denial &&
	                      (!is_empty || (!is_known && !reply->recurses));
}

/* Room for the records that the header counts, as far as the message can hold so many. */
static enum sm_status make_room(struct message *message, const uint16_t counts[4], struct sm_reply *reply)
{
	size_t n = (size_t)counts[1] + counts[3], can = message->reader.size / RECORD_SIZE_MIN;

	if (n > can)
		n = can;
	message->records_room = n < SM_RECORDS_MAX ? (uint32_t)n : SM_RECORDS_MAX;
	reply->records = sm_arena_take(message->arena, message->records_room * sizeof(*reply->records),
	                               _Alignof(struct sm_dns_record));
	return message->arena->failed ? SM_EXHAUSTED : SM_OK;
}

/* What a bound cut off is left out. But a message that lost records for want of memory, or all of them, would say that there
 * are no more. */
static bool has_lost_records(const struct message *message, const struct sm_reply *reply)
{
	return message->arena->is_exhausted || (message->arena->failed && reply->n_records == 0);
}

enum sm_status sm_message_decode(const void *bytes, size_t size, const char *name, enum sm_rr_type type,
                                 struct sm_arena *arena, struct sm_reply *ret)
{
	struct message message = {.reader = sm_reader_of(bytes, size), .arena = arena, .name = name, .type = type};
	uint16_t flags, counts[4];

	*ret = (struct sm_reply){.rcode = 0};
	sm_read_u16be(&message.reader); /* the id: was compared when the message was received */
	flags = sm_read_u16be(&message.reader);
	for (int i = 0; i < 4; i++)
		counts[i] = sm_read_u16be(&message.reader);
	if (message.reader.failed || !(flags & FLAG_RESPONSE) || (flags & MASK_OPCODE) != 0)
		return SM_CORRUPT;
	ret->rcode = flags & MASK_RCODE;
	if (make_room(&message, counts, ret) != SM_OK)
		return SM_EXHAUSTED;
	read_question(&message, counts[0], ret->rcode);
	if (message.reader.failed)
		return SM_CORRUPT;
	read_section(&message, ANSWER, counts[1], ret);
	read_section(&message, AUTHORITY, counts[2], ret);
	read_section(&message, ADDITIONAL, counts[3], ret);
	/* what is truncated may end inside a record: those before it are whole */
	if (message.reader.failed && !(flags & FLAG_TRUNCATED))
		return SM_CORRUPT;
	if (message.has_dname)
		sm_dname_expand(ret, name, type, arena);
	judge(&message, flags, counts[1], ret);
	ret->is_cut = message.is_cut || flags & FLAG_TRUNCATED;
	return has_lost_records(&message, ret) ? SM_EXHAUSTED : SM_OK;
}

static void skip_name(struct sm_reader *reader)
{
	uint8_t length;

	do {
		length = sm_read_u8(reader);
		if (length > SM_LABEL_MAX) { /* a pointer ends the name */
			sm_read_u8(reader);
			return;
		}
		sm_read_bytes(reader, length);
	} while (length > 0 && !reader->failed);
}

bool sm_message_is_whole(const void *bytes, size_t size)
{
	struct sm_reader reader = sm_reader_of(bytes, size);
	uint32_t n_questions, n_records;

	sm_read_u16be(&reader);
	if (sm_read_u16be(&reader) & FLAG_TRUNCATED)
		return false;
	n_questions = sm_read_u16be(&reader);
	n_records = sm_read_u16be(&reader);
	n_records += sm_read_u16be(&reader);
	n_records += sm_read_u16be(&reader);
	for (uint32_t i = 0; i < n_questions && !reader.failed; i++) {
		skip_name(&reader);
		sm_read_bytes(&reader, 4);
	}
	for (uint32_t i = 0; i < n_records && !reader.failed; i++) {
		skip_name(&reader);
		sm_read_bytes(&reader, 8); /* type, class, TTL */
		sm_read_bytes(&reader, sm_read_u16be(&reader));
	}
	return !reader.failed;
}

bool sm_message_settles(const struct sm_reply *reply)
{
	if (reply->rcode == SM_RCODE_NXDOMAIN)
		return true;
	/* a message that was cut, and holds nothing, says nothing */
	return reply->rcode == SM_RCODE_NOERROR && !reply->is_referral && !reply->is_odd &&
	       !(reply->is_cut && !reply->has_answer);
}

bool sm_message_declines(const struct sm_reply *reply)
{
	if (reply->rcode == SM_RCODE_REFUSED || reply->rcode == SM_RCODE_NOTIMP)
		return true;
	return reply->rcode == SM_RCODE_NOERROR && reply->is_referral && !reply->recurses;
}

bool sm_message_rejects_edns(const struct sm_reply *reply)
{
	return reply->rcode == SM_RCODE_FORMERR || reply->rcode == SM_RCODE_NOTIMP || reply->rcode == SM_RCODE_BADVERS;
}
