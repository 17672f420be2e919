/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An answer as bytes, for every cache. A record carries its own name and a checksum over itself. So bytes read from the
 * wrong place, at the wrong moment or from a damaged file are a miss, never a wrong answer. Pure. */
#pragma once

#include "base/arena.h"
#include "base/status.h"
#include "mesh/answer.h"
#include "mesh/format.h"
#include "mesh/lifetime.h"
#include "mesh/name.h"
#include "mesh/origin.h"

#include <stddef.h>

/* Enough for any answer: fixed part, name, all targets with names and metadata, all addresses, the heads of fields. */
#define SM_RECORD_MAX \
	(128 + SM_ORIGIN_MAX + SM_TARGETS_MAX * (24 + SM_NAME_MAX + SM_METADATA_MAX) + SM_ADDRESSES_MAX * 25 + \
	 SM_MARKS_MAX * 12 + SM_NAME_MAX)
/* What the arrays of any answer take of an arena, with what is lost to its chunks. */
#define SM_ANSWER_MEMORY_MAX \
	(4096 + 2 * (SM_TARGETS_MAX * sizeof(struct sm_target) + SM_ADDRESSES_MAX * (sizeof(struct sm_address) + 8) + \
	             SM_MARKS_MAX * sizeof(struct sm_mark)))

/* A size that the record of this answer does not exceed. */
size_t sm_record_size(const struct sm_name *name, const struct sm_answer *answer);

/* SM_FULL: `size` is too small; the contents of `bytes` are then undefined. */
enum sm_status sm_record_encode(const struct sm_name *name, const struct sm_answer *answer, const struct sm_times *times,
                                enum sm_format format, void *bytes, size_t size, size_t *ret_size) SM_MUST_CHECK;

/* Either format. SM_CORRUPT: not a whole record of these. SM_MISS: one of another name. SM_EXHAUSTED: `arena`, in which the
 * arrays live, is too small. On SM_OK the targets' names and metadata point into `bytes`; on anything else the outputs hold
 * nothing of use. */
enum sm_status sm_record_decode(const struct sm_name *name, const void *bytes, size_t size, struct sm_arena *arena,
                                struct sm_answer *ret, struct sm_times *ret_times) SM_MUST_CHECK;

struct sm_record_head {
	struct sm_name name;
	struct sm_times times;
	enum sm_answer_kind kind;
	uint8_t unasked_families;
};

/* Whose record is it? For an owner that goes through all its records. SM_CORRUPT: not a whole record of these formats. */
enum sm_status sm_record_head(const void *bytes, size_t size, struct sm_record_head *ret) SM_MUST_CHECK;
