/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/values.h"

#include "base/clock.h"
#include "base/random.h"
#include "daemon/log.h"

int64_t sm_values_wall_ms(void)
{
	return sm_clock_wall_ns() / SM_NS_PER_MS;
}

/* ---- reading */

/* Something is there that nobody of ours has put there as it is, or not for us. */
static enum sm_course_found refuse(struct sm_shared *shared)
{
	shared->n_refused++;
	return SM_COURSE_NOTHING;
}

void sm_values_note_ahead(struct sm_shared *shared)
{
	if (!shared->is_ahead_told)
		sm_log(SM_LOG_WARNING, "what another host shares is from the future: the clock is wrong there, or here", NULL);
	shared->is_ahead_told = true;
}

/* What of the families that a client wants is lacking is no answer to it. */
static enum sm_course_found judge_age(struct sm_shared *shared, const struct sm_job *job, const struct sm_value *value,
                                      const struct sm_answer *answer, int64_t left_ms, struct sm_times *ret_times)
{
	const struct sm_sharing *sharing = &job->sharing;

	if (answer->unasked_families & job->needs)
		return SM_COURSE_NOTHING;
	switch (sm_value_age(value, answer, job->rule, left_ms, sm_values_wall_ms(), sm_clock_now_ns(), ret_times)) {
	case SM_VALUE_FRESH:
		return sm_value_renews(ret_times, &sharing->renewed) ? SM_COURSE_FRESH : SM_COURSE_SAME;
	case SM_VALUE_OLD:
		return SM_COURSE_OLD;
	case SM_VALUE_ENDED:
		return SM_COURSE_NOTHING;
	case SM_VALUE_AHEAD:
		break;
	}
	sm_values_note_ahead(shared);
	return refuse(shared);
}

enum sm_course_found sm_values_read(struct sm_shared *shared, const struct sm_job *job, const char *key, const void *bytes,
                                    size_t size, int64_t left_ms, struct sm_arena *arena, struct sm_answer *ret,
                                    struct sm_times *ret_times)
{
	static uint8_t text[SM_RESP_BULK_MAX];
	struct sm_value value;
	size_t text_size;

	if (!bytes)
		return SM_COURSE_NOTHING;
	if (sm_seal_open(shared->seal, key, bytes, size, text, &text_size) != SM_OK ||
	    sm_value_decode(text, text_size, &value) != SM_OK || sm_value_answer(&value, &job->name, arena, ret) != SM_OK)
		return refuse(shared);
	if (!sm_flushes_allow(&shared->flushes, &job->name, value.flush, value.made_ms))
		return SM_COURSE_NOTHING;
	return judge_age(shared, job, &value, ret, left_ms, ret_times);
}

/* ---- writing */

static enum sm_status seal(struct sm_shared *shared, const struct sm_job *job, const struct sm_value *value,
                           const struct sm_answer *answer, uint8_t *ret, size_t *ret_size)
{
	static uint8_t text[SM_VALUE_MAX];
	uint8_t salt[SM_SEAL_SALT_SIZE];
	size_t size;

	if (sm_value_encode(value, &job->name, answer, text, sizeof(text), &size) != SM_OK)
		return SM_FULL;
	if (!sm_random_secret(salt, sizeof(salt)))
		return SM_EXHAUSTED;
	*ret_size = size + SM_SEAL_OVERHEAD;
	return sm_seal_close(shared->seal, job->sharing.keys[0], salt, text, size, ret);
}

static bool may_share(const struct sm_shared *shared, const struct sm_job *job)
{
	return shared->seal && !shared->conf.is_read_only && job->may_be_shared && job->sharing.n_keys > 0 &&
	       !sm_shared_is_outdated(shared, job);
}

/* If it cannot be done, other hosts ask DNS themselves. */
void sm_values_share(struct sm_shared *shared, const struct sm_job *job)
{
	static uint8_t sealed[SM_VALUE_MAX + SM_SEAL_OVERHEAD];
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	struct sm_value value = {.flush = job->sharing.flush};
	int64_t passed_ms, left_ms;
	struct sm_answer answer;
	struct sm_times times;
	enum sm_status status;
	size_t size;

	if (!may_share(shared, job) ||
	    sm_record_decode(&job->name, job->body, job->body_size, &arena, &answer, &times) != SM_OK ||
	    !sm_value_is_shareable(&answer))
		return;
	passed_ms = (sm_clock_now_ns() - job->answered_ns) / SM_NS_PER_MS;
	value.made_ms = sm_values_wall_ms() - passed_ms;
	value.lifetime_ms = sm_lifetime_ms(&answer, job->rule);
	value.stale_ms = answer.kind == SM_ANSWER_ADDRESSES ? job->rule->stale_ms : 0;
	left_ms = (int64_t)value.lifetime_ms + value.stale_ms - passed_ms;
	if (left_ms <= 0 || seal(shared, job, &value, &answer, sealed, &size) != SM_OK)
		return;
	status = sm_store_write(&shared->store, job->sharing.keys[0], sealed, size, (uint64_t)left_ms);
	(void)status;
}
