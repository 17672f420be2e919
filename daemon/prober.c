/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/prober.h"

#include "base/clock.h"
#include "base/random.h"
#include "daemon/log.h"
#include "health/connections.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define LISTING_NS SM_NS_PER_S
#define LISTING_SHARE 100 /* a list may take a hundredth of the time */
#define NO_LISTS_NS (60 * SM_NS_PER_S)
#define READY_AT_ONCE 64
#define BUSY_NS (50 * SM_NS_PER_MS) /* after a turn of the loop that took so long the next may take 100 ms: too long for a
                                     * probe */
#define HELD_NS (10 * SM_NS_PER_MS)

/* ---- probes */

static void watch_socket(struct sm_prober *prober, uint32_t at, int fd)
{
	struct epoll_event event = {.events = EPOLLOUT, .data.u32 = at};

	if (fd >= 0)
		epoll_ctl(prober->sockets_fd, EPOLL_CTL_ADD, fd, &event); /* a second time is refused, and harmless */
}

/* What came of it so far: it goes on, or has ended. */
static void use_result(struct sm_prober *prober, uint32_t at, enum sm_health_reason reason)
{
	struct sm_watched *watched = prober->whose[at];

	if (reason == SM_REASON_NEW) {
		for (int i = 0; i < SM_PROBE_SOCKETS; i++)
			watch_socket(prober, at, prober->probes[at].fds[i]);
		return;
	}
	prober->whose[at] = NULL;
	prober->wakes_ns = 0;
	sm_health_end_probe(prober->health, watched, reason, sm_clock_now_ns());
	prober->tell(prober->context, watched);
}

static void process(struct sm_prober *prober, uint32_t at)
{
	if (prober->whose[at])
		use_result(prober, at, sm_probe_process(&prober->probes[at], sm_clock_now_ns()));
}

static void on_sockets_ready(uv_poll_t *poll, int status, int events)
{
	struct sm_prober *prober = poll->data;
	struct epoll_event ready[READY_AT_ONCE];
	int n = epoll_wait(prober->sockets_fd, ready, READY_AT_ONCE, 0);

	(void)status;
	(void)events;
	for (int i = 0; i < n; i++)
		process(prober, ready[i].data.u32);
}

static void on_probing(uv_timer_t *timer)
{
	struct sm_prober *prober = timer->data;

	prober->wakes_ns = 0;
	for (uint32_t i = 0; i < SM_PROBES_MAX; i++)
		process(prober, i);
}

static void begin_probe(struct sm_prober *prober, struct sm_watched *watched, int64_t now_ns)
{
	uint32_t at = 0;

	while (prober->whose[at])
		at++;
	prober->whose[at] = watched;
	prober->n_probes++;
	use_result(prober, at, sm_probe_begin(&watched->is, watched->terms.timeout_ms, now_ns, &prober->probes[at]));
}

static void arm(struct sm_prober *prober, int64_t wakes_ns, int64_t now_ns)
{
	prober->wakes_ns = wakes_ns;
	if (wakes_ns == INT64_MAX)
		uv_timer_stop(&prober->probing);
	else
		sm_loop_wake(&prober->probing, on_probing, wakes_ns, now_ns);
}

/* libuv calls this behind the events of a turn: what they took is the time since the loop began to wait, less the waiting. */
static void on_waking(uv_check_t *check)
{
	struct sm_prober *prober = check->data;

	prober->awake_ns = prober->asleep_ns + (int64_t)(uv_metrics_idle_time(prober->loop) - prober->waited_ns);
}

static void note_sleep(struct sm_prober *prober, int64_t now_ns)
{
	prober->asleep_ns = now_ns;
	prober->waited_ns = uv_metrics_idle_time(prober->loop);
}

void sm_prober_begin_probes(struct sm_prober *prober)
{
	int64_t now_ns, wakes_ns;
	struct sm_watched *watched;

	if (!prober->health)
		return;
	now_ns = sm_clock_now_ns();
	note_sleep(prober, now_ns);
	if (now_ns < prober->wakes_ns)
		return;
	if (now_ns - prober->awake_ns > BUSY_NS && sm_health_wakes_ns(prober->health) <= now_ns) {
		arm(prober, now_ns + HELD_NS, now_ns);
		return;
	}
	while ((watched = sm_health_begin_probe(prober->health, now_ns)))
		begin_probe(prober, watched, now_ns);
	wakes_ns = sm_health_wakes_ns(prober->health);
	for (uint32_t i = 0; i < SM_PROBES_MAX; i++)
		if (prober->whose[i])
			wakes_ns = sm_sooner(wakes_ns, sm_probe_wakes_ns(&prober->probes[i]));
	arm(prober, wakes_ns, now_ns);
}

void sm_prober_look_again(struct sm_prober *prober)
{
	prober->wakes_ns = 0;
}

/* ---- connections of this host */

static void hear_waiting(void *context, const struct sm_connection *connection)
{
	struct sm_prober *prober = context;
	struct sm_watched *watched = connection->retransmits > 0 ? sm_health_find(prober->health, &connection->peer) : NULL;

	if (!watched)
		return;
	sm_health_doubt(watched, connection->cookie, sm_clock_now_ns());
	prober->tell(prober->context, watched);
}

/* The open connections to some endpoints. */
struct listed {
	struct sm_prober *prober;
	uint32_t n;
	struct sm_endpoint endpoints[SM_CONNECTIONS_FILTER_MAX];
	struct {
		struct sm_watched *watched;
		uint32_t n;
		uint64_t cookies[SM_COOKIES_MAX];
	} of[SM_CONNECTIONS_FILTER_MAX];
};

static void hear_open(void *context, const struct sm_connection *connection)
{
	struct listed *listed = context;
	const struct sm_watched *watched = sm_health_find(listed->prober->health, &connection->peer);

	for (uint32_t i = 0; i < listed->n; i++) {
		if (listed->of[i].watched != watched || connection->retransmits > 0)
			continue; /* one that gets no answer shows nothing */
		if (listed->of[i].n < SM_COOKIES_MAX)
			listed->of[i].cookies[listed->of[i].n] = connection->cookie;
		listed->of[i].n++;
	}
}

/* Some of those that are to be looked up; the others have their turn in the next list. */
static void choose_listed(struct sm_prober *prober, int64_t now_ns, struct listed *ret)
{
	uint32_t first = prober->next_listed;

	ret->prober = prober;
	ret->n = 0;
	for (uint32_t i = 0; i < prober->health->top && ret->n < SM_CONNECTIONS_FILTER_MAX; i++) {
		uint32_t at = (first + i) % prober->health->top;
		struct sm_watched *watched = &prober->health->known[at];

		if (!sm_health_wants_connections(watched, now_ns))
			continue;
		ret->endpoints[ret->n] = watched->is;
		ret->of[ret->n].n = 0;
		ret->of[ret->n++].watched = watched;
		prober->next_listed = at + 1;
	}
}

static enum sm_status list_open(struct sm_prober *prober)
{
	static struct listed listed;
	const struct sm_connections_ear ear = {hear_open, &listed};
	int64_t now_ns = sm_clock_now_ns();
	enum sm_status status;

	choose_listed(prober, now_ns, &listed);
	status = listed.n > 0 ? sm_connections_to(listed.endpoints, listed.n, true, &ear) : SM_OK;
	for (uint32_t i = 0; i < listed.n && (status == SM_OK || status == SM_FULL); i++) {
		bool is_whole = status == SM_OK && listed.of[i].n <= SM_COOKIES_MAX;
		uint32_t n = listed.of[i].n < SM_COOKIES_MAX ? listed.of[i].n : SM_COOKIES_MAX;

		sm_health_connections(prober->health, listed.of[i].watched, listed.of[i].cookies, n, is_whole, now_ns);
		prober->tell(prober->context, listed.of[i].watched);
	}
	return status;
}

/* There are too many for one list: those to some endpoints, others the next time. */
static enum sm_status list_waiting(struct sm_prober *prober, const struct sm_connections_ear *ear)
{
	struct sm_endpoint endpoints[SM_CONNECTIONS_FILTER_MAX];
	uint32_t first = prober->next_waiting, n = 0;

	for (uint32_t i = 0; i < prober->health->top && n < SM_CONNECTIONS_FILTER_MAX; i++) {
		uint32_t at = (first + i) % prober->health->top;

		if (!prober->health->known[at].is_used)
			continue;
		endpoints[n++] = prober->health->known[at].is;
		prober->next_waiting = at + 1;
	}
	return sm_connections_to(endpoints, n, false, ear);
}

static void note_no_lists(struct sm_prober *prober, enum sm_status status)
{
	if (status == SM_REFUSED && !prober->has_no_lists)
		sm_log(SM_LOG_WARNING, "this kernel does not list connections: health = lazy is off", NULL);
	if (status == SM_REFUSED || status == SM_OK || status == SM_FULL)
		prober->has_no_lists = status == SM_REFUSED;
}

static void on_listing(uv_timer_t *timer)
{
	struct sm_prober *prober = timer->data;
	const struct sm_connections_ear ear = {hear_waiting, prober};
	int64_t began_ns = sm_clock_now_ns(), ended_ns, pause_ns;
	enum sm_status status = SM_OK;

	if (prober->health->n > 0)
		status = sm_connections_waiting(&ear);
	if (status == SM_FULL)
		status = list_waiting(prober, &ear);
	if (status == SM_OK || status == SM_FULL)
		status = list_open(prober);
	note_no_lists(prober, status);
	prober->wakes_ns = 0;
	prober->tick(prober->context);
	ended_ns = sm_clock_now_ns();
	pause_ns = (ended_ns - began_ns) * LISTING_SHARE;
	if (pause_ns < LISTING_NS)
		pause_ns = prober->has_no_lists ? NO_LISTS_NS : LISTING_NS;
	sm_loop_wake(timer, on_listing, ended_ns + pause_ns, ended_ns);
}

/* ---- the whole */

enum sm_status sm_prober_start(struct sm_prober *prober)
{
	prober->sockets_fd = epoll_create1(EPOLL_CLOEXEC);
	if (prober->sockets_fd < 0 || uv_poll_init(prober->loop, &prober->sockets, prober->sockets_fd) != 0)
		return SM_EXHAUSTED;
	uv_check_init(prober->loop, &prober->waking);
	uv_timer_init(prober->loop, &prober->probing);
	uv_timer_init(prober->loop, &prober->listing);
	prober->sockets.data = prober->waking.data = prober->probing.data = prober->listing.data = prober;
	return SM_OK;
}

enum sm_status sm_prober_switch_on(struct sm_prober *prober)
{
	uint64_t seed;

	if (prober->health)
		return SM_OK;
	prober->health = malloc(sizeof(*prober->health));
	if (!prober->health)
		return SM_EXHAUSTED;
	sm_random_fill(&seed, sizeof(seed));
	sm_health_init(prober->health, seed);
	prober->wakes_ns = 0;
	uv_loop_configure(prober->loop, UV_METRICS_IDLE_TIME); /* one more epoll_wait each time, for good: so not before */
	uv_poll_start(&prober->sockets, UV_READABLE, on_sockets_ready);
	uv_check_start(&prober->waking, on_waking);
	uv_timer_start(&prober->listing, on_listing, 0, 0);
	return SM_OK;
}

void sm_prober_switch_off(struct sm_prober *prober)
{
	if (!prober->health)
		return;
	for (uint32_t i = 0; i < SM_PROBES_MAX; i++)
		if (prober->whose[i]) {
			sm_probe_close(&prober->probes[i]);
			prober->whose[i] = NULL;
		}
	uv_poll_stop(&prober->sockets);
	uv_check_stop(&prober->waking);
	uv_timer_stop(&prober->probing);
	uv_timer_stop(&prober->listing);
	free(prober->health);
	prober->health = NULL;
}

void sm_prober_stop(struct sm_prober *prober)
{
	sm_prober_switch_off(prober);
	uv_close((uv_handle_t *)&prober->sockets, NULL);
	uv_close((uv_handle_t *)&prober->waking, NULL);
	uv_close((uv_handle_t *)&prober->probing, NULL);
	uv_close((uv_handle_t *)&prober->listing, NULL);
	close(prober->sockets_fd);
}
