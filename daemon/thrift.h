/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* After a storm of jobs srvmeshd is as small as before: what is large is the system's again as soon as it is freed; what is
 * small, and lies free between what lives longer, when the storm is over, and again when its last jobs have ended. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sm_thrift {
	uint32_t most_jobs; /* seen since memory was given back */
	bool is_fading;     /* it was given back while some jobs of the storm went on */
};

void sm_thrift_start(struct sm_thrift *thrift);
/* Gives the system back what is free, if a storm is over; called once a second. `jobs`: all that have memory. */
void sm_thrift_look(struct sm_thrift *thrift, uint32_t jobs);
