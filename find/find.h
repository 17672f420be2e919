/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a name that a program asked for to what it gets: the order of lookup. */
#pragma once

#include "mesh/choose.h"
#include "mesh/name.h"

#include <stdint.h>

/* What a lookup came to. */
enum sm_verdict {
	SM_VERDICT_NOT_OURS,  /* another module's name, or we are switched off */
	SM_VERDICT_NO_NAME,   /* the service does not exist */
	SM_VERDICT_NO_DATA,   /* it has no address of the asked family */
	SM_VERDICT_TRY_AGAIN, /* no server could say */
	SM_VERDICT_TOO_SMALL, /* the plugin's alone: glibc's buffer; glibc grows it and asks again */
	SM_VERDICT_FOUND,
};

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
