/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a name that a program asked for to what it gets: the order of lookup. */
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

struct sm_found_service {
	struct sm_name name;
	char proto[SM_LABEL_MAX + 1];
	uint16_t port;
};

/* The port of a target drawn for `name`, which the thread remembers for the hosts lookup that follows. `proto` may be NULL:
 * any. Protocols other than the rule's are not there, and ask nobody. */
enum sm_verdict sm_find_service(const char *name, const char *proto, struct sm_found_service *ret);
