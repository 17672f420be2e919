/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An answer as bytes, for every cache. Self-proving: a record carries its own name and a checksum over itself, so that
 * bytes read from the wrong place, at the wrong moment or from a damaged file are a miss, never a wrong answer. Pure. */
#pragma once

#include "base/status.h"
#include "mesh/answer.h"
#include "mesh/lifetime.h"
#include "mesh/name.h"

#include <stddef.h>

/* Enough for any answer: fixed part, name, 256 targets with names and metadata, 512 addresses. */
#define SM_RECORD_MAX \
	(64 + SM_TARGETS_MAX * (15 + SM_NAME_MAX + SM_METADATA_MAX) + SM_ADDRESSES_MAX * 25 + SM_NAME_MAX)

/* SM_FULL: `size` is too small; nothing of `bytes` is to be used then. */
enum sm_status sm_record_encode(const struct sm_name *name, const struct sm_answer *answer, const struct sm_times *times,
                                void *bytes, size_t size, size_t *ret_size) SM_MUST_CHECK;

/* SM_CORRUPT: not a whole record of this version. SM_MISS: one of another name. On SM_OK the targets' names and metadata point
 * into `bytes`; on anything else the outputs hold nothing of use. */
enum sm_status sm_record_decode(const struct sm_name *name, const void *bytes, size_t size, struct sm_answer *ret,
                                struct sm_times *ret_times) SM_MUST_CHECK;

/* Whose record is it? For an owner that goes through all it has; `ret_times` and `ret_kind` may not be NULL. SM_CORRUPT:
 * not a whole record of this version. */
enum sm_status sm_record_head(const void *bytes, size_t size, struct sm_name *ret_name, struct sm_times *ret_times,
                              enum sm_answer_kind *ret_kind) SM_MUST_CHECK;
