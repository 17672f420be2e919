/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events as they happen, for clients that follow: what the log may say, of every level, whatever it is set to. The last 256 are
 * kept for those who come later.
 *
 * An event is one line of fields behind tabs: milliseconds since 1970, its kind, its level, what happened, then keys and values.
 * A client that does not take them has 64 KiB of them kept; beyond that they are lost to it, which it is told by an event of
 * the kind "lost". Uids and pids are for root and srvmeshd's user alone. */
#pragma once

#include "daemon/connections.h"
#include "daemon/log.h"

#define SM_EVENT_MAX 512 /* bytes of a line; what does not fit is left out */
#define SM_EVENTS_KEPT 256

TAILQ_HEAD(sm_followers, sm_follower);

struct sm_monitor {
	struct sm_followers followers;
	uint64_t n_events;
	bool is_stopped;
	struct sm_kept_event {
		int64_t wall_ms;
		enum sm_log_level level;
		const char *event;
		void (*spell)(const void *what, struct sm_log_pairs *ret); /* NULL: its line is written */
		union {
			char line[SM_EVENT_MAX];
			_Alignas(max_align_t) uint8_t what[SM_LOG_WHAT_MAX];
		};
	} events[SM_EVENTS_KEPT]; /* number n at n % SM_EVENTS_KEPT */
};

void sm_monitor_start(struct sm_monitor *monitor);
/* Ends all followers; none comes any more. */
void sm_monitor_stop(struct sm_monitor *monitor);

/* A client asks to follow. */
void sm_monitor_ask(struct sm_monitor *monitor, struct sm_client *client);
/* Sends what has come, as much as it takes. */
void sm_monitor_send(struct sm_monitor *monitor, struct sm_client *client);
/* The client is about to be freed. */
void sm_monitor_forget(struct sm_monitor *monitor, struct sm_client *client);
/* To be called just before the loop waits. */
void sm_monitor_before_waiting(struct sm_monitor *monitor);
