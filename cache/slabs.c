/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cache/slabs.h"

#include <stdlib.h>

#define SLAB_BYTES 16384

struct sm_slab {
	struct sm_slab *next;
	_Alignas(SM_SLAB_UNIT) char bytes[SLAB_BYTES];
};

static size_t units(size_t size)
{
	return (size + SM_SLAB_UNIT - 1) / SM_SLAB_UNIT;
}

void *sm_slabs_take(struct sm_slabs *slabs, size_t size)
{
	size_t n = units(size);
	void *item = slabs->given_back[n];
	struct sm_slab *slab = slabs->first;

	if (item) {
		slabs->given_back[n] = *(void **)item;
		return item;
	}
	if (!slab || SLAB_BYTES - slabs->used < n * SM_SLAB_UNIT) {
		slab = aligned_alloc(_Alignof(struct sm_slab), sizeof(*slab));
		if (!slab)
			return NULL;
		slab->next = slabs->first;
		slabs->first = slab;
		slabs->used = 0;
	}
	item = slab->bytes + slabs->used;
	slabs->used += n * SM_SLAB_UNIT;
	return item;
}

void sm_slabs_give_back(struct sm_slabs *slabs, void *item, size_t size)
{
	*(void **)item = slabs->given_back[units(size)];
	slabs->given_back[units(size)] = item;
}

void sm_slabs_clear(struct sm_slabs *slabs)
{
	while (slabs->first) {
		struct sm_slab *slab = slabs->first;

		slabs->first = slab->next;
		free(slab);
	}
	*slabs = (struct sm_slabs){.first = NULL};
}
