/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/memory.h"

#include "cli/exit.h"

#include <stdio.h>
#include <stdlib.h>

void sm_no_memory(void)
{
	fputs("srvmesh: out of memory or descriptors\n", stderr);
	exit(EXIT_NO);
}
