/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counted since the start; the names are those of the status text. */
#pragma once

#include <stdint.h>

struct sm_counters {
	uint64_t requests;  /* lookups received */
	uint64_t cached;    /* answered from the cache: fresh */
	uint64_t stale;     /* answered past the TTL */
	uint64_t joined;    /* waited for a job that was already running */
	uint64_t jobs;      /* names resolved */
	uint64_t failed;    /* of them, without an answer */
	uint64_t hopeless;  /* failed at once: all servers are down */
	uint64_t cut;       /* answers that are not whole, because of our bounds */
	uint64_t not_ours;
	uint64_t busy;      /* refused: a limit */
	uint64_t malformed; /* requests and hints that could not be decoded */
	uint64_t hints;
	uint64_t renewed;   /* jobs that a hint began */
};
