/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fuzz/fuzz.h"
#include "tier/resp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was read lies within the bytes, and its end is known whatever follows. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct sm_resp_reply reply, again;
	uint8_t *copy = malloc(size ? size : 1);
	size_t used = 0, used_again = 0;

	memcpy(copy, bytes, size);
	if (sm_resp_read(copy, size, &reply, &used) == SM_OK) {
		HOLDS(used > 0 && used <= size && reply.n_items > 0 && reply.n_items <= SM_RESP_ITEMS_MAX);
		for (uint32_t i = 0; i < reply.n_items; i++) {
			const struct sm_resp_item *item = &reply.items[i];

			HOLDS(item->size <= SM_RESP_BULK_MAX || item->size < size);
			HOLDS(item->bytes >= copy && item->bytes + item->size <= copy + used);
			sm_resp_begins(item, "message");
		}
		HOLDS(sm_resp_read(copy, used, &again, &used_again) == SM_OK && used_again == used);
		HOLDS(sm_resp_read(copy, used - 1, &again, &used_again) == SM_MISS);
	}
	free(copy);
	return 0;
}
