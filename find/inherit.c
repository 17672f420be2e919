/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "find/inherit.h"

#include "base/scope.h"
#include "mesh/record.h"

#include <stdlib.h>

#define SMALL 4096

static const struct sm_rule *rule_of(const struct sm_generation *generation, const struct sm_name *name)
{
	return sm_rules_match(&generation->conf->rules, name->text, name->length);
}

static void take_as_old(struct sm_generation *fresh, const struct sm_record_head *head, const void *bytes, size_t size,
                        int64_t now_ns)
{
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	SM_SCOPE_FREE void *old = NULL;
	struct sm_answer answer;
	struct sm_times times;

	if (head->kind != SM_ANSWER_ADDRESSES || sm_record_decode(&head->name, bytes, size, &arena, &answer, &times) != SM_OK)
		return;
	sm_lifetime_end(&times, now_ns);
	size = sm_record_size(&head->name, &answer);
	old = malloc(size);
	if (old && sm_record_encode(&head->name, &answer, &times, SM_FORMAT, old, size, &size) == SM_OK)
		sm_memory_put(&fresh->memory, &head->name, old, size, times.expires_ns, now_ns);
}

static void take(struct sm_generation *fresh, const struct sm_generation *old, const void *bytes, size_t size,
                 int64_t now_ns)
{
	const struct sm_rule *before, *today;
	struct sm_record_head head;

	if (sm_record_head(bytes, size, &head) != SM_OK)
		return;
	before = rule_of(old, &head.name);
	today = rule_of(fresh, &head.name);
	if (!before || !today)
		return;
	switch (sm_rule_standing(today, before->key)) {
	case SM_OF_RULE:
		sm_memory_put(&fresh->memory, &head.name, bytes, size, head.times.expires_ns, now_ns);
		break;
	case SM_OF_OLDER_RULE:
		take_as_old(fresh, &head, bytes, size, now_ns);
		break;
	case SM_OF_OTHER_RULE:
		break;
	}
}

void sm_generation_inherit(struct sm_generation *fresh, const struct sm_generation *old, int64_t now_ns)
{
	SM_SCOPE_FREE uint8_t *bytes = malloc(SMALL);
	size_t room = SMALL, size;
	uint32_t at = 0;

	while (bytes) {
		enum sm_status status = sm_memory_next(&old->memory, &at, bytes, room, &size);

		if (status == SM_OK) {
			take(fresh, old, bytes, size, now_ns);
		} else if (status == SM_FULL) {
			free(bytes);
			room = size;
			bytes = malloc(room);
		} else {
			return;
		}
	}
}
