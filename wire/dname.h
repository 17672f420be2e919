/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DNAME (RFC 6672): a name that stands for another one, with all names below it. */
#pragma once

#include "base/arena.h"
#include "mesh/reply.h"

/* A server adds to its answer the CNAMEs that its DNAMEs stand for (RFC 6672, 3.1), but some do not. Makes them of the DNAMEs
 * that the chain from `name` needs; their texts live in `arena`. */
void sm_dname_expand(struct sm_reply *reply, const char *name, enum sm_rr_type type, struct sm_arena *arena);
