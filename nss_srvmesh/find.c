/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of lookup: ours at all? the process's own memory; DNS. */
#include "nss_srvmesh/find.h"

#include "base/clock.h"
#include "base/scope.h"
#include "mesh/lifetime.h"
#include "mesh/record.h"
#include "nss_srvmesh/pin.h"
#include "nss_srvmesh/process.h"
#include "resolve/lookup.h"

#include <pthread.h>
#include <string.h>

#define SMALL_RECORD 1024 /* on the stack; a larger one is fetched again into memory of its size */

/* One program's question, and where its answer goes: to one of the two. */
struct wish {
	const struct sm_generation *generation;
	const struct sm_rule *rule;
	struct sm_name name;
	uint8_t families;
	int64_t now_ns;
	const struct sm_pin *pin; /* of the host's name, as it was at the door; NULL: none */
	struct sm_found *found;
	struct sm_found_service *service;
};

static enum sm_verdict verdict_of(enum sm_answer_kind kind)
{
	switch (kind) {
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

static enum sm_verdict choose_addresses(const struct wish *wish, const struct sm_answer *answer, int64_t expires_ns)
{
	int64_t left_ns = expires_ns - wish->now_ns;

	sm_choose(answer, wish->rule, wish->families, wish->pin, sm_process_draw(), &wish->found->choice);
	if (wish->pin && wish->found->choice.kind != SM_ANSWER_ADDRESSES)
		sm_pin_miss(&wish->name, wish->families);
	wish->found->name = wish->name;
	wish->found->ttl_s = left_ns > 0 ? (uint32_t)(left_ns / SM_NS_PER_S) : 0;
	return verdict_of(wish->found->choice.kind);
}

static enum sm_verdict choose_port(const struct wish *wish, const struct sm_answer *answer)
{
	uint8_t missed = sm_pin_missed(&wish->name, wish->now_ns);
	struct sm_pin pin;

	if (answer->kind != SM_ANSWER_ADDRESSES)
		return verdict_of(answer->kind);
	if ((!missed || sm_choose_target(answer, wish->rule, missed, sm_process_draw(), &pin) != SM_OK) &&
	    sm_choose_target(answer, wish->rule, SM_IPV4_AND_IPV6, sm_process_draw(), &pin) != SM_OK)
		return SM_VERDICT_NO_NAME; /* addresses, but no SRV: nobody knows a port */
	if (sm_pin_set(&wish->name, &pin, wish->now_ns) != SM_OK)
		return SM_VERDICT_TRY_AGAIN;
	wish->service->name = wish->name;
	memcpy(wish->service->proto, wish->rule->proto, sizeof(wish->service->proto));
	wish->service->port = pin.port;
	return SM_VERDICT_FOUND;
}

static enum sm_verdict choose(const struct wish *wish, const struct sm_answer *answer, int64_t expires_ns)
{
	return wish->service ? choose_port(wish, answer) : choose_addresses(wish, answer, expires_ns);
}

static enum sm_status use_record(const struct wish *wish, const void *bytes, size_t size, enum sm_verdict *ret)
{
	struct sm_answer answer;
	int64_t expires_ns;

	if (sm_record_decode(&wish->name, bytes, size, &answer, &expires_ns) != SM_OK || expires_ns <= wish->now_ns)
		return SM_MISS;
	*ret = choose(wish, &answer, expires_ns);
	return SM_OK;
}

static enum sm_status find_large(const struct wish *wish, size_t size, enum sm_verdict *ret)
{
	SM_SCOPE_FREE void *bytes = malloc(size);

	if (!bytes || sm_memory_get(&wish->generation->memory, &wish->name, bytes, size, &size) != SM_OK)
		return SM_MISS;
	return use_record(wish, bytes, size, ret);
}

static enum sm_status find_in_memory(const struct wish *wish, enum sm_verdict *ret)
{
	uint8_t bytes[SMALL_RECORD];
	size_t size;
	enum sm_status status = sm_memory_get(&wish->generation->memory, &wish->name, bytes, sizeof(bytes), &size);

	if (status == SM_FULL)
		return find_large(wish, size, ret);
	if (status != SM_OK)
		return SM_MISS;
	return use_record(wish, bytes, size, ret);
}

static void remember(const struct wish *wish, const struct sm_answer *answer, int64_t expires_ns)
{
	SM_SCOPE_FREE void *bytes = NULL;
	size_t size;

	if (expires_ns <= wish->now_ns)
		return;
	bytes = malloc(SM_RECORD_MAX);
	if (bytes && sm_record_encode(&wish->name, answer, expires_ns, bytes, SM_RECORD_MAX, &size) == SM_OK)
		sm_memory_put(&wish->generation->memory, &wish->name, bytes, size, expires_ns, wish->now_ns);
}

static enum sm_verdict use_lookup(struct wish *wish, struct sm_lookup *lookup)
{
	enum sm_status status = sm_lookup_run(lookup);
	const struct sm_answer *answer;
	int64_t expires_ns;

	if (status == SM_REFUSED)
		return SM_VERDICT_NOT_OURS; /* a sandbox: somebody else may have a way */
	if (status != SM_OK)
		return SM_VERDICT_TRY_AGAIN; /* our own want, and nothing to remember of the name */
	answer = sm_lookup_answer(lookup);
	wish->now_ns = sm_clock_now_ns();
	expires_ns = wish->now_ns + sm_lifetime_ms(answer, wish->rule) * SM_NS_PER_MS;
	remember(wish, answer, expires_ns);
	return choose(wish, answer, expires_ns);
}

static enum sm_verdict find_by_dns(struct wish *wish)
{
	const struct sm_rules *rules = &wish->generation->conf->rules;
	int64_t deadline_ns = wish->now_ns + wish->rule->deadline_ms * SM_NS_PER_MS;
	struct sm_lookup *lookup;
	enum sm_verdict verdict;

	if (sm_lookup_open(rules, wish->rule, &wish->name, wish->families, deadline_ns, &lookup) != SM_OK)
		return SM_VERDICT_TRY_AGAIN;
	verdict = use_lookup(wish, lookup);
	sm_lookup_close(lookup);
	return verdict;
}

static enum sm_verdict find_ours(struct wish *wish, const char *name, size_t length, const char *proto)
{
	enum sm_verdict verdict;

	if (!wish->generation->conf->host.is_embedded)
		return SM_VERDICT_NOT_OURS;
	if (sm_name_parse(name, length, &wish->name) != SM_OK)
		return SM_VERDICT_NO_NAME; /* under our suffix, but no name: nobody is to be asked about it */
	if (wish->service && proto && strcmp(proto, wish->rule->proto) != 0)
		return SM_VERDICT_NO_NAME; /* glibc asks for six protocols; SRV records are of one */
	wish->pin = wish->found ? sm_pin_get(&wish->name, wish->families, wish->now_ns) : NULL;
	if (find_in_memory(wish, &verdict) == SM_OK)
		return verdict;
	return find_by_dns(wish);
}

static enum sm_verdict find(struct wish *wish, const char *name, const char *proto)
{
	size_t length = strlen(name);
	enum sm_verdict verdict = SM_VERDICT_NOT_OURS;

	wish->now_ns = sm_clock_now_ns();
	wish->generation = sm_process_enter(wish->now_ns);
	if (!wish->generation)
		return SM_VERDICT_NOT_OURS;
	if (wish->generation->conf)
		wish->rule = sm_rules_match(&wish->generation->conf->rules, name, length);
	if (wish->rule)
		verdict = find_ours(wish, name, length, proto);
	sm_process_leave();
	return verdict;
}

/* The program's thread is not to be cancelled while it holds what is ours. */
static enum sm_verdict find_uncancelled(struct wish *wish, const char *name, const char *proto)
{
	enum sm_verdict verdict;
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	verdict = find(wish, name, proto);
	pthread_setcancelstate(state, NULL);
	return verdict;
}

enum sm_verdict sm_find(const char *name, uint8_t families, struct sm_found *ret)
{
	struct wish wish;

	/* field by field: an initializer would clear the whole name first, for foreign lookups too */
	wish.rule = NULL;
	wish.families = families;
	wish.found = ret;
	wish.service = NULL;
	return find_uncancelled(&wish, name, NULL);
}

enum sm_verdict sm_find_service(const char *name, const char *proto, struct sm_found_service *ret)
{
	struct wish wish;

	wish.rule = NULL;
	wish.families = SM_IPV4_AND_IPV6;
	wish.found = NULL;
	wish.service = ret;
	return find_uncancelled(&wish, name, proto);
}
