/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long an answer may be kept: TTL clamps, negative answers (RFC 2308), failures (RFC 9520). Pure. */
#pragma once

#include "mesh/answer.h"
#include "mesh/rule.h"

/* Milliseconds; 0: not at all. */
uint32_t sm_lifetime_ms(const struct sm_answer *answer, const struct sm_rule *rule);
