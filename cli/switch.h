/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh disable and enable: a drop-in that says `enabled = no`, and its removal. Every process follows within a second
 * or so. */
#pragma once

#include <stdbool.h>

/* `domain`: the name of a [domain] or [service]; NULL: all names. They say what was done, or why not (false). */
bool sm_switch_off(const char *domain);
bool sm_switch_on(const char *domain);
