/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/surroundings.h"

#include "base/clock.h"
#include "daemon/hosts.h"
#include "daemon/log.h"

#include <string.h>

#define ENTRIES_AT_ONCE 32 /* some milliseconds */
#define SETTLED_MS 1000
#define ROUTES_MS 1000 /* routers may change them all the time */

static void forget(struct sm_surroundings *around)
{
	sm_network_free(around->network);
	around->network = NULL;
}

/* ---- kept answers in a changed network */

/* A family was left out because this host had no address of it, and now has: the answer is old from here on, and the next
 * lookup asks again. */
static bool has_gained_family(const struct sm_surroundings *around, const struct sm_network *network,
                              const struct sm_name *name, const struct sm_answer *answer)
{
	const struct sm_rule *rule = sm_rules_match(&around->reload->settings->conf->rules, name->text, name->length);

	return rule && rule->family == SM_FAMILY_AUTO &&
	       (answer->unasked_families & sm_network_families(network) & ~around->families);
}

static void rerank(struct sm_surroundings *around, const struct sm_network *network, const struct sm_name *name)
{
	static uint64_t before[SM_ADDRESSES_MAX];
	int64_t now_ns = sm_clock_now_ns();
	bool is_old;
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	struct sm_answer answer;
	struct sm_times times;
	const void *record;
	size_t size;
	enum sm_status status = sm_owner_get(around->owner, name, &record, &size);

	if (status != SM_OK || sm_record_decode(name, record, size, &arena, &answer, &times) != SM_OK)
		return;
	is_old = times.expires_ns > now_ns && has_gained_family(around, network, name, &answer);
	if (is_old)
		sm_lifetime_end(&times, now_ns);
	memcpy(before, answer.ranks, answer.n_addresses * sizeof(before[0]));
	sm_surroundings_rank(around, &answer);
	if (!is_old && memcmp(before, answer.ranks, answer.n_addresses * sizeof(before[0])) == 0)
		return;
	status = sm_owner_put(around->owner, name, &answer, &times, SM_LEDGER_NOBODY, now_ns, &record, &size);
	(void)status; /* an answer that cannot be kept is no longer in the map */
}

static void on_idle_rerank(uv_idle_t *idle)
{
	struct sm_surroundings *around = idle->data;
	const struct sm_network *network = sm_surroundings_network(around);

	for (int i = 0; network && i < ENTRIES_AT_ONCE; i++) {
		const struct sm_name *after = around->is_reranking ? &around->reranked : NULL;

		if (sm_owner_next(around->owner, after, &around->reranked) != SM_OK)
			break;
		around->is_reranking = true;
		rerank(around, network, &around->reranked);
		if (i == ENTRIES_AT_ONCE - 1)
			return; /* goes on in the next iteration of the loop */
	}
	uv_idle_stop(idle);
	if (network)
		around->families = sm_network_families(network);
	around->is_reranking = false;
}

/* Many changes may come together. A pass that is already running goes on, and another one follows it. */
static void on_settled(uv_timer_t *timer)
{
	struct sm_surroundings *around = timer->data;

	if (around->is_reranking)
		uv_timer_start(timer, on_settled, SETTLED_MS, 0);
	else
		uv_idle_start(&around->reranking, on_idle_rerank);
}

static void on_network_change(uv_poll_t *poll, int status, int events)
{
	struct sm_surroundings *around = poll->data;

	(void)events;
	if (status < 0)
		uv_poll_start(poll, UV_READABLE, on_network_change); /* libuv takes an overrun as an error and stops the poll */
	if (!sm_network_has_changed(around->network_fd) && status >= 0)
		return;
	forget(around);
	sm_servers_forget_network(&around->upstream->servers, sm_clock_now_ns());
	sm_targets_network_changed(around->targets);
	sm_hosts_empty(around->hosts);
	if (!uv_is_active((uv_handle_t *)&around->settling))
		uv_timer_start(&around->settling, on_settled, SETTLED_MS, 0);
	sm_log_rarely(SM_LOG_DEBUG, "addresses or links have changed", NULL);
}

/* ---- routes */

static void remember(struct sm_surroundings *around, bool remembers)
{
	around->remembers = remembers;
	if (around->network)
		sm_network_remember(around->network, remembers);
}

static void on_route_change(uv_poll_t *poll, int status, int events);

static void on_routes_settled(uv_timer_t *timer)
{
	struct sm_surroundings *around = timer->data;

	if (sm_network_has_changed(around->routes_fd)) {
		uv_timer_start(timer, on_routes_settled, ROUTES_MS, 0);
		return;
	}
	remember(around, uv_poll_start(&around->routes, UV_READABLE, on_route_change) == 0);
}

/* An overrun of the socket is a change, too. What comes within the next second is read then. */
static void on_route_change(uv_poll_t *poll, int status, int events)
{
	struct sm_surroundings *around = poll->data;

	(void)status;
	(void)events;
	uv_poll_stop(poll);
	remember(around, false);
	uv_timer_start(&around->routes_settling, on_routes_settled, ROUTES_MS, 0);
}

/* The descriptor, or -1 where there is none that the loop can poll. */
static int polled(struct sm_surroundings *around, int fd, uv_poll_t *poll)
{
	if (fd < 0 || uv_poll_init(around->loop, poll, fd) == 0)
		return fd;
	close(fd);
	return -1;
}

static void watch_routes(struct sm_surroundings *around)
{
	around->routes_fd = polled(around, sm_network_watch_routes(), &around->routes);
	if (around->routes_fd < 0)
		return;
	uv_timer_init(around->loop, &around->routes_settling);
	around->routes.data = around->routes_settling.data = around;
	remember(around, uv_poll_start(&around->routes, UV_READABLE, on_route_change) == 0);
}

void sm_surroundings_start(struct sm_surroundings *around, uv_loop_t *loop, struct sm_owner *owner,
                           const struct sm_reload *reload, struct sm_upstream *upstream, struct sm_targets *targets,
                           struct sm_hosts *hosts)
{
	*around = (struct sm_surroundings){.loop = loop, .owner = owner, .reload = reload, .upstream = upstream,
	                                   .targets = targets, .hosts = hosts};
	around->routes_fd = -1;
	around->network_fd = polled(around, sm_network_watch(), &around->changes);
	if (around->network_fd < 0)
		return;
	uv_idle_init(around->loop, &around->reranking);
	uv_timer_init(around->loop, &around->settling);
	around->changes.data = around->reranking.data = around->settling.data = around;
	uv_poll_start(&around->changes, UV_READABLE, on_network_change);
	watch_routes(around);
}

void sm_surroundings_stop(struct sm_surroundings *around)
{
	forget(around);
	if (around->network_fd < 0)
		return;
	uv_close((uv_handle_t *)&around->changes, NULL);
	uv_close((uv_handle_t *)&around->reranking, NULL);
	uv_close((uv_handle_t *)&around->settling, NULL);
	close(around->network_fd);
	around->network_fd = -1;
	if (around->routes_fd < 0)
		return;
	uv_close((uv_handle_t *)&around->routes, NULL);
	uv_close((uv_handle_t *)&around->routes_settling, NULL);
	close(around->routes_fd);
	around->routes_fd = -1;
}

const struct sm_network *sm_surroundings_network(struct sm_surroundings *around)
{
	enum sm_status status = SM_OK;

	if (around->network_fd < 0)
		return NULL; /* without reports of changes it could become out of date */
	if (!around->network) {
		status = sm_network_learn(&around->network);
		if (status == SM_OK)
			sm_network_remember(around->network, around->remembers);
	}
	if (status == SM_OK && !around->families)
		around->families = sm_network_families(around->network);
	return status == SM_OK ? around->network : NULL;
}

void sm_surroundings_rank(struct sm_surroundings *around, struct sm_answer *answer)
{
	const struct sm_network *network = answer->n_addresses > 1 ? sm_surroundings_network(around) : NULL;
	const struct sm_policies *policies = network ? sm_conf_policies(around->reload->settings->conf) : NULL;

	if (policies)
		sm_source_rank(policies, network, answer);
}
