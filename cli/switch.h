/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh disable and enable: write a drop-in with `enabled = no`, and remove it. Every process follows within about a
 * second. */
#pragma once

#include <stdbool.h>

/* `domain`: the name of a [domain] or [service]; NULL: all names. They print what was done, or why it was not
 * (false). */
bool sm_switch_off(const char *domain);
bool sm_switch_on(const char *domain);
