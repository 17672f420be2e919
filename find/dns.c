/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The embedded path: DNS from inside the process, with what this process and srvmeshd know of the servers. */
#include "find/wish.h"

#include "base/clock.h"
#include "base/scope.h"
#include "resolve/channel.h"
#include "resolve/lookup.h"
#include "resolve/outlook.h"
#include "resolve/table.h"

#include <stdatomic.h>
#include <stdlib.h>

static void learn_from_map(const struct wish *wish, struct sm_servers *servers)
{
	const struct sm_view *view = atomic_load_explicit(&wish->generation->view, memory_order_acquire);
	SM_SCOPE_FREE uint8_t *bytes = view ? malloc(SM_TABLE_MAX) : NULL;
	uint8_t key[SM_MAP_KEY_MAX];
	enum sm_status status = SM_MISS;
	size_t size;

	if (bytes)
		status = sm_reader_get(&view->mapped, key, sm_map_key(SM_MAP_SERVERS, NULL, key), bytes, SM_TABLE_MAX, &size);
	if (status == SM_OK)
		status = sm_table_decode(bytes, size, wish->now_ns, servers);
	(void)status; /* without the table the process knows what it has learnt itself */
}

/* What this process and srvmeshd know, to be freed; NULL: no memory. */
static struct sm_servers *learn_servers(const struct wish *wish)
{
	struct sm_servers *servers = malloc(sizeof(*servers));

	if (!servers)
		return NULL;
	sm_process_get_servers(servers);
	learn_from_map(wish, servers);
	return servers;
}

enum sm_status sm_find_servers(struct sm_servers *ret)
{
	struct wish wish = {.now_ns = sm_clock_now_ns()};

	sm_process_step_in(&wish.stay);
	wish.generation = sm_process_settle(&wish.stay, wish.now_ns);
	if (wish.generation) {
		sm_process_get_servers(ret);
		learn_from_map(&wish, ret);
	}
	sm_process_leave(&wish.stay);
	return wish.generation ? SM_OK : SM_EXHAUSTED;
}

bool sm_wish_is_over(struct wish *wish, const struct sm_times *times)
{
	SM_SCOPE_FREE struct sm_servers *servers = NULL;
	struct sm_outlook outlook;

	sm_inside_guard(&wish->stay); /* it may draw */
	servers = learn_servers(wish);
	if (!servers)
		return false;
	outlook = sm_outlook_of(servers, wish->rule, wish->now_ns);
	return sm_lifetime_use(times, SM_ANSWER_FAILURE, &outlook, wish->now_ns) == SM_ASK;
}

static enum sm_verdict use_lookup(struct wish *wish, struct sm_lookup *lookup, int64_t until_ns)
{
	enum sm_status status = sm_lookup_run(lookup);
	struct sm_answer *answer;
	struct sm_times times;

	if (status == SM_REFUSED)
		return SM_VERDICT_NOT_OURS; /* a sandbox: another module may have a way to ask */
	if (status == SM_OK)
		status = sm_lookup_answer(lookup, &answer);
	if (status != SM_OK)
		return SM_VERDICT_TRY_AGAIN; /* this process lacks something: nothing to cache about the name */
	wish->now_ns = sm_clock_now_ns();
	if ((answer->kind == SM_ANSWER_FAILURE || answer->is_remnant) && wish->old) {
		wish->is_cut_short = wish->now_ns >= until_ns;
		return SM_VERDICT_TRY_AGAIN;
	}
	if (answer->kind == SM_ANSWER_FAILURE && wish->partial) {
		sm_wish_defer(wish);
		return SM_VERDICT_TRY_AGAIN;
	}
	times = sm_lifetime_times(answer, wish->rule, wish->now_ns);
	sm_wish_remember(wish, answer, &times);
	wish->place = SM_PLACE_DNS;
	return sm_wish_choose(wish, answer, &times);
}

/* While all servers are down, what is old is given at once; but one lookup asks them when the time of one has come. Where
 * nothing is kept, one lookup in a second asks, and all others fail at once. */
static bool may_ask(const struct wish *wish, struct sm_servers *servers, bool *ret_is_scout)
{
	const struct sm_times nothing = {.made_ns = 0};
	struct sm_outlook outlook = sm_outlook_of(servers, wish->rule, wish->now_ns);
	uint32_t hash = sm_name_hash(wish->name.text);
	int64_t turn_ns = wish->old ? sm_lifetime_turn_ns(hash, sm_process_jumped_ns(), wish->now_ns) : 0;
	enum sm_use use = sm_lifetime_use(wish->old ? &wish->old_times : &nothing, SM_ANSWER_ADDRESSES, &outlook, wish->now_ns);

	if (wish->now_ns < turn_ns)
		return false;
	*ret_is_scout = use != SM_ASK;
	if (use == SM_ASK)
		return true;
	if (!sm_servers_take_scout(servers, wish->rule, wish->old, wish->now_ns))
		return false;
	sm_process_put_servers(servers);
	return true;
}

static int64_t until_of(const struct wish *wish)
{
	if (!wish->old)
		return wish->deadline_ns;
	return sm_wish_patience_ns(wish, sm_lifetime_patience_ms(&wish->old_times, wish->rule), 0);
}

static const struct sm_policies *policies_of(void *context)
{
	const struct wish *wish = context;

	return sm_conf_policies(wish->generation->conf);
}

static const struct sm_rule *elsewhere_of(void *context)
{
	const struct wish *wish = context;
	const struct sm_late *late = sm_conf_late(wish->generation->conf);

	return late ? &late->elsewhere : NULL;
}

static enum sm_verdict ask_dns(struct wish *wish, struct sm_servers *servers)
{
	struct sm_lookup_means means = {
		.transport = &sm_channel_transport,
		.rules = &wish->generation->conf->rules,
		.servers = servers,
		.policies = policies_of,
		.elsewhere = elsewhere_of,
		.context = wish,
		.needs = sm_wish_families(wish) == SM_IPV4_AND_IPV6 ? 0 : sm_wish_families(wish),
		.keeps = wish->keeps,
		.is_plain = wish->is_plain,
	};
	int64_t until_ns = until_of(wish);
	struct sm_lookup *lookup;
	enum sm_verdict verdict;

	if (wish->now_ns >= until_ns || !may_ask(wish, servers, &means.is_scout))
		return SM_VERDICT_TRY_AGAIN;
	sm_wish_rest(wish, until_ns);
	if (sm_lookup_open(&means, wish->rule, &wish->name, wish->families, until_ns, &lookup) != SM_OK)
		return SM_VERDICT_TRY_AGAIN;
	verdict = use_lookup(wish, lookup, until_ns);
	sm_lookup_close(lookup);
	sm_process_put_servers(servers);
	return verdict;
}

enum sm_verdict sm_wish_ask_dns(struct wish *wish)
{
	SM_SCOPE_FREE struct sm_servers *servers = learn_servers(wish);

	return servers ? ask_dns(wish, servers) : SM_VERDICT_TRY_AGAIN;
}
