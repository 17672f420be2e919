/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state that the parts of srvmeshd share. One thread, one loop (libuv); only commits, to memory, block. */
#pragma once

#include "cache/owner.h"
#include "daemon/limits.h"
#include "daemon/settings.h"
#include "ipc/listener.h"
#include "resolve/source.h"

#include <sys/queue.h>
#include <uv.h>

/* Counted since the start; the names are those of the status text. */
struct sm_counters {
	uint64_t requests;  /* lookups received */
	uint64_t cached;    /* answered from the cache: fresh */
	uint64_t stale;     /* answered past the TTL */
	uint64_t joined;    /* lookups that waited for a job already running */
	uint64_t jobs;      /* names resolved */
	uint64_t failed;    /* jobs that ended without an answer */
	uint64_t not_ours;
	uint64_t busy;      /* refused because of a limit */
	uint64_t malformed; /* invalid requests and hints */
	uint64_t hints;
	uint64_t renewed;   /* jobs started by a hint */
};

TAILQ_HEAD(sm_job_list, sm_job);

struct sm_daemon {
	uv_loop_t loop;
	int64_t began_ns;
	struct sm_conf_sources sources;
	struct sm_settings *settings;
	struct sm_watch watch; /* the files as they were last read, with errors or not */
	struct sm_owner *owner;
	struct sm_listener listener;
	struct sm_limits limits;
	struct sm_counters counters;
	bool is_stopping;
	void *jobs;                  /* by name */
	struct sm_job_list finished; /* their clients get the answer after the commit */
	int sockets_fd;              /* an epoll of the sockets of all jobs */
	uv_poll_t sockets;

	struct sm_network *network; /* daemon/surroundings.h; NULL: must be learnt again */
	int network_fd;             /* -1: the system does not report changes */
	uv_poll_t changes;
	uv_timer_t settling;
	uv_idle_t reranking;
	bool is_reranking;
	struct sm_name reranked; /* the last name that got new ranks */

	uv_poll_t requests, hints;
	uv_timer_t pause; /* stops accepting while there are too few descriptors */
	uv_prepare_t flush;
	uv_timer_t looking; /* looks for changed files */
	uv_timer_t watchdog;
	uv_signal_t hangup, terminate, interrupt;
};
