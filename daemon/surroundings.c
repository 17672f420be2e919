/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/surroundings.h"

#include "base/clock.h"
#include "daemon/log.h"

#include <string.h>

#define ENTRIES_AT_ONCE 32 /* some milliseconds */
#define SETTLED_MS 1000

static void forget(struct sm_daemon *daemon)
{
	sm_network_free(daemon->network);
	daemon->network = NULL;
}

/* ---- new ranks for kept answers */

static void rerank(struct sm_daemon *daemon, const struct sm_network *network, const struct sm_name *name)
{
	static uint64_t before[SM_ADDRESSES_MAX];
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	struct sm_answer answer;
	struct sm_times times;
	const void *record;
	size_t size;
	enum sm_status status = sm_owner_get(daemon->owner, name, &record, &size);

	if (status != SM_OK || sm_record_decode(name, record, size, &arena, &answer, &times) != SM_OK || answer.n_addresses < 2)
		return;
	memcpy(before, answer.ranks, answer.n_addresses * sizeof(before[0]));
	sm_source_rank(&daemon->settings->conf->rules.policies, network, &answer);
	if (memcmp(before, answer.ranks, answer.n_addresses * sizeof(before[0])) == 0)
		return;
	status = sm_owner_put(daemon->owner, name, &answer, &times, SM_LEDGER_NOBODY, sm_clock_now_ns(), &record, &size);
	(void)status; /* an answer that cannot be kept is no longer in the map */
}

static void on_idle(uv_idle_t *idle)
{
	struct sm_daemon *daemon = idle->data;
	const struct sm_network *network = sm_surroundings_network(daemon);

	for (int i = 0; network && i < ENTRIES_AT_ONCE; i++) {
		const struct sm_name *after = daemon->is_reranking ? &daemon->reranked : NULL;

		if (sm_owner_next(daemon->owner, after, &daemon->reranked) != SM_OK)
			break;
		daemon->is_reranking = true;
		rerank(daemon, network, &daemon->reranked);
		if (i == ENTRIES_AT_ONCE - 1)
			return; /* goes on in the next iteration of the loop */
	}
	uv_idle_stop(idle);
	daemon->is_reranking = false;
}

/* Many changes may come together. A pass that is already running goes on, and another one follows it. */
static void on_settled(uv_timer_t *timer)
{
	struct sm_daemon *daemon = timer->data;

	if (daemon->is_reranking)
		uv_timer_start(timer, on_settled, SETTLED_MS, 0);
	else
		uv_idle_start(&daemon->reranking, on_idle);
}

static void on_change(uv_poll_t *poll, int status, int events)
{
	struct sm_daemon *daemon = poll->data;

	(void)events;
	if (status < 0)
		uv_poll_start(poll, UV_READABLE, on_change); /* libuv takes an overrun as an error and stops the poll */
	if (!sm_network_has_changed(daemon->network_fd) && status >= 0)
		return;
	forget(daemon);
	if (!uv_is_active((uv_handle_t *)&daemon->settling))
		uv_timer_start(&daemon->settling, on_settled, SETTLED_MS, 0);
	sm_log(SM_LOG_DEBUG, "addresses or links have changed", NULL);
}

void sm_surroundings_start(struct sm_daemon *daemon)
{
	daemon->network_fd = sm_network_watch();
	if (daemon->network_fd < 0)
		return;
	uv_poll_init(&daemon->loop, &daemon->changes, daemon->network_fd);
	uv_idle_init(&daemon->loop, &daemon->reranking);
	uv_timer_init(&daemon->loop, &daemon->settling);
	daemon->changes.data = daemon->reranking.data = daemon->settling.data = daemon;
	uv_poll_start(&daemon->changes, UV_READABLE, on_change);
}

void sm_surroundings_stop(struct sm_daemon *daemon)
{
	forget(daemon);
	if (daemon->network_fd < 0)
		return;
	uv_close((uv_handle_t *)&daemon->changes, NULL);
	uv_close((uv_handle_t *)&daemon->reranking, NULL);
	uv_close((uv_handle_t *)&daemon->settling, NULL);
	close(daemon->network_fd);
	daemon->network_fd = -1;
}

const struct sm_network *sm_surroundings_network(struct sm_daemon *daemon)
{
	enum sm_status status = SM_OK;

	if (daemon->network_fd < 0)
		return NULL; /* without reports of changes it could become out of date */
	if (!daemon->network)
		status = sm_network_learn(&daemon->network);
	return status == SM_OK ? daemon->network : NULL;
}
