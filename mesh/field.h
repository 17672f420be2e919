/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fields of a record that few records have; their bytes are drawn in mesh/record.c. Encoders write nothing where there is
 * nothing to say. Decoders set reader->failed at bytes that are none of theirs. Pure. */
#pragma once

#include "base/arena.h"
#include "base/cursor.h"
#include "mesh/answer.h"

#define SM_FIELD_MISSING_SIZE 3
#define SM_FIELD_MARK_SIZE 12 /* each */

void sm_field_encode_missing(struct sm_writer *writer, const struct sm_answer *answer);
void sm_field_decode_missing(struct sm_reader *reader, struct sm_answer *ret);

/* The targets are decoded before. */
void sm_field_encode_marks(struct sm_writer *writer, const struct sm_answer *answer);
void sm_field_decode_marks(struct sm_reader *reader, struct sm_arena *arena, struct sm_answer *ret);

/* Metadata stay packed until somebody wants them; what cannot be unpacked is left out. */
void sm_field_encode_metadata(struct sm_writer *writer, const struct sm_answer *answer);
void sm_field_decode_metadata(struct sm_reader *reader, struct sm_answer *ret);
void sm_field_unpack_metadata(struct sm_answer *answer);
