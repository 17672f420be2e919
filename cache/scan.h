/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the whole host map, one key after the other, for the command. Each step is a walk of its own (cache/reader.h), so it
 * may take as long as it wants beside a busy srvmeshd: a name that comes or goes meanwhile is seen or not, and all others are
 * seen once. */
#pragma once

#include "cache/reader.h"
#include "mesh/name.h"

/* The first service after `after` (NULL: the first of all), and its record. SM_MISS: there is none. SM_FULL: its record has
 * *ret_size bytes; *ret is set. SM_CORRUPT: as in cache/reader.h. */
enum sm_status sm_scan_next(const struct sm_mapped *mapped, const struct sm_name *after, struct sm_name *ret, void *bytes,
                            size_t size, size_t *ret_size) SM_MUST_CHECK;
