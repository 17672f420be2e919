/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* After a storm the memory of its jobs lies free between what lives longer, and malloc keeps it: some 24 KiB of each job. */
#pragma once

#include <stdint.h>

struct sm_thrift {
	uint32_t most_jobs; /* seen since memory was given back */
};

/* Gives the system back what is free, if a storm is over; main.c calls this once a second. */
void sm_thrift_look(struct sm_thrift *thrift, uint32_t jobs);
