/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the plugin keeps in a process between calls: the configuration, the memory cache that goes with it, and the state
 * of the dice. No descriptor, no thread, no handler; any number of threads, and forks at any moment. */
#pragma once

#include "cache/memory.h"
#include "cache/reader.h"
#include "conf/conf.h"

/* The host map as it was mapped at some time. */
struct sm_view {
	struct sm_mapped mapped;
	struct sm_view *next; /* retired, waiting for the last user */
};

/* One configuration in force, with its own cache: new settings never meet old answers. */
struct sm_generation {
	struct sm_conf *conf; /* NULL: this process is to live without us */
	bool is_private; /* a configuration of the user's own */
	struct sm_memory memory;
	_Atomic(struct sm_view *) view; /* NULL: there is no host map */
	struct sm_watch watch;
	struct sm_generation *next; /* retired, waiting for the last user */
};

/* Begins a use; the generation, and every view of it, is good until sm_process_leave. Loads the configuration and maps the
 * host map at the first call, and looks for changes once a second at most. NULL: no memory for it. */
struct sm_generation *sm_process_enter(int64_t now_ns);
void sm_process_leave(void);

/* Looks at the host map's path at once, because what is mapped did not have what is wanted; true: it is worth another
 * try. */
bool sm_process_look_at_map(struct sm_generation *generation);

/* Is the daemon worth asking? It is given up for a while once it is not there, or silent. */
bool sm_process_has_daemon(const struct sm_generation *generation, int64_t now_ns);
void sm_process_give_daemon_up(int64_t until_ns);

/* One hint for each record, which `record` (its checksum will do) stands for: true once, and again after ten seconds at the
 * earliest; never true for many records in a short time. */
bool sm_process_takes_hint(uint64_t record, int64_t now_ns);
/* It was not sent. */
void sm_process_untake_hint(uint64_t record);

/* A number for drawing; another one in every process, forked ones included. */
uint64_t sm_process_draw(void);
