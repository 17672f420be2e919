/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/thrift.h"

#include <malloc.h>

#define LARGE_BYTES 71680 /* more than a message; a channel of c-ares is larger */
#define TOP_BYTES 262144  /* may lie free at the end of the heap: what a turn of the loop frees, the next one takes */
#define STORM_JOBS 128
#define FEW_JOBS 8

void sm_thrift_start(struct sm_thrift *thrift)
{
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	mallopt(M_TRIM_THRESHOLD, TOP_BYTES);
	*thrift = (struct sm_thrift){.is_fading = false};
}

void sm_thrift_look(struct sm_thrift *thrift, uint32_t jobs)
{
	bool is_over = thrift->most_jobs >= STORM_JOBS && jobs < thrift->most_jobs / 8;

	if (is_over || (thrift->is_fading && jobs <= FEW_JOBS)) {
		malloc_trim(0);
		thrift->is_fading = jobs > FEW_JOBS;
		thrift->most_jobs = 0;
	}
	if (jobs > thrift->most_jobs)
		thrift->most_jobs = jobs;
}
