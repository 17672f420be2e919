/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What srvmeshd knows of the servers that it asks (resolve/servers.h), for all jobs together: taken over from the host map
 * at the start, published in it for the processes of the host, and told to the log. */
#pragma once

#include "cache/owner.h"
#include "daemon/accounts.h"
#include "resolve/counts.h"
#include "resolve/servers.h"

/* An account, when its own lookups have last met silence, and when it has last scouted. */
struct sm_warned {
	uid_t account;
	int64_t at_ns, scouted_ns;
};

struct sm_upstream {
	struct sm_owner *owner;
	struct sm_servers servers;
	struct sm_counts counts;
	uint64_t published; /* the changes so far, */
	int64_t published_ns;
	uint64_t n_questions; /* until then */
	int64_t back_ns;    /* the last time a server came back */
	struct sm_servers before; /* as the log knows them */
	struct sm_warned warned[SM_ACCOUNT_PLACES];
};

void sm_upstream_start(struct sm_upstream *upstream, struct sm_owner *owner);
/* To be called before a commit: publishes what has changed, at most once a second, but at once where a server is heard
 * again, because failures that are kept end with that. Writes the log. */
void sm_upstream_publish(struct sm_upstream *upstream, int64_t now_ns);
/* A lookup of this account has met silence. */
void sm_upstream_warn(struct sm_upstream *upstream, uid_t account, int64_t at_ns);
/* While all servers of the rule are down, one name of each account in a second asks them. true: this one. */
bool sm_upstream_may_scout(struct sm_upstream *upstream, const struct sm_rule *rule, uid_t account, int64_t now_ns);
/* Are all servers of the rule down by what the account's own lookups have met, too? Whoever asks for names that nobody answers
 * can make a server look silent; he shall do so for himself alone. */
bool sm_upstream_is_down_for(struct sm_upstream *upstream, const struct sm_rule *rule, uid_t account, int64_t now_ns);
