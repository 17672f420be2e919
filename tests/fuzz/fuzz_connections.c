/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "health/connections.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void hear(void *context, const struct sm_connection *connection)
{
	*(uint32_t *)context += 1;
	HOLDS(connection->peer.address.family == SM_IPV4 || connection->peer.address.family == SM_IPV6);
}

/* Messages of the kernel about connections: no more is heard than they can hold. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint32_t n = 0;
	const struct sm_connections_ear ear = {hear, &n};
	uint8_t *copy = malloc(size ? size : 1);
	enum sm_status status;

	memcpy(copy, bytes, size);
	status = sm_connections_read(copy, size, &ear);
	HOLDS(status == SM_OK || status == SM_MISS || status == SM_REFUSED || status == SM_EXHAUSTED || status == SM_CORRUPT);
	HOLDS(n <= size / 88);
	free(copy);
	return 0;
}
