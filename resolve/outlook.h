/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is to be expected of the servers of a rule, all together, for mesh/lifetime.h to decide what to do. Pure. */
#pragma once

#include "mesh/lifetime.h"
#include "resolve/servers.h"

/* Is every server of the rule backing off because it was silent on at least two names, or because nobody listens there, and one
 * at least is silent? Where nobody listens anywhere, to ask costs nothing. A rule without servers is not down. */
bool sm_outlook_is_down(const struct sm_servers *servers, const struct sm_rule *rule, int64_t now_ns);

/* Since when each of them has been silent, or nobody has listened there; while they are down. */
int64_t sm_outlook_down_since_ns(const struct sm_servers *servers, const struct sm_rule *rule);

/* `is_lasting`: they have been down for three seconds at least, and until three seconds ago at most. `back_ns`: when one was
 * last heard again after it was backing off for silence. */
struct sm_outlook sm_outlook_of(const struct sm_servers *servers, const struct sm_rule *rule, int64_t now_ns);
