/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The contents of one configuration file: its sections and settings, each checked by itself. */
#pragma once

#include "base/status.h"
#include "conf/complaints.h"
#include "conf/keys.h"
#include "mesh/name.h"

#include <stdbool.h>

#define SM_SECTIONS_MAX 1024 /* in one file, and in all together */
#define SM_SETTINGS_MAX 8192

struct sm_section {
	enum sm_section_kind kind;
	struct sm_name name; /* of [domain] and [service] */
	uint32_t line;       /* where it first occurs */
};

struct sm_setting {
	const struct sm_key *key;
	char *value;
	uint32_t section, line; /* the section is an index */
};

struct sm_piece {
	char *path;
	/* The file has an error and is left out: only the names of its sections count, and the setting that switches
	 * names off (sm_key_is_switch). */
	bool is_left_out;
	bool is_unread;   /* the file exists but cannot be read: its contents are not known */
	bool has_unknown; /* it may have more sections than are listed, because a header could not be read */
	/* The contents of the file before its error are used, as another piece: of this piece only new sections
	 * count. */
	bool is_shadow;
	uint32_t n_sections, n_settings;
	struct sm_section *sections;
	struct sm_setting *settings;
};

/* Reads `text` into a piece in which only the path is set. Every error goes to `complaints`, and sets is_left_out.
 * SM_EXHAUSTED: the caller must clear the piece. */
enum sm_status sm_piece_read(struct sm_piece *piece, const char *text, size_t size,
                             struct sm_complaints *complaints) SM_MUST_CHECK;
/* A deep copy. SM_EXHAUSTED: the caller must clear *ret. */
enum sm_status sm_piece_copy(const struct sm_piece *piece, struct sm_piece *ret) SM_MUST_CHECK;
void sm_piece_clear(struct sm_piece *piece);
