/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A connection is one request and one reply. Many are answered and closed as soon as they are accepted. A client
 * that has to wait needs a timer; only if it waits long is its connection watched, to notice that it is closed. */
#include "daemon/clients.h"

#include "base/clock.h"
#include "base/scope.h"
#include "daemon/jobs.h"
#include "daemon/log.h"
#include "daemon/reload.h"
#include "daemon/status.h"

#include <string.h>

#define ACCEPTS_AT_ONCE 256
#define HINTS_AT_ONCE 256
#define PAUSE_MS 100       /* accepting stops for this time when there are no descriptors */
#define SILENCE_MS 5000    /* allowed between a client's connect and its request */
#define WAIT_MAX_MS 120000 /* longer than every deadline */
#define SPARE_MS 1000

struct client {
	struct sm_waiter waiter;
	struct sm_daemon *daemon;
	struct sm_settings *settings; /* to which the rule belongs; NULL until there is a request */
	const struct sm_rule *rule;
	struct sm_request request;
	uid_t uid;
	int fd;
	bool is_watched, has_timer, may_be_stale;
	int n_handles;
	uv_poll_t poll;
	uv_timer_t timer;
};

/* ---- the end of a client */

static void free_client(struct client *client)
{
	sm_settings_release(client->settings);
	free(client);
}

static void on_closed(uv_handle_t *handle)
{
	struct client *client = handle->data;

	if (--client->n_handles == 0)
		free_client(client);
}

static void close_client(struct client *client)
{
	struct sm_daemon *daemon = client->daemon;

	sm_jobs_leave(&client->waiter);
	sm_limits_give(&daemon->limits, SM_LIMITED_CLIENTS, client->uid);
	if (client->is_watched)
		uv_close((uv_handle_t *)&client->poll, on_closed);
	if (client->has_timer)
		uv_close((uv_handle_t *)&client->timer, on_closed);
	close(client->fd);
	if (client->n_handles == 0)
		free_client(client);
}

static void reply(struct client *client, enum sm_frame_kind kind, const void *body, size_t size)
{
	sm_listener_reply(client->fd, kind, body, size);
	close_client(client);
}

static void watch(struct client *client);

static void on_told(struct sm_waiter *waiter, enum sm_frame_kind kind, const void *body, size_t size)
{
	struct client *client = (struct client *)waiter;

	_Static_assert(offsetof(struct client, waiter) == 0, "the waiter is the client");
	if (kind != SM_FRAME_WORKING) {
		reply(client, kind, body, size);
		return;
	}
	sm_listener_reply(client->fd, kind, NULL, 0);
	watch(client);
}

/* ---- waiting */

static void serve(struct client *client);
static void wait_ms(struct client *client, uint32_t ms);

/* The time after which the client has certainly stopped waiting. */
static uint32_t patience_ms(const struct client *client)
{
	return (client->request.wait_ms < WAIT_MAX_MS ? client->request.wait_ms : WAIT_MAX_MS) + SPARE_MS;
}

/* A request; or, from a client that already waits, the end of its connection: it sends nothing else. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct client *client = poll->data;

	(void)status;
	(void)events;
	if (client->settings)
		close_client(client);
	else
		serve(client);
}

static void on_time(uv_timer_t *timer)
{
	struct client *client = timer->data;
	const void *record;
	size_t size;

	if (client->may_be_stale && sm_jobs_settle_for_stale(client->daemon, client->rule, &client->request.name, &record,
	                                                     &size) == SM_OK) {
		client->daemon->counters.stale++;
		reply(client, SM_FRAME_RECORD, record, size);
		return;
	}
	if (!client->may_be_stale) {
		close_client(client);
		return;
	}
	client->may_be_stale = false; /* the old answer is gone; only the job can give an answer */
	wait_ms(client, patience_ms(client));
}

static void watch(struct client *client)
{
	if (client->is_watched || uv_poll_init(&client->daemon->loop, &client->poll, client->fd) != 0)
		return;
	client->poll.data = client;
	client->is_watched = true;
	client->n_handles++;
	uv_poll_start(&client->poll, UV_READABLE, on_readable);
}

static void wait_ms(struct client *client, uint32_t ms)
{
	struct sm_daemon *daemon = client->daemon;

	if (!client->has_timer) {
		uv_timer_init(&daemon->loop, &client->timer);
		client->timer.data = client;
		client->has_timer = true;
		client->n_handles++;
	}
	uv_update_time(&daemon->loop);
	uv_timer_start(&client->timer, on_time, ms, 0);
}

/* ---- lookups */

/* Finds a record that the cache can give at once. */
static enum sm_status find_cached(struct sm_daemon *daemon, const struct sm_rule *rule, const struct sm_name *name,
                                  const void **ret, size_t *ret_size, enum sm_freshness *ret_freshness)
{
	enum sm_answer_kind kind;
	struct sm_times times;
	struct sm_name own;

	*ret_freshness = SM_DEAD;
	if (sm_owner_get(daemon->owner, name, ret, ret_size) != SM_OK)
		return SM_MISS;
	if (sm_record_head(*ret, *ret_size, &own, &times, &kind) != SM_OK)
		return SM_MISS;
	*ret_freshness = sm_lifetime_freshness(&times, sm_clock_now_ns());
	if (*ret_freshness == SM_OLD && *sm_settings_is_down(daemon->settings, rule))
		return SM_OK;
	return *ret_freshness < SM_OLD ? SM_OK : SM_MISS;
}

static void refuse(struct client *client)
{
	client->daemon->counters.busy++;
	sm_log(SM_LOG_DEBUG, "busy", "name", client->request.name.text, NULL);
	reply(client, SM_FRAME_BUSY, NULL, 0);
}

/* The servers are known not to answer: the client gets the old answer now, and a job checks whether they are back. */
static void renew_behind(struct client *client)
{
	enum sm_status status = sm_jobs_ask(client->daemon, client->rule, &client->request, client->uid, NULL);

	(void)status; /* if it fails, the next client's request starts a job */
}

static void answer_from_cache(struct client *client, const void *record, size_t size, enum sm_freshness freshness)
{
	SM_SCOPE_FREE void *copy = malloc(size);

	client->daemon->counters.cached += freshness < SM_STALE;
	client->daemon->counters.stale += freshness >= SM_STALE;
	if (freshness != SM_OLD || !copy) {
		reply(client, SM_FRAME_RECORD, record, size);
		return;
	}
	memcpy(copy, record, size); /* a job uses the same buffer */
	renew_behind(client);
	reply(client, SM_FRAME_RECORD, copy, size);
}

static void wait_for_job(struct client *client)
{
	uint32_t ms = patience_ms(client);

	if (client->may_be_stale && client->rule->stale_after_ms < ms)
		ms = client->rule->stale_after_ms;
	if (sm_jobs_ask(client->daemon, client->rule, &client->request, client->uid, &client->waiter) != SM_OK)
		refuse(client);
	else
		wait_ms(client, ms);
}

static const struct sm_rule *rule_of(const struct sm_daemon *daemon, const struct sm_name *name)
{
	const struct sm_rule *rule = sm_rules_match(&daemon->settings->conf->rules, name->text, name->length);

	return rule && !rule->is_disabled ? rule : NULL;
}

static void look_up(struct client *client)
{
	struct sm_daemon *daemon = client->daemon;
	const struct sm_name *name = &client->request.name;
	enum sm_freshness freshness;
	const void *record;
	size_t size;

	daemon->counters.requests++;
	client->rule = rule_of(daemon, name);
	if (!client->rule || client->rule->is_torn) {
		sm_reload_if_changed(daemon); /* the program may have read newer files */
		client->rule = rule_of(daemon, name);
	}
	client->settings = sm_settings_hold(daemon->settings); /* to which the rule belongs */
	if (!client->rule) {
		daemon->counters.not_ours++;
		reply(client, SM_FRAME_NOT_OURS, NULL, 0);
		return;
	}
	if (find_cached(daemon, client->rule, name, &record, &size, &freshness) == SM_OK) {
		answer_from_cache(client, record, size, freshness);
		return;
	}
	client->may_be_stale = freshness == SM_OLD;
	wait_for_job(client);
}

static void tell_status(struct client *client)
{
	char text[SM_STATUS_MAX];
	size_t size = sm_status_text(client->daemon, text);

	reply(client, SM_FRAME_TEXT, text, size);
}

static void serve(struct client *client)
{
	enum sm_status status = sm_listener_receive(client->fd, &client->request);

	if (status == SM_MISS) {
		if (!client->has_timer)
			wait_ms(client, SILENCE_MS); /* started once: other wake-ups do not extend the time */
		watch(client);
		return;
	}
	client->daemon->counters.malformed += status == SM_CORRUPT;
	if (status != SM_OK)
		close_client(client);
	else if (client->request.kind == SM_FRAME_STATUS)
		tell_status(client);
	else
		look_up(client);
}

/* ---- accepting */

/* Reads the client's request first: if a connection is closed with unread data, it is reset and the reply is lost. */
static void turn_away(struct sm_daemon *daemon, int fd)
{
	struct sm_request ignored;
	enum sm_status status = sm_listener_receive(fd, &ignored);

	(void)status;
	daemon->counters.busy++;
	sm_listener_reply(fd, SM_FRAME_BUSY, NULL, 0);
	close(fd);
}

static void welcome(struct sm_daemon *daemon, int fd, uid_t uid)
{
	struct client *client;

	if (!sm_limits_take(&daemon->limits, SM_LIMITED_CLIENTS, uid)) {
		turn_away(daemon, fd);
		return;
	}
	client = calloc(1, sizeof(*client));
	if (!client) {
		sm_limits_give(&daemon->limits, SM_LIMITED_CLIENTS, uid);
		close(fd);
		return;
	}
	client->daemon = daemon;
	client->uid = uid;
	client->fd = fd;
	client->waiter.tell = on_told;
	serve(client);
}

static void on_connection(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
	struct sm_daemon *daemon = timer->data;

	uv_poll_start(&daemon->requests, UV_READABLE, on_connection);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct sm_daemon *daemon = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		uid_t uid;
		int fd;
		enum sm_status accepted = sm_listener_accept(&daemon->listener, &fd, &uid);

		if (accepted == SM_MEMORY) {
			sm_log(SM_LOG_WARNING, "no descriptor for a client", NULL);
			uv_poll_stop(poll);
			uv_timer_start(&daemon->pause, on_pause_over, PAUSE_MS, 0);
		}
		if (accepted != SM_OK)
			return;
		welcome(daemon, fd, uid);
	}
}

/* A hint renews only an answer that is near its end. So hints cannot make us ask more often than the lifetimes
 * allow. */
static void take_hint(struct sm_daemon *daemon, const struct sm_request *hint)
{
	const struct sm_rule *rule = rule_of(daemon, &hint->name);
	uint64_t jobs = daemon->counters.jobs;
	enum sm_freshness freshness;
	const void *record;
	size_t size;

	daemon->counters.hints++;
	if (!rule || daemon->is_stopping)
		return;
	if (find_cached(daemon, rule, &hint->name, &record, &size, &freshness) != SM_OK || freshness != SM_DUE)
		return;
	if (sm_jobs_ask(daemon, rule, hint, SM_LEDGER_NOBODY, NULL) == SM_OK)
		daemon->counters.renewed += daemon->counters.jobs - jobs;
}

static void on_hints(uv_poll_t *poll, int status, int events)
{
	struct sm_daemon *daemon = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < HINTS_AT_ONCE; i++) {
		struct sm_request hint;
		enum sm_status received = sm_listener_hint(&daemon->listener, &hint);

		if (received == SM_MISS)
			return;
		if (received == SM_OK)
			take_hint(daemon, &hint);
		else
			daemon->counters.malformed++;
	}
}

enum sm_status sm_clients_start(struct sm_daemon *daemon)
{
	uv_timer_init(&daemon->loop, &daemon->pause);
	daemon->pause.data = daemon->requests.data = daemon->hints.data = daemon;
	if (uv_poll_init(&daemon->loop, &daemon->requests, daemon->listener.requests) != 0)
		return SM_MEMORY;
	uv_poll_start(&daemon->requests, UV_READABLE, on_connection);
	if (daemon->listener.hints < 0)
		return SM_OK;
	if (uv_poll_init(&daemon->loop, &daemon->hints, daemon->listener.hints) != 0)
		return SM_MEMORY;
	uv_poll_start(&daemon->hints, UV_READABLE, on_hints);
	return SM_OK;
}

void sm_clients_stop(struct sm_daemon *daemon)
{
	uv_close((uv_handle_t *)&daemon->pause, NULL);
	uv_close((uv_handle_t *)&daemon->requests, NULL);
	if (daemon->listener.hints >= 0)
		uv_close((uv_handle_t *)&daemon->hints, NULL);
}
