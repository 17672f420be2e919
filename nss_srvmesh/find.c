/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of lookup: ours at all? the process's own memory; DNS. */
#include "nss_srvmesh/find.h"

#include "base/clock.h"
#include "base/scope.h"
#include "mesh/lifetime.h"
#include "mesh/record.h"
#include "nss_srvmesh/process.h"
#include "resolve/lookup.h"

#include <pthread.h>
#include <string.h>

#define SMALL_RECORD 1024 /* on the stack; a larger one is fetched again into memory of its size */

/* One program's question. */
struct wish {
	const struct sm_generation *generation;
	const struct sm_rule *rule;
	uint8_t families;
	int64_t now_ns;
};

static enum sm_verdict verdict_of(const struct sm_choice *choice)
{
	switch (choice->kind) {
	case SM_ANSWER_ADDRESSES:
		return SM_VERDICT_FOUND;
	case SM_ANSWER_NO_NAME:
		return SM_VERDICT_NO_NAME;
	case SM_ANSWER_NO_DATA:
		return SM_VERDICT_NO_DATA;
	case SM_ANSWER_FAILURE:
		break;
	}
	return SM_VERDICT_TRY_AGAIN;
}

static enum sm_verdict choose(const struct wish *wish, const struct sm_answer *answer, int64_t expires_ns,
                              struct sm_found *ret)
{
	int64_t left_ns = expires_ns - wish->now_ns;

	sm_choose(answer, wish->rule, wish->families, sm_process_draw(), &ret->choice);
	ret->ttl_s = left_ns > 0 ? (uint32_t)(left_ns / SM_NS_PER_S) : 0;
	return verdict_of(&ret->choice);
}

static enum sm_status use_record(const struct wish *wish, const void *bytes, size_t size, struct sm_found *ret,
                                 enum sm_verdict *ret_verdict)
{
	struct sm_answer answer;
	int64_t expires_ns;

	if (sm_record_decode(&ret->name, bytes, size, &answer, &expires_ns) != SM_OK || expires_ns <= wish->now_ns)
		return SM_MISS;
	*ret_verdict = choose(wish, &answer, expires_ns, ret);
	return SM_OK;
}

static enum sm_status find_large(const struct wish *wish, size_t size, struct sm_found *ret,
                                 enum sm_verdict *ret_verdict)
{
	SM_SCOPE_FREE void *bytes = malloc(size);

	if (!bytes || sm_memory_get(&wish->generation->memory, &ret->name, bytes, size, &size) != SM_OK)
		return SM_MISS;
	return use_record(wish, bytes, size, ret, ret_verdict);
}

static enum sm_status find_in_memory(const struct wish *wish, struct sm_found *ret, enum sm_verdict *ret_verdict)
{
	uint8_t bytes[SMALL_RECORD];
	size_t size;
	enum sm_status status = sm_memory_get(&wish->generation->memory, &ret->name, bytes, sizeof(bytes), &size);

	if (status == SM_FULL)
		return find_large(wish, size, ret, ret_verdict);
	if (status != SM_OK)
		return SM_MISS;
	return use_record(wish, bytes, size, ret, ret_verdict);
}

static void remember(const struct wish *wish, const struct sm_name *name, const struct sm_answer *answer,
                     int64_t expires_ns)
{
	SM_SCOPE_FREE void *bytes = NULL;
	size_t size;

	if (expires_ns <= wish->now_ns)
		return;
	bytes = malloc(SM_RECORD_MAX);
	if (bytes && sm_record_encode(name, answer, expires_ns, bytes, SM_RECORD_MAX, &size) == SM_OK)
		sm_memory_put(&wish->generation->memory, name, bytes, size, expires_ns, wish->now_ns);
}

static enum sm_verdict use_lookup(struct wish *wish, struct sm_lookup *lookup, struct sm_found *ret)
{
	const struct sm_answer *answer;
	int64_t expires_ns;

	if (sm_lookup_run(lookup) != SM_OK)
		return SM_VERDICT_NOT_OURS; /* a sandbox: somebody else may have a way */
	answer = sm_lookup_answer(lookup);
	wish->now_ns = sm_clock_now_ns();
	expires_ns = wish->now_ns + sm_lifetime_ms(answer, wish->rule) * SM_NS_PER_MS;
	remember(wish, &ret->name, answer, expires_ns);
	return choose(wish, answer, expires_ns, ret);
}

static enum sm_verdict find_by_dns(struct wish *wish, struct sm_found *ret)
{
	const struct sm_rules *rules = &wish->generation->conf->rules;
	int64_t deadline_ns = wish->now_ns + wish->rule->deadline_ms * SM_NS_PER_MS;
	struct sm_lookup *lookup;
	enum sm_verdict verdict;

	if (sm_lookup_open(rules, wish->rule, &ret->name, deadline_ns, &lookup) != SM_OK)
		return SM_VERDICT_TRY_AGAIN;
	verdict = use_lookup(wish, lookup, ret);
	sm_lookup_close(lookup);
	return verdict;
}

static enum sm_verdict find_ours(struct wish *wish, const char *name, size_t length, struct sm_found *ret)
{
	enum sm_verdict verdict;

	if (!wish->generation->conf->host.is_embedded)
		return SM_VERDICT_NOT_OURS;
	if (sm_name_parse(name, length, &ret->name) != SM_OK)
		return SM_VERDICT_NO_NAME; /* under our suffix, but no name: nobody is to be asked about it */
	if (find_in_memory(wish, ret, &verdict) == SM_OK)
		return verdict;
	return find_by_dns(wish, ret);
}

static enum sm_verdict find(struct wish *wish, const char *name, struct sm_found *ret)
{
	size_t length = strlen(name);
	enum sm_verdict verdict = SM_VERDICT_NOT_OURS;

	wish->generation = sm_process_enter(wish->now_ns);
	if (!wish->generation)
		return SM_VERDICT_NOT_OURS;
	if (wish->generation->conf)
		wish->rule = sm_rules_match(&wish->generation->conf->rules, name, length);
	if (wish->rule)
		verdict = find_ours(wish, name, length, ret);
	sm_process_leave();
	return verdict;
}

enum sm_verdict sm_find(const char *name, uint8_t families, struct sm_found *ret)
{
	struct wish wish = {.families = families, .now_ns = sm_clock_now_ns()};
	enum sm_verdict verdict;
	int cancel_state;

	/* the program's thread is not to be cancelled while it holds what is ours */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	verdict = find(&wish, name, ret);
	pthread_setcancelstate(cancel_state, NULL);
	return verdict;
}
