/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tier/course.h"

#include "base/random.h"

#define PAUSE_NS (80 * 1000000LL) /* a question to DNS takes no longer, as a rule; the next one is three times as long */

static void end(struct sm_course *course, enum sm_course_state state)
{
	course->state = state;
	course->wakes_ns = INT64_MAX;
}

static void ask(struct sm_course *course)
{
	end(course, SM_COURSE_ASK);
}

struct sm_course sm_course_begin(bool is_renewal, bool may_claim, int64_t waits_ns, int64_t now_ns)
{
	return (struct sm_course){
		.state = SM_COURSE_READ,
		.is_renewal = is_renewal,
		.may_claim = may_claim,
		.waits_ns = waits_ns,
		.wakes_ns = now_ns + waits_ns,
	};
}

struct sm_course sm_course_without(void)
{
	struct sm_course course = {.is_renewal = false};

	ask(&course);
	return course;
}

void sm_course_heard(struct sm_course *course, enum sm_course_found found)
{
	if (course->state != SM_COURSE_READ)
		return;
	if (found == SM_COURSE_FRESH)
		end(course, SM_COURSE_DONE);
	else if (course->is_renewal && course->may_claim)
		course->state = SM_COURSE_CLAIM;
	else
		ask(course);
}

void sm_course_claimed(struct sm_course *course, bool is_ours, int64_t now_ns, uint64_t number)
{
	int64_t pause_ns = PAUSE_NS;

	if (course->state != SM_COURSE_CLAIM)
		return;
	if (is_ours || course->n_pauses == SM_COURSE_PAUSES) {
		end(course, is_ours ? SM_COURSE_ASK : SM_COURSE_LEFT);
		return;
	}
	for (uint32_t i = 0; i < course->n_pauses; i++)
		pause_ns *= 3;
	course->n_pauses++;
	course->state = SM_COURSE_PAUSE;
	course->wakes_ns = now_ns + sm_random_around(pause_ns, number);
}

void sm_course_wake(struct sm_course *course, int64_t now_ns)
{
	if (course->state >= SM_COURSE_ASK || now_ns < course->wakes_ns)
		return;
	if (course->state != SM_COURSE_PAUSE) {
		ask(course);
		return;
	}
	course->state = SM_COURSE_READ;
	course->wakes_ns = now_ns + course->waits_ns;
}

void sm_course_hurry(struct sm_course *course, int64_t head_start_ns, int64_t now_ns)
{
	if (course->state >= SM_COURSE_ASK || !course->is_renewal)
		return;
	course->is_renewal = false;
	if (course->state != SM_COURSE_READ)
		ask(course);
	else if (course->wakes_ns > now_ns + head_start_ns)
		course->wakes_ns = now_ns + head_start_ns;
}

void sm_course_fail(struct sm_course *course)
{
	if (course->state < SM_COURSE_ASK)
		ask(course);
}
