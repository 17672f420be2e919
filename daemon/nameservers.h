/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of the DNS servers of the configuration, for a client that wants the table, and for the metrics. */
#pragma once

#include "conf/conf.h"
#include "daemon/upstream.h"

#define SM_NAMESERVERS_MAX 256

struct sm_nameserver {
	struct sm_server server;
	const struct sm_server_known *known;   /* NULL: it was never asked lately */
	const struct sm_server_counts *counts; /* NULL: never */
};

/* Each server of any rule once; returns how many. */
uint32_t sm_nameservers(const struct sm_upstream *upstream, const struct sm_rules *rules,
                        struct sm_nameserver ret[SM_NAMESERVERS_MAX]);

/* "new", "up", "slow" or "down". */
const char *sm_nameserver_state(const struct sm_nameserver *server);

/* The table as text: a line for each, fields behind tabs: address, "udp" or "tcp", state, microseconds of a usual answer or "-",
 * numbers asked, answered, failed, silent; milliseconds since it was heard or "-", until it is tried again or "-", since when
 * it is silent or "-"; the domains that ask it, with commas between them, or "-": it is for targets that no domain has. NULL:
 * no memory; else to be freed. */
char *sm_nameservers_text(const struct sm_upstream *upstream, const struct sm_rules *rules, int64_t now_ns, size_t *ret_size);
