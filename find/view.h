/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Views of the host map, as find/process.c makes and replaces them. */
#pragma once

#include "find/process.h"

/* NULL: there is no usable host map. */
struct sm_view *sm_view_make(const struct sm_generation *generation);
void sm_view_free(struct sm_view *view);
/* The families of the other network namespace that this process is in; 0: it is srvmeshd's own. Looked at when somebody has to
 * know it first: one address is what it is anywhere. */
uint8_t sm_view_other_families(struct sm_view *view, int64_t now_ns);
/* A process may change its namespace, and srvmeshd may come back in another one. NULL: there is no view. */
void sm_view_look_again_at_namespace(struct sm_view *view, int64_t now_ns);
