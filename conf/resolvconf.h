/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The name servers of resolv.conf(5). Pure. */
#pragma once

#include "mesh/rule.h"

/* Sets the rule's servers to the first SM_SERVERS_MAX `nameserver` lines, port 53; to 127.0.0.1 if there is none, as
 * glibc does. Link-local addresses with a scope are ignored: struct sm_server cannot hold a scope. */
void sm_resolvconf_parse(const char *text, struct sm_rule *rule);
