/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the plugin keeps in a process between calls: the configuration, the memory cache that goes with it, and the state
 * of the dice. No descriptor, no thread, no handler; any number of threads, and forks at any moment. */
#pragma once

#include "cache/memory.h"
#include "conf/conf.h"

/* One configuration in force, with its own cache: new settings never meet old answers. */
struct sm_generation {
	struct sm_conf *conf;
	struct sm_memory memory;
	struct sm_watch watch;
	struct sm_generation *next; /* retired, waiting for the last user */
};

/* Begins a use; the generation is good until sm_process_leave. Loads the configuration at the first call, and looks for
 * changes once a second at most. NULL: no memory for it. */
const struct sm_generation *sm_process_enter(int64_t now_ns);
void sm_process_leave(void);

/* A number for drawing; another one in every process, forked ones included. */
uint64_t sm_process_draw(void);
