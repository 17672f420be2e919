/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cursor.h"
#include "resolve/outlook.h"
#include "resolve/table.h"
#include "tests/fuzz/fuzz.h"

#define XXH_INLINE_ALL
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define NOW_NS 100000000000000LL

/* With a right checksum and a time of its own: what was read is within its bounds, decides something about every rule, and is
 * written and read again the same. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct sm_servers servers, other;
	static uint8_t again[SM_TABLE_MAX];
	struct sm_rule rule = {.timeout_ms = 500, .n_servers = 1};
	uint8_t order[SM_SERVERS_MAX], *copy = malloc(size ? size : 1);
	const int64_t made_ns = NOW_NS - 1000;
	uint64_t checksum;

	memcpy(copy, bytes, size);
	if (size >= 16) {
		memcpy(copy + 8, &made_ns, sizeof(made_ns));
		checksum = XXH3_64bits(copy + 8, size - 8);
		memcpy(copy, &checksum, sizeof(checksum));
	}
	sm_servers_init(&servers, 1);
	sm_servers_init(&other, 1);
	if (sm_table_decode(copy, size, NOW_NS, &servers) == SM_OK) {
		HOLDS(servers.n <= SM_SERVERS_KNOWN_MAX);
		for (uint32_t i = 0; i < servers.n; i++) {
			const struct sm_server_known *known = &servers.known[i];

			HOLDS(known->n_names <= 2 && known->changed_ns <= NOW_NS && strlen(known->server.zone) <= SM_ZONE_MAX);
			rule.servers[0] = known->server;
			sm_servers_order(&servers, &rule, true, NOW_NS, order);
			HOLDS(sm_servers_hedge_ns(&servers, &rule, 0, NOW_NS) <= 250000000);
			HOLDS(sm_outlook_of(&servers, &rule, NOW_NS).back_ns <= NOW_NS);
		}
		HOLDS(sm_table_decode(again, sm_table_encode(&servers, NOW_NS, again), NOW_NS, &other) == SM_OK);
		HOLDS(other.n == servers.n);
	}
	free(copy);
	return 0;
}
