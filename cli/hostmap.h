/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host map, read as every program reads it. */
#pragma once

#include "cache/reader.h"
#include "conf/conf.h"

/* SM_MISS, SM_REFUSED, SM_CORRUPT, SM_EXHAUSTED: as of cache/reader.h. */
enum sm_status sm_hostmap_open(const struct sm_conf *conf, struct sm_mapped *ret) SM_MUST_CHECK;
/* Why it cannot be opened, as the rest of a sentence that begins with its directory. */
const char *sm_hostmap_why_not(enum sm_status status);

/* Calls `hear` for each name in order, with its record, up to `max` of them. false: the map is damaged, or srvmeshd writes so
 * much that no walk comes through. */
bool sm_hostmap_each(const struct sm_mapped *mapped,
                     void (*hear)(void *context, const struct sm_name *name, const void *record, size_t size), void *context,
                     size_t max);
/* The record of a name, to be freed. SM_MISS, SM_CORRUPT, SM_EXHAUSTED. */
enum sm_status sm_hostmap_get(const struct sm_mapped *mapped, const struct sm_name *name, void **ret,
                              size_t *ret_size) SM_MUST_CHECK;
