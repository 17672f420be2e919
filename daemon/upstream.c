/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/upstream.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/usdt.h"
#include "daemon/log.h"
#include "mesh/text.h"
#include "resolve/outlook.h"
#include "resolve/table.h"

SM_USDT_DEFINE(server);

#define PUBLISH_NS SM_NS_PER_S
#define REFRESH_NS (10 * SM_NS_PER_S) /* while questions are asked: round trip times change, too */

void sm_upstream_start(struct sm_upstream *upstream, struct sm_owner *owner)
{
	enum sm_status status;
	const void *bytes;
	uint64_t seed;
	size_t size;

	sm_random_fill(&seed, sizeof(seed));
	*upstream = (struct sm_upstream){.owner = owner};
	sm_servers_init(&upstream->servers, seed);
	status = sm_owner_get_own(owner, SM_MAP_SERVERS, &bytes, &size);
	if (status == SM_OK)
		status = sm_table_decode(bytes, size, sm_clock_now_ns(), &upstream->servers);
	(void)status; /* without a table everything is learnt anew */
	upstream->before = upstream->servers;
}

static void tell(struct sm_upstream *upstream)
{
	for (uint32_t i = 0; i < upstream->servers.n; i++) {
		const struct sm_server_known *now = &upstream->servers.known[i], *before;
		bool is_down = now->backoff_ms > 0;
		char text[SM_TEXT_ENDPOINT_MAX];

		before = sm_servers_find(&upstream->before, &now->server);
		if (is_down == (before && before->backoff_ms > 0))
			continue;
		sm_text_server(&now->server, text);
		SM_USDT_2(server, text, !is_down);
		sm_log_rarely(is_down ? SM_LOG_WARNING : SM_LOG_INFO, is_down ? "a server has failed" : "a server answers again",
		       "server", text, NULL);
	}
	upstream->before = upstream->servers;
}

static int64_t last_back_ns(const struct sm_servers *servers)
{
	int64_t back_ns = 0;

	for (uint32_t i = 0; i < servers->n; i++)
		if (servers->known[i].back_ns > back_ns)
			back_ns = servers->known[i].back_ns;
	return back_ns;
}

void sm_upstream_publish(struct sm_upstream *upstream, int64_t now_ns)
{
	const struct sm_servers *servers = &upstream->servers;
	static uint8_t bytes[SM_TABLE_MAX];
	enum sm_status status;

	if (servers->n_changes == upstream->published &&
	    (servers->n_questions == upstream->n_questions || now_ns - upstream->published_ns < REFRESH_NS))
		return;
	if (now_ns - upstream->published_ns < PUBLISH_NS && last_back_ns(servers) <= upstream->back_ns)
		return;
	tell(upstream);
	status = sm_owner_put_own(upstream->owner, SM_MAP_SERVERS, bytes, sm_table_encode(servers, now_ns, bytes));
	(void)status; /* processes know then what they learn themselves */
	upstream->published = servers->n_changes;
	upstream->published_ns = now_ns;
	upstream->n_questions = servers->n_questions;
	upstream->back_ns = last_back_ns(servers);
}

static struct sm_warned *place_of(struct sm_upstream *upstream, uid_t account)
{
	struct sm_warned *warned = &upstream->warned[sm_account_place(account)];

	if (warned->account != account)
		*warned = (struct sm_warned){.account = account};
	return warned;
}

void sm_upstream_warn(struct sm_upstream *upstream, uid_t account, int64_t at_ns)
{
	place_of(upstream, account)->at_ns = at_ns;
}

bool sm_upstream_may_scout(struct sm_upstream *upstream, const struct sm_rule *rule, uid_t account, int64_t now_ns)
{
	struct sm_warned *warned = place_of(upstream, account);
	bool is_first;

	if (!sm_outlook_is_down(&upstream->servers, rule, now_ns))
		return true;
	is_first = sm_servers_take_scout(&upstream->servers, rule, false, now_ns);
	if (!is_first && now_ns < warned->scouted_ns + SM_SCOUT_PAUSE_NS)
		return false;
	warned->scouted_ns = now_ns;
	return true;
}

bool sm_upstream_is_down_for(struct sm_upstream *upstream, const struct sm_rule *rule, uid_t account, int64_t now_ns)
{
	return sm_outlook_is_down(&upstream->servers, rule, now_ns) &&
	       place_of(upstream, account)->at_ns >= sm_outlook_down_since_ns(&upstream->servers, rule);
}
