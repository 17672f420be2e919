/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resolve/recall.h"

#include "wire/message.h"

static uint32_t less(uint32_t ttl_s, uint32_t age_s)
{
	return ttl_s > age_s ? ttl_s - age_s : 0;
}

static bool find(const struct sm_asker *asker, const struct sm_question *question, const struct sm_rule *rule, int64_t now_ns,
                 struct sm_remembered *ret)
{
	return asker->hosts && sm_family_of(question->type) &&
	       asker->hosts->recall(asker->hosts_context, question, rule, now_ns, ret);
}

bool sm_asker_remembers(const struct sm_asker *asker, const struct sm_question *question, const struct sm_rule *rule,
                        int64_t now_ns)
{
	struct sm_remembered message;

	return find(asker, question, rule, now_ns, &message) && !message.is_alias;
}

enum sm_status sm_asker_recall(struct sm_asker *asker, uint32_t number, const struct sm_question *question,
                               const struct sm_rule *rule, int64_t now_ns, struct sm_arena *room, struct sm_reply *ret)
{
	struct sm_remembered message;

	if (!find(asker, question, rule, now_ns, &message))
		return SM_MISS;
	sm_arena_clear(room);
	if (sm_message_decode(message.bytes, message.size, question->name, question->type, room, ret) != SM_OK)
		return SM_MISS;
	if (!sm_asker_place(asker, number, question, rule))
		return SM_EXHAUSTED;
	for (uint32_t i = 0; i < ret->n_records; i++)
		ret->records[i].ttl_s = less(ret->records[i].ttl_s, message.age_s);
	ret->negative_ttl_s = less(ret->negative_ttl_s, message.age_s);
	return SM_OK;
}

/* 0: it does not say. */
static uint32_t lifetime_s(const struct sm_reply *reply, const struct sm_rule *rule)
{
	uint32_t ttl_s = rule->max_ttl_ms / 1000;

	if (!reply->has_answer && !reply->has_soa)
		return 0;
	if (reply->has_soa)
		sm_expand_lower(&ttl_s, reply->negative_ttl_s < rule->negative_ttl_ms / 1000 ? reply->negative_ttl_s
		                                                                              : rule->negative_ttl_ms / 1000);
	for (uint32_t i = 0; i < reply->n_records; i++)
		if (!reply->records[i].is_additional)
			sm_expand_lower(&ttl_s, reply->records[i].ttl_s);
	return ttl_s;
}

static bool has_alias(const struct sm_reply *reply)
{
	for (uint32_t i = 0; i < reply->n_records; i++)
		if (reply->records[i].type == SM_RR_CNAME)
			return true;
	return false;
}

void sm_asked_remember(const struct sm_asked *asked, const struct sm_try *try, const struct sm_reply *reply, int64_t now_ns)
{
	const struct sm_asker *asker = asked->asker;
	uint32_t ttl_s;

	if (!asker->hosts || !sm_family_of(asked->question.type) || reply->is_cut)
		return;
	ttl_s = lifetime_s(reply, try->rule);
	if (ttl_s > 0)
		asker->hosts->remember(asker->hosts_context, &asked->question, asked->first_rule,
		                       &(struct sm_remembered){try->message, try->message_size, 0, has_alias(reply)}, ttl_s,
		                       now_ns);
}
