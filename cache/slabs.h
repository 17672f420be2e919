/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small items that live long, in memory of their own: between what comes and goes by the thousand each of them would keep a page
 * from being given back. Items of a size follow each other; what is given back is taken again. Not for two threads at once. */
#pragma once

#include <stddef.h>

#define SM_SLAB_UNIT 32     /* bytes: sizes are rounded up to it */
#define SM_SLAB_ITEM_MAX 512 /* bytes */

struct sm_slabs {
	struct sm_slab *first; /* all zero at the start */
	size_t used;           /* of the first */
	void *given_back[SM_SLAB_ITEM_MAX / SM_SLAB_UNIT + 1];
};

/* NULL: no memory. */
void *sm_slabs_take(struct sm_slabs *slabs, size_t size);
/* `size`: as it was taken. */
void sm_slabs_give_back(struct sm_slabs *slabs, void *item, size_t size);
/* Frees all items. */
void sm_slabs_clear(struct sm_slabs *slabs);
