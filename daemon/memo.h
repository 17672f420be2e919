/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Something that holds of names for some time. A guess, by a hash: a wrong one must cost no more than a question. Pure. */
#pragma once

#include "mesh/name.h"

#define SM_MEMO_SLOTS 16384 /* names; of two with the same slot the later is known */

struct sm_memo {
	struct {
		uint32_t hash;
		uint32_t until_s; /* 0: it does not hold */
	} slots[SM_MEMO_SLOTS];
};

/* It holds until then; 0: it does not. */
void sm_memo_set(struct sm_memo *memo, const struct sm_name *name, int64_t until_ns);
bool sm_memo_holds(const struct sm_memo *memo, const struct sm_name *name, int64_t now_ns);
