/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmeshd's clocks, as the host map has them: a process whose own agree with them need not look whether it is in a time
 * namespace of its own (cache/reader.c). */
#pragma once

#include "cache/owner.h"

/* Writes them where the map has none, or the wall clock has been set; to be called once a second. */
void sm_clocks_look(struct sm_owner *owner);
