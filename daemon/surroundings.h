/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's addresses and links, on which ranks depend: learnt once, and again when the kernel reports a change. Then
 * every answer in the host map gets new ranks, and is asked for again where it lacks a family that the host now has, a few
 * answers at a time. And how it reaches destinations, which is kept for ten seconds, and while the routes are quiet. */
#pragma once

#include "daemon/loop.h"
#include "daemon/reload.h"
#include "daemon/targets.h"
#include "daemon/upstream.h"
#include "resolve/source.h"

struct sm_surroundings {
	uv_loop_t *loop;
	struct sm_owner *owner;
	const struct sm_reload *reload;
	struct sm_upstream *upstream; /* forgets failures when the network changes, */
	struct sm_hosts *hosts;
	struct sm_targets *targets;   /* and probes what is down */
	struct sm_network *network; /* NULL: not learnt yet */
	uint8_t families;           /* of the host, as the kept answers were asked for; 0: not learnt yet */
	int network_fd;             /* -1: the kernel does not report changes */
	int routes_fd;              /* -1: nor changes of routes */
	uv_poll_t changes, routes;
	uv_timer_t settling, routes_settling;
	bool remembers;             /* where destinations are reached from: as long as routes are quiet */
	uv_idle_t reranking;
	bool is_reranking;
	struct sm_name reranked; /* the last name reranked */
};

void sm_surroundings_start(struct sm_surroundings *around, uv_loop_t *loop, struct sm_owner *owner,
                           const struct sm_reload *reload, struct sm_upstream *upstream, struct sm_targets *targets,
                           struct sm_hosts *hosts);
void sm_surroundings_stop(struct sm_surroundings *around);

/* Gives the addresses of an answer the ranks that they have on this host; where that is not known, they keep theirs. */
void sm_surroundings_rank(struct sm_surroundings *around, struct sm_answer *answer);

/* Valid until the loop goes on. NULL: a caller that needs it has to learn it itself. */
const struct sm_network *sm_surroundings_network(struct sm_surroundings *around);
