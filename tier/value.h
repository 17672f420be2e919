/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is sealed: an answer as hosts share it, and of what question it is. Pure. */
#pragma once

#include "base/arena.h"
#include "base/status.h"
#include "mesh/answer.h"
#include "mesh/name.h"
#include "mesh/record.h"
#include "mesh/rule.h"

#define SM_VALUE_MAX (128U << 10) /* bytes: larger answers are not shared */
#define SM_VALUE_AHEAD_MS (5 * 60 * 1000LL) /* clocks of hosts may differ by so much */
#define SM_VIEW_MAX 64

/* ---- the subject: what an answer depends on, and nothing else
 *
 * The name, the rule's name, templates, proto, fallback, port, the source of metadata where they are asked for, the families
 * asked, and the view: whose word it is. Not in it is what each host does with an answer: lifetimes, stale, health, the values
 * of filters, answers, deadlines. */
#define SM_SUBJECT_MAX (SM_NAME_MAX * (3 + SM_TEMPLATES_MAX) + SM_VIEW_MAX + 256)

/* The view: a word that stands for servers that say the same, or a digest of all servers that may be asked; written to `ret`. */
void sm_value_view(const struct sm_rules *rules, const char *word, char ret[SM_VIEW_MAX + 1]);

/* Returns the size. `families`: those that this host asks for. */
size_t sm_value_subject(const struct sm_name *name, const struct sm_rule *rule, uint8_t families, const char *view,
                        uint8_t ret[SM_SUBJECT_MAX]);

/* ---- the value
 *
 *   u64 made_ms        the sealer's wall clock when DNS had answered (milliseconds since 1970)
 *   u32 lifetime_ms, u32 stale_ms    for which the sealer lets the store keep it
 *   u64 flush          the last flush that the sealer had taken for the name when it asked; 0: none (tier/flushes.h)
 *   a record (mesh/record.h), without times, ranks, marks and judgements, which are each host's own */

struct sm_value {
	int64_t made_ms;
	uint32_t lifetime_ms, stale_ms;
	uint64_t flush;
	const void *record; /* borrowed */
	size_t size;
};

/* May an answer that DNS itself gave be shared? Whole ones and denials alone. */
bool sm_value_is_shareable(const struct sm_answer *answer);

/* `value` without its record, which is made of `answer`. SM_FULL: it does not fit. */
enum sm_status sm_value_encode(const struct sm_value *value, const struct sm_name *name, const struct sm_answer *answer,
                               void *ret, size_t size, size_t *ret_size) SM_MUST_CHECK;
/* SM_CORRUPT: not a value. */
enum sm_status sm_value_decode(const void *bytes, size_t size, struct sm_value *ret) SM_MUST_CHECK;
/* The answer in it; as sm_record_decode. SM_CORRUPT also where it is none that may be shared. */
enum sm_status sm_value_answer(const struct sm_value *value, const struct sm_name *name, struct sm_arena *arena,
                               struct sm_answer *ret) SM_MUST_CHECK;

enum sm_value_age {
	SM_VALUE_FRESH,
	SM_VALUE_OLD,   /* past its TTL */
	SM_VALUE_ENDED, /* beyond what the sealer or the rule lets it be used */
	SM_VALUE_AHEAD, /* made in the future: a clock is wrong */
};

/* How old it is, by the store's clock (`left_ms` until the store drops it; negative: not known) or by ours, whichever makes it
 * older; and how this host's rule may use it. `*ret`: its times in this host. */
enum sm_value_age sm_value_age(const struct sm_value *value, const struct sm_answer *answer, const struct sm_rule *rule,
                               int64_t left_ms, int64_t wall_ms, int64_t now_ns, struct sm_times *ret);

/* Is an answer of these times new enough to renew one of `than`? */
bool sm_value_renews(const struct sm_times *times, const struct sm_times *than);
