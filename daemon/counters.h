/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counted since the start; the names are those of the status text. */
#pragma once

#include "ipc/frame.h"
#include "mesh/answer.h"
#include "resolve/counts.h"

#include <stddef.h>
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
	uint64_t answers[SM_ANSWER_FAILURE + 1]; /* of jobs, by kind */
	uint64_t changed;   /* answers that are not those of before */
	uint64_t bypassed[SM_BYPASS_KINDS];
	struct sm_histogram job_times;
	struct {
		int64_t began_ns, oldest_ns; /* a minute, and how long past its TTL what was given in it was at most */
	} stale_use[2]; /* this minute and the one before */
};

/* An answer past its TTL is given. */
void sm_counters_note_stale(struct sm_counters *counters, const void *record, size_t size, int64_t now_ns);
/* How long past its TTL an answer was at most that was given lately: within a minute or two. */
int64_t sm_counters_stale_ns(const struct sm_counters *counters, int64_t now_ns);
