/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The name servers of resolv.conf(5). Pure. */
#pragma once

#include "mesh/rule.h"

/* Sets the first SM_SERVERS_MAX `nameserver` lines, port 53, as the rule's servers; 127.0.0.1 if there is none, as glibc
 * does. Scoped link-local addresses are passed over: a server address has no place for a scope. */
void sm_resolvconf_parse(const char *text, struct sm_rule *rule);
