/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What srvmeshd knows of servers, as bytes for the host map: a process that has to ask by itself starts with the truth of
 * seconds ago. Pure. */
#pragma once

#include "resolve/servers.h"

#include <stddef.h>

#define SM_TABLE_MAX (32 + SM_SERVERS_KNOWN_MAX * 160)
#define SM_TABLE_LIFE_NS 30000000000LL /* an older one says nothing */

/* At most SM_TABLE_MAX bytes. Returns the size. */
size_t sm_table_encode(const struct sm_servers *servers, int64_t now_ns, uint8_t ret[SM_TABLE_MAX]);
/* Takes over into `servers` what the table knows later. SM_CORRUPT: not a whole table. SM_MISS: too old, or of another
 * boot. */
enum sm_status sm_table_decode(const void *bytes, size_t size, int64_t now_ns, struct sm_servers *servers) SM_MUST_CHECK;
