/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a new configuration takes over of what the process knows. */
#pragma once

#include "find/process.h"

/* Copies the answers in the memory of the older generation: those whose rule is still the same as they are; of a rule that
 * is another one now the addresses, as old ones, to serve while no server can say better; of what is about something else
 * nothing. */
void sm_generation_inherit(struct sm_generation *fresh, const struct sm_generation *old, int64_t now_ns);
