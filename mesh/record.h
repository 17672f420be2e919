/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An answer as bytes, for every cache. Self-proving: a record carries its own name and a checksum over itself, so that
 * bytes read from the wrong place, at the wrong moment or from a damaged file are a miss, never a wrong answer. Pure. */
#pragma once

#include "base/status.h"
#include "mesh/answer.h"
#include "mesh/name.h"

#include <stddef.h>

/* Enough for any answer: fixed part, name, 256 targets with names, 512 addresses. */
#define SM_RECORD_MAX (64 + SM_TARGETS_MAX * (11 + SM_NAME_MAX + 1) + SM_ADDRESSES_MAX * 25 + SM_NAME_MAX)

/* SM_FULL: `size` is too small; nothing of `bytes` is to be used then. */
enum sm_status sm_record_encode(const struct sm_name *name, const struct sm_answer *answer, int64_t expires_ns,
                                void *bytes, size_t size, size_t *ret_size) SM_MUST_CHECK;

/* SM_CORRUPT: not a whole record of this version. SM_MISS: one of another name. On SM_OK the targets' names point into
 * `bytes`; on anything else the outputs hold nothing of use. */
enum sm_status sm_record_decode(const struct sm_name *name, const void *bytes, size_t size, struct sm_answer *ret,
                                int64_t *ret_expires_ns) SM_MUST_CHECK;
