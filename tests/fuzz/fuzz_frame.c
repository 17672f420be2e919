/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/frame.h"
#include "mesh/answer.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is decoded is in bounds, and encoded again it says the same. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t again[SM_REQUEST_MAX];
	struct sm_request request, other;
	struct sm_frame_head head;
	const void *content;
	size_t content_size;

	if (sm_frame_decode_request(bytes, size, &request) == SM_OK &&
	    (request.kind == SM_FRAME_LOOKUP || request.kind == SM_FRAME_HINT)) {
		HOLDS(request.families >= SM_IPV4 && request.families <= SM_IPV4_AND_IPV6);
		HOLDS(sm_frame_decode_request(again, sm_frame_encode_request(&request, again), &other) == SM_OK);
		HOLDS(strcmp(request.name.text, other.name.text) == 0 && request.wait_ms == other.wait_ms);
	}
	if (sm_frame_decode_head(bytes, size, &head) == SM_OK) {
		HOLDS(head.part < head.n_parts);
		if (sm_frame_content(&head, bytes + SM_FRAME_HEAD, size - SM_FRAME_HEAD, &content, &content_size) == SM_OK)
			HOLDS((const uint8_t *)content >= bytes && (const uint8_t *)content + content_size <= bytes + size);
	}
	return 0;
}
