/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fingerprint of a rule, as it is in force: of its settings, not of how they are written, and of its servers, wherever they
 * come from. */
#pragma once

#include "mesh/rule.h"

/* Sets rule->key. Its servers and pairs must be known. Upper half: of `srv`, `proto`, `family`, `port` and the domain; lower
 * half: of these and of all else that shapes answers. */
void sm_rule_set_key(struct sm_rule *rule);
