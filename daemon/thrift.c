/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/thrift.h"

#include <malloc.h>

#define STORM_JOBS 128

void sm_thrift_look(struct sm_thrift *thrift, uint32_t jobs)
{
	if (thrift->most_jobs >= STORM_JOBS && jobs < thrift->most_jobs / 8) {
		malloc_trim(0);
		thrift->most_jobs = 0;
	}
	if (jobs > thrift->most_jobs)
		thrift->most_jobs = jobs;
}
