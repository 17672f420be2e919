/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a name that a program asked for to the addresses it gets: the order of lookup. */
#pragma once

#include "mesh/choose.h"
#include "mesh/name.h"
#include "nss_srvmesh/verdict.h"

#include <stdint.h>

struct sm_found {
	struct sm_name name;
	struct sm_choice choice;
	uint32_t ttl_s; /* what is left of the answer's lifetime, rounded down */
};

/* `families`: enum sm_families. With SM_VERDICT_FOUND, *ret has at least one address. For a name that is not ours it costs
 * neither lock, allocation nor system call, except the look at the configuration files once a second. */
enum sm_verdict sm_find(const char *name, uint8_t families, struct sm_found *ret);
