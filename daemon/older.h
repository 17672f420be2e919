/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers for plugins of the release before, which programs keep loaded over an upgrade. */
#pragma once

#include "base/status.h"
#include "mesh/name.h"

#include <stddef.h>

/* The same record in the format before, in *ret, which the caller frees; of a large answer its best part. */
enum sm_status sm_older_record(const struct sm_name *name, const void *record, size_t size, void **ret,
                               size_t *ret_size) SM_MUST_CHECK;
