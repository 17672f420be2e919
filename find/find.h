/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lookup of a name for a program, from the request to the answer. */
#pragma once

#include "base/status.h"
#include "mesh/choose.h"
#include "mesh/lifetime.h"
#include "mesh/name.h"

#include <stdint.h>

struct sm_conf;
struct sm_servers;

/* The result of a lookup. */
enum sm_verdict {
	SM_VERDICT_NOT_OURS,  /* another module's name, or we are switched off */
	SM_VERDICT_NO_NAME,   /* the service does not exist */
	SM_VERDICT_NO_DATA,   /* the service has no address of the requested family */
	SM_VERDICT_TRY_AGAIN, /* no server could tell */
	SM_VERDICT_TOO_SMALL, /* the plugin's alone: glibc's buffer; glibc grows it and asks again */
	SM_VERDICT_FOUND,
};

/* Where an answer was found. */
enum sm_place {
	SM_PLACE_NOWHERE,
	SM_PLACE_MAP,    /* the host map, */
	SM_PLACE_MEMORY, /* the memory of this process, */
	SM_PLACE_DAEMON, /* srvmeshd, which may have asked DNS, */
	SM_PLACE_DNS,    /* DNS, asked by this process */
};

struct sm_found {
	struct sm_name name;
	struct sm_choice choice;
	struct sm_name canonical; /* of a plain host with CNAMEs; length 0: the name itself */
	uint32_t ttl_s; /* for who keeps an answer for others: the rest of its lifetime, rounded down; 0: it has several
	                 * targets, of which each program is to get its own */
};

/* An answer that a lookup is about to give, or to draw from; all of it is borrowed for the call. */
struct sm_sight {
	enum sm_place place;
	const struct sm_conf *conf;
	const struct sm_rule *rule;
	const struct sm_name *name;     /* in full, where the program asked for a short one */
	const struct sm_answer *answer; /* judged by the rule */
	const struct sm_times *times;
	uint8_t families;
	int64_t now_ns;
	const struct sm_choice *choice; /* what the program gets; NULL: a port was asked for */
};

/* Is shown each answer that a lookup considers; the last one is the one that counts. */
struct sm_watcher {
	void (*see)(void *context, const struct sm_sight *sight);
	void *context;
};

/* The same lookup as sm_find, with somebody watching. */
enum sm_verdict sm_find_watched(const char *name, uint8_t families, const struct sm_watcher *watcher, struct sm_found *ret);

/* `families`: enum sm_families. With SM_VERDICT_FOUND, *ret has at least one address. errno stays as it was, if the
 * kernel has CLOCK_BOOTTIME.
 * For a name that is not ours it takes no lock, allocates nothing and makes no system call, except to check the configuration
 * files once a second. */
enum sm_verdict sm_find(const char *name, uint8_t families, struct sm_found *ret);

/* What this process knows of servers, with what srvmeshd has published. SM_EXHAUSTED. */
enum sm_status sm_find_servers(struct sm_servers *ret) SM_MUST_CHECK;

struct sm_found_service {
	struct sm_name name;
	char proto[SM_LABEL_MAX + 1];
	uint16_t port;
};

/* The port of a target drawn for `name`. The thread remembers the target for the hosts lookup that follows. `proto`
 * may be NULL: any. For a protocol other than the rule's there is no port, and no server is asked. */
enum sm_verdict sm_find_service(const char *name, const char *proto, struct sm_found_service *ret);
