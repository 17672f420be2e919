/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events are only noted where they happen, in the middle of anything; they go out when the loop is about to wait. Where nobody
 * follows, what is frequent is kept as it is, and becomes a line when somebody wants it. */
#include "daemon/monitor.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_SIZE 65536

struct sm_follower {
	TAILQ_ENTRY(sm_follower) link;
	struct sm_client *client;
	uint64_t n_lost;
	bool is_waiting; /* until it can be written to */
	size_t used;
	char queue[QUEUE_SIZE]; /* lines, each with its NUL */
};

/* Which events are of which kind; all others are the daemon's own. */
static const struct {
	const char *kind, *event;
} kinds[] = {
	{"job", "a name is resolved"},       {"job", "busy"},
	{"renewal", "a name is renewed"},    {"renewal", "a name is completed"},
	{"change", "answer changed"},        {"server", "a server has failed"},
	{"server", "a server answers again"}, {"health", "a target is down"},
	{"health", "a target is up again"},  {"health", "a target is in doubt"},
	{"health", "a doubt is over"},       {"reload", "reloaded"},
	{"reload", "error in the configuration"}, {"reload", "the configuration may not do what was meant"},
};

static const char *kind_of(const char *event)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].event, event) == 0)
			return kinds[i].kind;
	return "daemon";
}

/* Adds a field whole, or nothing. Bytes that are not printable would end fields and lines. */
static size_t add_field(char line[SM_EVENT_MAX], size_t used, const char *text)
{
	size_t length = strlen(text);

	if (used + length + 2 > SM_EVENT_MAX)
		return used;
	if (used > 0)
		line[used++] = '\t';
	for (size_t i = 0; i < length; i++)
		line[used++] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
	line[used] = '\0';
	return used;
}

/* The key and the value, or neither. */
static size_t add_pair(char line[SM_EVENT_MAX], size_t used, const char *key, const char *value)
{
	size_t before = used;

	if (used + strlen(key) + strlen(value) + 3 > SM_EVENT_MAX)
		return before;
	used = add_field(line, used, key);
	return add_field(line, used, value);
}

static void queue(struct sm_follower *follower, const char *line)
{
	size_t size = strlen(line) + 1;

	if (follower->used + size > QUEUE_SIZE) {
		follower->n_lost++;
		return;
	}
	memcpy(follower->queue + follower->used, line, size);
	follower->used += size;
}

/* Leaves out the two pairs that say who asked. */
static void queue_stripped(struct sm_follower *follower, const char *line)
{
	const char *who = strstr(line, "\tuid\t");
	char stripped[SM_EVENT_MAX];

	if (!who || sm_client_is_trusted(follower->client)) {
		queue(follower, line);
		return;
	}
	snprintf(stripped, sizeof(stripped), "%.*s", (int)(who - line), line);
	queue(follower, stripped);
}

static void write_line(struct sm_kept_event *kept, const struct sm_log_pairs *pairs)
{
	char time[24];
	size_t used;

	snprintf(time, sizeof(time), "%lld", (long long)kept->wall_ms);
	used = add_field(kept->line, 0, time);
	used = add_field(kept->line, used, kind_of(kept->event));
	used = add_field(kept->line, used, sm_log_word(kept->level));
	used = add_field(kept->line, used, kept->event);
	for (uint32_t i = 0; i < pairs->n; i += 2)
		used = add_pair(kept->line, used, pairs->fields[i], pairs->fields[i + 1]);
}

static const char *line_of(struct sm_kept_event *kept)
{
	_Alignas(max_align_t) uint8_t what[SM_LOG_WHAT_MAX];
	struct sm_log_pairs pairs = {.n = 0};

	if (!kept->spell)
		return kept->line;
	memcpy(what, kept->what, sizeof(what)); /* the line takes its place */
	kept->spell(what, &pairs);
	kept->spell = NULL;
	write_line(kept, &pairs);
	return kept->line;
}

static void hear(void *context, const struct sm_log_event *event)
{
	struct sm_monitor *monitor = context;
	struct sm_kept_event *kept = &monitor->events[monitor->n_events % SM_EVENTS_KEPT];
	struct sm_follower *follower;

	kept->wall_ms = sm_clock_wall_ns() / SM_NS_PER_MS;
	kept->level = event->level;
	kept->event = event->event;
	kept->spell = event->matter ? event->matter->spell : NULL;
	if (event->matter)
		memcpy(kept->what, event->matter->what, event->matter->size);
	else
		write_line(kept, event->pairs);
	monitor->n_events++;
	TAILQ_FOREACH(follower, &monitor->followers, link)
		queue_stripped(follower, line_of(kept));
}

void sm_monitor_start(struct sm_monitor *monitor)
{
	TAILQ_INIT(&monitor->followers);
	sm_log_follow(hear, monitor);
}

void sm_monitor_stop(struct sm_monitor *monitor)
{
	struct sm_follower *follower;

	monitor->is_stopped = true;
	sm_monitor_before_waiting(monitor);
	while ((follower = TAILQ_FIRST(&monitor->followers)))
		sm_client_close(follower->client);
}

/* When there is room again, the follower hears how much it has missed. */
static void note_loss(struct sm_follower *follower)
{
	char line[SM_EVENT_MAX];

	if (follower->n_lost == 0 || follower->used > QUEUE_SIZE / 2)
		return;
	snprintf(line, sizeof(line), "%lld\tlost\twarning\tevents were lost: they were not taken in time\tevents\t%llu",
	         (long long)(sm_clock_wall_ns() / SM_NS_PER_MS), (unsigned long long)follower->n_lost);
	follower->n_lost = 0;
	queue(follower, line);
}

void sm_monitor_send(struct sm_monitor *monitor, struct sm_client *client)
{
	struct sm_follower *follower = client->follower;
	size_t sent = 0;

	(void)monitor;
	follower->is_waiting = false;
	while (sent < follower->used && !follower->is_waiting) {
		size_t length = strlen(follower->queue + sent);

		if (sm_client_event(client, follower->queue + sent, length) == SM_OK)
			sent += length + 1;
		else
			follower->is_waiting = true;
	}
	follower->used -= sent;
	memmove(follower->queue, follower->queue + sent, follower->used);
	note_loss(follower);
}

void sm_monitor_before_waiting(struct sm_monitor *monitor)
{
	struct sm_follower *follower;

	TAILQ_FOREACH(follower, &monitor->followers, link)
		if (follower->used > 0 && !follower->is_waiting)
			sm_monitor_send(monitor, follower->client);
}

void sm_monitor_ask(struct sm_monitor *monitor, struct sm_client *client)
{
	uint64_t n = client->request.n_last < SM_EVENTS_KEPT ? client->request.n_last : SM_EVENTS_KEPT;
	struct sm_limits *limits = client->connections->limits;
	bool is_taken = !monitor->is_stopped && sm_limits_take(limits, SM_LIMITED_FOLLOWERS, client->peer.account);
	struct sm_follower *follower = is_taken ? calloc(1, sizeof(*follower)) : NULL;

	if (!follower) {
		if (is_taken)
			sm_limits_give(limits, SM_LIMITED_FOLLOWERS, client->peer.account);
		sm_client_reply(client, SM_FRAME_BUSY, NULL, 0);
		return;
	}
	follower->client = client;
	client->follower = follower;
	TAILQ_INSERT_TAIL(&monitor->followers, follower, link);
	for (uint64_t i = monitor->n_events > n ? monitor->n_events - n : 0; i < monitor->n_events; i++)
		queue_stripped(follower, line_of(&monitor->events[i % SM_EVENTS_KEPT]));
	sm_client_follow(client);
}

void sm_monitor_forget(struct sm_monitor *monitor, struct sm_client *client)
{
	struct sm_follower *follower = client->follower;

	if (!follower)
		return;
	client->follower = NULL;
	TAILQ_REMOVE(&monitor->followers, follower, link);
	sm_limits_give(client->connections->limits, SM_LIMITED_FOLLOWERS, client->peer.account);
	free(follower);
}
