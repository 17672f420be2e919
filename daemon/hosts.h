/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory of hosts: the addresses that srvmeshd has asked for, by name, family and rule, and denials of them, for as long
 * as the server said. So a service whose targets are known takes one question, and where only the servers of the SRV records
 * are silent, the addresses still follow those of the targets' own servers.
 *
 * Bounded, each uid's share too; emptied where the rules, the network or a flush say that others count. */
#pragma once

#include "cache/ledger.h"
#include "mesh/expand.h"
#include "resolve/asker.h"

struct sm_hosts {
	struct sm_ledger *ledger; /* NULL: nothing is remembered */
	void *by_key;             /* a tree (tsearch) */
	uint32_t quota_percent;
};

/* Without memory it remembers nothing. */
void sm_hosts_start(struct sm_hosts *hosts, uint32_t quota_percent);
void sm_hosts_stop(struct sm_hosts *hosts);
void sm_hosts_empty(struct sm_hosts *hosts);

/* `ahead`: for a renewal, which should not inherit the end of an old lifetime: only what holds for half of its time yet. *ret
 * lives until the next call. */
bool sm_hosts_recall(struct sm_hosts *hosts, const struct sm_question *question, const struct sm_rule *rule, bool ahead,
                     int64_t now_ns, struct sm_remembered *ret);
void sm_hosts_remember(struct sm_hosts *hosts, const struct sm_question *question, const struct sm_rule *rule, uid_t uid,
                       const struct sm_remembered *message, uint32_t ttl_s, int64_t now_ns);
