/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of endpoints (health/health.h), on the loop: probes are begun, watched and ended, and the host's own connections
 * are listed. */
#pragma once

#include "daemon/loop.h"
#include "health/health.h"
#include "health/probe.h"

struct sm_prober {
	uv_loop_t *loop; /* set by the user, as up to `context` */
	/* Called after everything that may have changed the state of an endpoint, */
	void (*tell)(void *context, struct sm_watched *watched);
	/* and once a second. */
	void (*tick)(void *context);
	void *context;

	struct sm_health *health; /* the prober's; NULL: it is switched off */
	int sockets_fd;           /* an epoll of the sockets of all probes */
	uv_poll_t sockets;
	uv_check_t waking;        /* the loop has read what was ready */
	uv_timer_t probing, listing;
	int64_t awake_ns;         /* since when the loop is awake */
	int64_t asleep_ns;        /* when it began to wait, */
	uint64_t waited_ns;       /* and how long it had waited before, in all */
	int64_t wakes_ns;         /* when there is something to do */
	bool has_no_lists;        /* the kernel has no lists of connections */
	uint32_t next_listed;     /* where the next list of open connections begins, */
	uint32_t next_waiting;    /* and that of waiting ones, where they are too many for one list */
	uint64_t n_probes;        /* so far */
	struct sm_watched *whose[SM_PROBES_MAX]; /* NULL: the probe is not under way */
	struct sm_probe probes[SM_PROBES_MAX];
};

/* It begins switched off. SM_EXHAUSTED. */
enum sm_status sm_prober_start(struct sm_prober *prober) SM_MUST_CHECK;
/* Gives up what is under way. Its memory must live until the loop has closed its handles. */
void sm_prober_stop(struct sm_prober *prober);
enum sm_status sm_prober_switch_on(struct sm_prober *prober) SM_MUST_CHECK;
/* Forgets all endpoints. */
void sm_prober_switch_off(struct sm_prober *prober);

/* To be called just before the loop waits: begins what is due, so that the answers to probes are read without delay. */
void sm_prober_begin_probes(struct sm_prober *prober);
/* Endpoints were added, or are due at another time. */
void sm_prober_look_again(struct sm_prober *prober);
