/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tier/value.h"

#include "base/cursor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define NS_PER_MS 1000000LL
#define SUBJECT_VERSION 1
#define NEWER_SHARE 10 /* of its life: so much newer a value must be than what is to be renewed */
#define JUDGED_BY_NOBODY 1 /* judgements are left out, and each host makes its own */

/* ---- the view */

/* A server as bytes that can be compared. */
struct seen {
	uint8_t bytes[1 + 16 + 2 + 1 + SM_ZONE_MAX + 1];
};

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct seen));
}

/* In any order: hosts may try the same servers in another one. */
static XXH128_hash_t digest_of(const struct sm_rule *rule)
{
	struct seen seen[SM_SERVERS_MAX];

	memset(seen, 0, sizeof(seen));
	for (uint32_t i = 0; i < rule->n_servers; i++) {
		const struct sm_server *server = &rule->servers[i];
		struct sm_writer writer = sm_writer_of(seen[i].bytes, sizeof(seen[i].bytes));

		sm_write_u8(&writer, server->address.family);
		sm_write_bytes(&writer, server->address.bytes, sizeof(server->address.bytes));
		sm_write_u16le(&writer, server->port);
		sm_write_u8(&writer, server->is_stream);
		sm_write_bytes(&writer, server->zone, strlen(server->zone));
	}
	qsort(seen, rule->n_servers, sizeof(seen[0]), compare);
	return XXH3_128bits(seen, rule->n_servers * sizeof(seen[0]));
}

/* The rule that would hold if this one were not there. */
static const struct sm_rule *rule_around(const struct sm_rules *rules, const struct sm_rule *rule)
{
	for (uint32_t i = 0; i < rules->n_rules; i++) {
		const struct sm_rule *other = &rules->rules[i];

		if (other != rule && !other->is_exact && !other->is_disabled &&
		    sm_name_under(rule->name.text, rule->name.length, &other->name))
			return other; /* the longest stands first */
	}
	return &rules->elsewhere;
}

static XXH128_hash_t add(XXH128_hash_t digest, const void *bytes, size_t size)
{
	return XXH3_128bits_withSeed(bytes, size, digest.low64 ^ digest.high64);
}

/* A section that asks the servers which would be asked without it is of no effect. */
void sm_value_view(const struct sm_rules *rules, const char *word, char ret[SM_VIEW_MAX + 1])
{
	XXH128_hash_t digest = digest_of(&rules->elsewhere);

	if (word[0] != '\0') {
		snprintf(ret, SM_VIEW_MAX + 1, "%s", word);
		return;
	}
	for (uint32_t i = 0; i < rules->n_rules; i++) {
		const struct sm_rule *rule = &rules->rules[i];
		XXH128_hash_t own = digest_of(rule);

		if (rule->is_disabled || XXH128_isEqual(own, digest_of(rule_around(rules, rule))))
			continue;
		digest = add(add(digest, rule->name.text, rule->name.length + 1U), &own, sizeof(own));
	}
	snprintf(ret, SM_VIEW_MAX + 1, "=%016llx%016llx", (unsigned long long)digest.high64, (unsigned long long)digest.low64);
}

/* ---- the subject */

static void write_text(struct sm_writer *writer, const char *text)
{
	sm_write_bytes(writer, text, strlen(text) + 1);
}

size_t sm_value_subject(const struct sm_name *name, const struct sm_rule *rule, uint8_t families, const char *view,
                        uint8_t ret[SM_SUBJECT_MAX])
{
	struct sm_writer writer = sm_writer_of(ret, SM_SUBJECT_MAX);
	char template[SM_NAME_MAX + 1];

	sm_write_u8(&writer, SUBJECT_VERSION);
	write_text(&writer, name->text);
	write_text(&writer, rule->name.text);
	write_text(&writer, rule->domain.text);
	sm_write_u8(&writer, rule->is_exact);
	sm_write_u8(&writer, (uint8_t)rule->n_templates);
	for (uint32_t i = 0; sm_rule_template(rule, i, template); i++)
		write_text(&writer, template);
	write_text(&writer, rule->proto);
	sm_write_u8(&writer, (uint8_t)rule->fallback);
	sm_write_u8(&writer, (uint8_t)rule->elsewhere);
	sm_write_u16le(&writer, (uint16_t)rule->port);
	sm_write_u8(&writer, sm_rule_wants_metadata(rule) ? (uint8_t)(1 + rule->metadata) : 0);
	sm_write_u8(&writer, families);
	write_text(&writer, view);
	return writer.at;
}

/* ---- the value */

bool sm_value_is_shareable(const struct sm_answer *answer)
{
	return answer->kind != SM_ANSWER_FAILURE && !answer->uncertain_families && !answer->unawaited_families &&
	       !answer->is_metadata_unknown;
}

/* What is each host's own is left out. The arrays stay those of `answer`. */
static void strip(const struct sm_answer *answer, struct sm_target *targets, uint64_t *ranks, struct sm_answer *ret)
{
	static uint8_t origin[SM_ORIGIN_MAX];

	*ret = *answer;
	if (answer->origin) {
		memcpy(origin, answer->origin, answer->origin_size);
		sm_origin_lend(origin, answer->origin_size);
		ret->origin = origin;
	}
	ret->n_marks = 0;
	ret->marks = NULL;
	ret->deferred_families = 0;
	ret->judged_by = answer->judged_by ? JUDGED_BY_NOBODY : 0; /* without it a record has no metadata */
	ret->targets = targets;
	ret->ranks = ranks;
	for (uint32_t i = 0; i < answer->n_targets; i++) {
		targets[i] = answer->targets[i];
		targets[i].judgement = 0;
		targets[i].is_marked = false;
	}
}

enum sm_status sm_value_encode(const struct sm_value *value, const struct sm_name *name, const struct sm_answer *answer,
                               void *ret, size_t size, size_t *ret_size)
{
	static const uint64_t no_ranks[SM_ADDRESSES_MAX];
	static struct sm_target targets[SM_TARGETS_MAX];
	const struct sm_times no_times = {.made_ns = 0};
	struct sm_writer writer = sm_writer_of(ret, size);
	struct sm_answer stripped;
	enum sm_status status;

	sm_write_u64le(&writer, (uint64_t)value->made_ms);
	sm_write_u32le(&writer, value->lifetime_ms);
	sm_write_u32le(&writer, value->stale_ms);
	sm_write_u64le(&writer, value->flush);
	if (writer.failed)
		return SM_FULL;
	strip(answer, targets, (uint64_t *)(uintptr_t)no_ranks, &stripped);
	status = sm_record_encode(name, &stripped, &no_times, SM_FORMAT, writer.bytes + writer.at, size - writer.at, ret_size);
	if (status == SM_OK)
		*ret_size += writer.at;
	return status;
}

enum sm_status sm_value_decode(const void *bytes, size_t size, struct sm_value *ret)
{
	struct sm_reader reader = sm_reader_of(bytes, size);
	struct sm_value value;

	value.made_ms = (int64_t)sm_read_u64le(&reader);
	value.lifetime_ms = sm_read_u32le(&reader);
	value.stale_ms = sm_read_u32le(&reader);
	value.flush = sm_read_u64le(&reader);
	if (reader.failed || value.made_ms < 0)
		return SM_CORRUPT;
	value.record = (const uint8_t *)bytes + reader.at;
	value.size = size - reader.at;
	*ret = value;
	return SM_OK;
}

enum sm_status sm_value_answer(const struct sm_value *value, const struct sm_name *name, struct sm_arena *arena,
                               struct sm_answer *ret)
{
	struct sm_times times;
	enum sm_status status = sm_record_decode(name, value->record, value->size, arena, ret, &times);

	if (status != SM_OK)
		return status;
	ret->n_marks = 0; /* a host believes its own health alone, */
	for (uint32_t i = 0; i < ret->n_targets; i++)
		ret->targets[i].is_marked = false;
	ret->judged_by = 0; /* and judges by its own pairs */
	return sm_value_is_shareable(ret) ? SM_OK : SM_CORRUPT;
}

static int64_t age_ms(const struct sm_value *value, int64_t left_ms, int64_t wall_ms)
{
	int64_t by_clock = wall_ms - value->made_ms, whole = (int64_t)value->lifetime_ms + value->stale_ms;
	int64_t by_store = left_ms >= 0 && left_ms <= whole ? whole - left_ms : 0;

	return by_clock > by_store ? by_clock : by_store;
}

enum sm_value_age sm_value_age(const struct sm_value *value, const struct sm_answer *answer, const struct sm_rule *rule,
                               int64_t left_ms, int64_t wall_ms, int64_t now_ns, struct sm_times *ret)
{
	int64_t age = age_ms(value, left_ms, wall_ms);

	if (value->made_ms - wall_ms > SM_VALUE_AHEAD_MS)
		return SM_VALUE_AHEAD;
	if (age >= (int64_t)value->lifetime_ms + value->stale_ms || age > INT64_MAX / NS_PER_MS / 2)
		return SM_VALUE_ENDED;
	*ret = sm_lifetime_times(answer, rule, now_ns - age * NS_PER_MS);
	switch (sm_lifetime_freshness(ret, now_ns)) {
	case SM_FRESH:
	case SM_DUE:
		return SM_VALUE_FRESH;
	case SM_STALE:
	case SM_OLD:
		return SM_VALUE_OLD;
	case SM_DEAD:
		break;
	}
	return SM_VALUE_ENDED;
}

bool sm_value_renews(const struct sm_times *times, const struct sm_times *than)
{
	return times->made_ns > than->made_ns + (times->expires_ns - times->made_ns) / NEWER_SHARE;
}
