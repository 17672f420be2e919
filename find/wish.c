/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes of an answer: it is drawn from, and kept. */
#include "find/wish.h"

#include "base/clock.h"
#include "base/scope.h"
#include "mesh/judge.h"
#include "mesh/record.h"

#include <stdlib.h>
#include <string.h>

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

__attribute__((noinline))
static void say_canonical(const struct sm_answer *answer, const struct sm_name *name, struct sm_name *ret)
{
	const char *canonical = answer->targets[0].name;

	if (!sm_answer_is_plain(answer) || strcmp(canonical, name->text) == 0)
		return;
	if (sm_name_parse(canonical, strlen(canonical), ret) != SM_OK)
		ret->length = 0;
}

static enum sm_verdict choose_addresses(const struct wish *wish, const struct sm_answer *answer, int64_t expires_ns)
{
	int64_t left_ns = expires_ns - wish->now_ns;
	uint64_t dice = answer->n_addresses > 1 ? sm_process_draw() : 0; /* of one there is nothing to draw */

	sm_choose(answer, wish->rule, wish->families, wish->pin, dice, wish->now_ns, &wish->found->choice);
	if (wish->pin && wish->found->choice.kind != SM_ANSWER_ADDRESSES)
		sm_pin_miss(&wish->name, wish->families);
	wish->found->name.length = wish->name.length;
	memcpy(wish->found->name.text, wish->name.text, wish->name.length + 1U); /* most are short, the whole is not */
	wish->found->canonical.length = 0;
	if (answer->n_targets == 1 && answer->targets[0].port == 0)
		say_canonical(answer, &wish->name, &wish->found->canonical);
	wish->found->ttl_s = left_ns > 0 && answer->n_targets == 1 ? (uint32_t)(left_ns / SM_NS_PER_S) : 0;
	return verdict_of(wish->found->choice.kind);
}

static enum sm_status draw_port(const struct wish *wish, const struct sm_answer *answer, uint8_t families, struct sm_pin *ret)
{
	return sm_choose_target(answer, wish->rule, families, sm_process_draw(), wish->now_ns, ret);
}

static enum sm_verdict choose_port(const struct wish *wish, const struct sm_answer *answer)
{
	uint8_t missed_families = sm_pin_missed_families(&wish->name, wish->now_ns);
	enum sm_status status = SM_MISS;
	struct sm_pin pin;

	if (answer->kind != SM_ANSWER_ADDRESSES)
		return verdict_of(answer->kind);
	if (missed_families)
		status = draw_port(wish, answer, missed_families, &pin);
	if (status != SM_OK)
		status = draw_port(wish, answer, SM_IPV4_AND_IPV6, &pin);
	if (status != SM_OK) /* SM_MISS: addresses, but no SRV: no port is known */
		return status == SM_MISS ? SM_VERDICT_NO_NAME : SM_VERDICT_TRY_AGAIN;
	if (sm_pin_set(&wish->name, &pin, wish->now_ns) != SM_OK)
		return SM_VERDICT_TRY_AGAIN;
	wish->service->name = wish->name;
	memcpy(wish->service->proto, wish->rule->proto, sizeof(wish->service->proto));
	wish->service->port = pin.port;
	return SM_VERDICT_FOUND;
}

/* All that is known in another network namespace is which families it has addresses of. */
static void forget_ranks(struct sm_answer *answer, uint8_t families)
{
	for (uint32_t i = 0; i < answer->n_addresses; i++)
		answer->ranks[i] = SM_RANK_UNKNOWN | (answer->addresses[i].family & families ? 0 : SM_RANK_UNREACHABLE);
}

/* A family that was left out is asked for where the program wants it alone, or where this host is not srvmeshd's, but a
 * container with a network of its own. */
static uint8_t lacking(const struct wish *wish, const struct sm_answer *answer, uint8_t others)
{
	uint8_t unasked = answer->unasked_families & wish->families;

	return wish->families == SM_IPV4_AND_IPV6 ? unasked & others : unasked;
}

void sm_wish_adapt(struct wish *wish, bool is_shared, struct sm_answer *answer)
{
	uint8_t others = is_shared ? sm_wish_other_families(wish) : 0;

	if (others)
		forget_ranks(answer, others);
	wish->lacking = lacking(wish, answer, others);
}

uint8_t sm_wish_families(const struct wish *wish)
{
	return wish->lacking ? wish->lacking : wish->families;
}

__attribute__((noinline, cold))
static void show(const struct wish *wish, const struct sm_answer *answer, const struct sm_times *times)
{
	const struct sm_sight sight = {
		.place = wish->place,
		.conf = wish->generation->conf,
		.rule = wish->rule,
		.name = &wish->name,
		.answer = answer,
		.times = times,
		.families = wish->families,
		.now_ns = wish->now_ns,
		.choice = wish->found ? &wish->found->choice : NULL,
	};

	wish->watcher->see(wish->watcher->context, &sight);
}

enum sm_verdict sm_wish_choose(struct wish *wish, struct sm_answer *answer, const struct sm_times *times)
{
	enum sm_verdict verdict;

	if (!sm_process_has_drawn() && (answer->n_addresses > 1 || wish->service))
		sm_inside_guard(&wish->stay);
	sm_judge_if_needed(answer, wish->rule);
	verdict = wish->service ? choose_port(wish, answer) : choose_addresses(wish, answer, times->expires_ns);
	if (wish->watcher)
		show(wish, answer, times);
	return verdict;
}

__attribute__((noinline))
static void make_ready(const struct wish *wish, const struct sm_answer *answer, const struct sm_times *times)
{
	const struct sm_ready_answer note = {
		.change = wish->change,
		.txnid = wish->txnid,
		.made_ns = times->made_ns,
		.due_ns = sm_lifetime_due_ns(times),
		.expires_ns = times->expires_ns,
		.address = answer->addresses[0],
		.unasked_families = answer->unasked_families,
		.place = (uint8_t)wish->place,
	};
	struct sm_ready_key key;

	/* no other way of writing it is known here */
	if (sm_ready_key(wish->name.text, wish->name.length, &key) && key.hash == wish->hash)
		sm_ready_put(sm_process_ready(), &key, &note);
}

void sm_wish_note(const struct wish *wish, const struct sm_answer *answer, const struct sm_times *times)
{
	if (wish->hash != 0 && sm_choose_is_certain(answer, wish->rule) && !answer->unawaited_families && !wish->pin &&
	    wish->found->canonical.length == 0 && sm_ready_wants(sm_process_ready(), wish->hash))
		make_ready(wish, answer, times);
}

/* As `lacking` says of a record. */
static bool is_lacking(const struct wish *wish, const struct sm_view *view, const struct sm_ready_answer *kept)
{
	if (!(kept->unasked_families & wish->families))
		return false;
	return wish->families != SM_IPV4_AND_IPV6 || (kept->place == SM_PLACE_MAP && view &&
	                                              atomic_load_explicit(&view->other_families, memory_order_relaxed) != 0);
}

static bool is_good(const struct wish *wish, const struct sm_view *view, const struct sm_ready_answer *kept)
{
	return kept->change == wish->change && kept->txnid == wish->txnid && wish->now_ns >= kept->made_ns &&
	       wish->now_ns < kept->due_ns && (kept->address.family & wish->families) && !is_lacking(wish, view, kept);
}

bool sm_wish_recall(struct wish *wish, const char *name, size_t length)
{
	const struct sm_ready *ready = sm_process_ready();
	uint64_t change = sm_ready_change(ready); /* before anything else is looked at */
	const struct sm_view *view = atomic_load_explicit(&wish->generation->view, memory_order_acquire);
	struct sm_ready_answer kept;
	struct sm_ready_key key;

	wish->change = change;
	wish->txnid = view ? sm_reader_newest(&view->mapped) : 0;
	if (!sm_ready_key(name, length, &key))
		return false;
	wish->hash = key.hash;
	if (!sm_ready_get(ready, &key, &kept) || !is_good(wish, view, &kept) || sm_pin_is_of(name) ||
	    !sm_process_is_settled(wish->now_ns))
		return false;
	wish->place = kept.place;
	wish->found->name.length = (uint8_t)length;
	memcpy(wish->found->name.text, name, length + 1);
	wish->found->canonical.length = 0;
	wish->found->choice.kind = SM_ANSWER_ADDRESSES;
	wish->found->choice.n_addresses = 1;
	wish->found->choice.targets[0] = 0;
	wish->found->choice.addresses[0] = kept.address;
	wish->found->ttl_s = (uint32_t)((kept.expires_ns - wish->now_ns) / SM_NS_PER_S);
	return true;
}

static void *copy_of(const void *bytes, size_t size)
{
	void *copy = malloc(size);

	if (copy)
		memcpy(copy, bytes, size);
	return copy;
}

void sm_wish_keep_old(struct wish *wish, const void *bytes, size_t size, const struct sm_times *times)
{
	void *copy;

	if (wish->old && wish->old_times.recheck_ns >= times->recheck_ns)
		return;
	copy = copy_of(bytes, size);
	if (!copy)
		return;
	free(wish->old);
	wish->old = copy;
	wish->old_size = size;
	wish->old_times = *times;
}

void sm_wish_keep_partial(struct wish *wish, const void *bytes, size_t size)
{
	free(wish->partial);
	wish->partial = copy_of(bytes, size);
	wish->partial_size = size;
}

void sm_wish_defer(const struct wish *wish)
{
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	struct sm_answer answer;
	struct sm_times times;

	if (sm_record_decode(&wish->name, wish->partial, wish->partial_size, &arena, &answer, &times) != SM_OK)
		return;
	times = sm_lifetime_unrenewed(&times, wish->rule, wish->now_ns);
	sm_wish_remember(wish, &answer, &times);
}

void sm_wish_keep(const struct wish *wish, const void *bytes, size_t size, int64_t expires_ns)
{
	sm_memory_put(&wish->generation->memory, &wish->name, bytes, size, expires_ns, wish->now_ns);
	sm_ready_forget(sm_process_ready());
}

void sm_wish_remember(const struct wish *wish, const struct sm_answer *answer, const struct sm_times *times)
{
	size_t size = sm_record_size(&wish->name, answer);
	SM_SCOPE_FREE void *bytes = NULL;

	if (times->expires_ns <= wish->now_ns && times->stale_ns <= wish->now_ns)
		return;
	bytes = malloc(size);
	if (bytes && sm_record_encode(&wish->name, answer, times, SM_FORMAT, bytes, size, &size) == SM_OK)
		sm_wish_keep(wish, bytes, size, times->expires_ns);
}

/* Takes the old answer, and keeps in mind that from `now_ns` on it may serve for some time without another try. */
static enum sm_status take_old(struct wish *wish, int64_t now_ns, struct sm_arena *arena, struct sm_answer *ret,
                               struct sm_times *ret_times)
{
	if (!wish->old || sm_record_decode(&wish->name, wish->old, wish->old_size, arena, ret, ret_times) != SM_OK)
		return SM_MISS;
	if (sm_wish_other_families(wish))
		forget_ranks(ret, sm_wish_other_families(wish));
	*ret_times = sm_lifetime_unrenewed(ret_times, wish->rule, now_ns);
	if (wish->is_cut_short && ret_times->n_unrenewed < SM_UNRENEWED_MAX)
		ret_times->n_unrenewed++;
	sm_wish_remember(wish, ret, ret_times);
	return SM_OK;
}

/* Other threads get the old answer meanwhile. Without memory they try, too. */
void sm_wish_rest(struct wish *wish, int64_t now_ns)
{
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	struct sm_answer answer;
	struct sm_times times;
	enum sm_status status = take_old(wish, now_ns, &arena, &answer, &times);

	(void)status;
}

enum sm_status sm_wish_use_old(struct wish *wish, enum sm_verdict *ret)
{
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	struct sm_answer answer;
	struct sm_times times;

	if (take_old(wish, wish->now_ns, &arena, &answer, &times) != SM_OK)
		return SM_MISS;
	*ret = sm_wish_choose(wish, &answer, &times);
	return SM_OK;
}

int64_t sm_wish_patience_ns(const struct wish *wish, uint32_t patience_ms, int64_t spare_ns)
{
	int64_t until_ns = wish->began_ns + patience_ms * SM_NS_PER_MS + spare_ns;

	return wish->old && until_ns < wish->deadline_ns ? until_ns : wish->deadline_ns;
}
