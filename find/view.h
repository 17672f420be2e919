/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Views of the host map, as find/process.c makes and replaces them. */
#pragma once

#include "find/process.h"

/* NULL: there is no usable host map. */
struct sm_view *sm_view_make(const struct sm_generation *generation);
void sm_view_free(struct sm_view *view);
/* Is this process still in srvmeshd's network namespace? NULL: there is no view. */
void sm_view_look_at_namespace(struct sm_view *view, int64_t now_ns);
