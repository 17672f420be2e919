/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lookup of a name for a program, from the request to the answer. */
#pragma once

#include "mesh/choose.h"
#include "mesh/name.h"

#include <stdint.h>

/* The result of a lookup. */
enum sm_verdict {
	SM_VERDICT_NOT_OURS,  /* another module's name, or we are switched off */
	SM_VERDICT_NO_NAME,   /* the service does not exist */
	SM_VERDICT_NO_DATA,   /* the service has no address of the requested family */
	SM_VERDICT_TRY_AGAIN, /* no server could tell */
	SM_VERDICT_TOO_SMALL, /* the plugin's alone: glibc's buffer; glibc grows it and asks again */
	SM_VERDICT_FOUND,
};

struct sm_found {
	struct sm_name name;
	struct sm_choice choice;
	uint32_t ttl_s; /* the rest of the answer's lifetime, rounded down */
};

/* `families`: enum sm_families. With SM_VERDICT_FOUND, *ret has at least one address. For a name that is not ours it
 * takes no lock, allocates nothing and makes no system call, except to check the configuration files once a second. */
enum sm_verdict sm_find(const char *name, uint8_t families, struct sm_found *ret);

struct sm_found_service {
	struct sm_name name;
	char proto[SM_LABEL_MAX + 1];
	uint16_t port;
};

/* The port of a target drawn for `name`. The thread remembers the target for the hosts lookup that follows. `proto`
 * may be NULL: any. For a protocol other than the rule's there is no port, and no server is asked. */
enum sm_verdict sm_find_service(const char *name, const char *proto, struct sm_found_service *ret);
