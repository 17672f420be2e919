/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The metrics for a scraper: GET /metrics over HTTP, at an address of loopback or a local socket, as `[daemon] metrics` says. It
 * serves one page and ends the connection after it; a proxy can do the rest.
 *
 * When all connections are in use, the oldest that has not asked anything gives way: idle ones keep no scraper out.
 *
 * It speaks HTTP/1.0's part of HTTP/1.1 (RFC 9112): a request of up to 8 KiB within five seconds, whose body is not read. */
#pragma once

#include "daemon/loop.h"
#include "daemon/metrics.h"

#include <sys/queue.h>

#define SM_SCRAPERS_MAX 8

struct sm_scrape {
	uv_loop_t *loop; /* set by main.c, as `metrics` */
	struct sm_metrics *metrics;

	bool is_open;
	uint32_t n_scrapers;
	TAILQ_HEAD(, sm_scraper) asking; /* whose request is not complete, the oldest first */
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} listener;
	char path[SM_PATH_MAX + 1]; /* of the local socket; "": none */
};

/* Listens where the configuration says; logs where that is not possible, and srvmeshd goes on without. */
void sm_scrape_start(struct sm_scrape *scrape, const struct sm_road *road);
void sm_scrape_stop(struct sm_scrape *scrape);
