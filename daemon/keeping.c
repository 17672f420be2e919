/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/keeping.h"

#include "base/clock.h"
#include "base/scope.h"

/* The kept answer of a name, if it may still serve. */
static enum sm_status get_servable(struct sm_owner *owner, const struct sm_name *name, int64_t now_ns, struct sm_arena *arena,
                                   struct sm_answer *ret, struct sm_times *ret_times)
{
	const void *bytes;
	size_t size;

	if (sm_owner_get(owner, name, &bytes, &size) != SM_OK)
		return SM_MISS;
	if (sm_record_decode(name, bytes, size, arena, ret, ret_times) != SM_OK || ret->kind != SM_ANSWER_ADDRESSES)
		return SM_MISS;
	return sm_lifetime_freshness(ret_times, now_ns) == SM_DEAD ? SM_MISS : SM_OK;
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
	if (sm_lifetime_freshness(&times, now_ns) == SM_OLD)
		times = sm_lifetime_unrenewed(&times, rule, now_ns);
	return sm_owner_put(owner, name, &answer, &times, SM_LEDGER_NOBODY, now_ns, ret, ret_size);
}

/* Where servers answer, but badly, a name that failed again is asked again after a longer time. */
static struct sm_times lengthened(struct sm_owner *owner, const struct sm_name *name, const struct sm_answer *answer,
                                  struct sm_times times)
{
	enum sm_answer_kind kind;
	struct sm_times before;
	struct sm_name own;
	const void *bytes;
	size_t size;

	if (answer->kind != SM_ANSWER_FAILURE && !answer->uncertain_families)
		return times;
	if (sm_owner_get(owner, name, &bytes, &size) != SM_OK || sm_record_head(bytes, size, &own, &before, &kind) != SM_OK ||
	    kind != answer->kind)
		return times;
	return sm_lifetime_failed_again(&times, &before);
}

enum sm_status sm_keeping_answer(struct sm_owner *owner, const struct sm_rule *rule, const struct sm_name *name, uid_t uid,
                                 const struct sm_answer *answer, bool is_bad, struct sm_kept_answer *ret)
{
	int64_t now_ns = sm_clock_now_ns();
	struct sm_times times = sm_lifetime_times(answer, rule, now_ns);

	ret->is_old = answer->kind == SM_ANSWER_FAILURE && sm_keeping_old(owner, rule, name, &ret->record, &ret->size) == SM_OK;
	if (ret->is_old)
		return SM_OK;
	if (is_bad)
		times = lengthened(owner, name, answer, times);
	return sm_owner_put(owner, name, answer, &times, uid, now_ns, &ret->record, &ret->size);
}
