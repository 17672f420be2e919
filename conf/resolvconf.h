/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The name servers and the search list of resolv.conf(5). Pure. */
#pragma once

#include "mesh/rule.h"

/* Sets the rule's servers to the first SM_SERVERS_MAX `nameserver` lines, port 53; to 127.0.0.1 if there is none, as
 * glibc does. `search` becomes the list of the last `search` or `domain` line, of which names that are none are left out; it may
 * be NULL. */
void sm_resolvconf_parse(const char *text, struct sm_rule *rule, struct sm_search *search);
