/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/keeping.h"

#include "base/clock.h"
#include "base/scope.h"
#include "mesh/expand.h"
#include "mesh/field.h"

#include <string.h>

static enum sm_status decode_servable(const struct sm_name *name, const void *bytes, size_t size, int64_t now_ns,
                                      struct sm_arena *arena, struct sm_answer *ret, struct sm_times *ret_times)
{
	if (sm_record_decode(name, bytes, size, arena, ret, ret_times) != SM_OK || ret->kind != SM_ANSWER_ADDRESSES)
		return SM_MISS;
	return sm_lifetime_freshness(ret_times, now_ns) == SM_DEAD ? SM_MISS : SM_OK;
}

/* The kept answer of a name, if it may still serve. */
static enum sm_status get_servable(struct sm_owner *owner, const struct sm_name *name, int64_t now_ns, struct sm_arena *arena,
                                   struct sm_answer *ret, struct sm_times *ret_times)
{
	const void *bytes;
	size_t size;

	if (sm_owner_get(owner, name, &bytes, &size) != SM_OK)
		return SM_MISS;
	return decode_servable(name, bytes, size, now_ns, arena, ret, ret_times);
}

enum sm_status sm_keeping_old(struct sm_owner *owner, const struct sm_rule *rule, const struct sm_name *name,
                              const void **ret, size_t *ret_size)
{
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	struct sm_answer answer;
	int64_t now_ns = sm_clock_now_ns();
	struct sm_times times;

	if (get_servable(owner, name, now_ns, &arena, &answer, &times) != SM_OK)
		return SM_MISS;
	times = sm_lifetime_unrenewed(&times, rule, now_ns);
	return sm_owner_put(owner, name, &answer, &times, SM_LEDGER_NOBODY, now_ns, ret, ret_size);
}

const struct sm_answer *sm_keeping_servable(struct sm_owner *owner, const struct sm_name *name, struct sm_arena *arena)
{
	struct sm_answer *answer = sm_arena_take(arena, sizeof(*answer), _Alignof(struct sm_answer));
	struct sm_times times;
	const void *record;
	uint8_t *bytes;
	size_t size;

	if (!answer || sm_owner_get(owner, name, &record, &size) != SM_OK)
		return NULL;
	bytes = sm_arena_take(arena, size, 1);
	if (!bytes)
		return NULL;
	memcpy(bytes, record, size);
	if (decode_servable(name, bytes, size, sm_clock_now_ns(), arena, answer, &times) != SM_OK)
		return NULL;
	sm_field_unpack_metadata(answer);
	return answer;
}

bool sm_keeping_lacks(struct sm_owner *owner, const struct sm_name *name, uint8_t families)
{
	struct sm_record_head head;
	const void *bytes;
	size_t size;

	return sm_owner_get(owner, name, &bytes, &size) == SM_OK && sm_record_head(bytes, size, &head) == SM_OK &&
	       (head.unasked_families & families) == families;
}

struct sm_kept_marks sm_keeping_marks(struct sm_owner *owner, const struct sm_name *name)
{
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	struct sm_kept_marks marks = {.is_plain = false};
	struct sm_answer answer;
	struct sm_times times;
	const void *bytes;
	size_t size;

	if (sm_owner_get(owner, name, &bytes, &size) != SM_OK ||
	    sm_record_decode(name, bytes, size, &arena, &answer, &times) != SM_OK)
		return marks;
	marks.is_plain = sm_answer_is_plain(&answer);
	marks.is_cut = sm_answer_is_cut(&answer);
	marks.families = sm_answer_known_families(&answer);
	return marks;
}

/* Where servers answer, but badly, or not for metadata, a name that failed again is asked again after a longer time. */
static struct sm_times lengthened(struct sm_owner *owner, const struct sm_job_answer *of, struct sm_times times)
{
	struct sm_record_head before;
	const void *bytes;
	size_t size;

	if (of->answer->kind != SM_ANSWER_FAILURE && !of->answer->uncertain_families && !of->answer->is_metadata_unknown)
		return times;
	if (sm_owner_get(owner, of->name, &bytes, &size) != SM_OK || sm_record_head(bytes, size, &before) != SM_OK ||
	    before.kind != of->answer->kind)
		return times;
	return sm_lifetime_failed_again(&times, &before.times);
}

/* The addresses are today's, the rest is as old as it was. */
static enum sm_status keep_with_old_times(struct sm_owner *owner, const struct sm_job_answer *of, struct sm_kept_answer *ret)
{
	struct sm_record_head before;
	struct sm_times times;

	if (sm_owner_get(owner, of->name, &ret->record, &ret->size) != SM_OK ||
	    sm_record_head(ret->record, ret->size, &before) != SM_OK ||
	    sm_lifetime_freshness(&before.times, of->answered_ns) == SM_DEAD)
		return SM_MISS;
	times = sm_lifetime_unrenewed(&before.times, of->rule, of->answered_ns);
	return sm_owner_put(owner, of->name, of->answer, &times, of->uid, of->answered_ns, &ret->record, &ret->size);
}

enum sm_status sm_keeping_answer(struct sm_owner *owner, const struct sm_job_answer *of, struct sm_kept_answer *ret)
{
	struct sm_times times = sm_lifetime_times(of->answer, of->rule, of->answered_ns);

	ret->is_old = of->answer->is_of_old && keep_with_old_times(owner, of, ret) == SM_OK;
	if (ret->is_old)
		return SM_OK;
	ret->is_old = (of->answer->kind == SM_ANSWER_FAILURE || sm_answer_is_makeshift(of->answer)) &&
	              sm_keeping_old(owner, of->rule, of->name, &ret->record, &ret->size) == SM_OK;
	if (ret->is_old)
		return SM_OK;
	if (of->is_bad || (of->answer->is_metadata_unknown && !of->answer->uncertain_families))
		times = lengthened(owner, of, times);
	if (of->is_outdated)
		sm_lifetime_end(&times, of->answered_ns);
	return sm_owner_put(owner, of->name, of->answer, &times, of->uid, of->answered_ns, &ret->record, &ret->size);
}
