/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one configuration file says: its sections and settings, each checked where it stands. */
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
	uint32_t line;       /* where it stands first */
};

struct sm_setting {
	const struct sm_key *key;
	char *value;
	uint32_t section, line; /* the section is an index */
};

struct sm_piece {
	char *path;
	/* It has an error, and is left out: of its sections only the names count, and of its settings the one that switches
	 * names off (sm_key_is_switch). */
	bool is_left_out;
	bool is_unread;   /* it is there and cannot be read: what it says is not known */
	bool has_unknown; /* it may have sections that are not below, for a header could not be read */
	/* What the file said before its error counts, and is a piece of its own: of this one only what is new. */
	bool is_shadow;
	uint32_t n_sections, n_settings;
	struct sm_section *sections;
	struct sm_setting *settings;
};

/* Reads `text` into a piece that has its path and nothing else. Every error is complained about, and sets is_left_out.
 * SM_MEMORY: the piece is to be cleared. */
enum sm_status sm_piece_read(struct sm_piece *piece, const char *text, size_t size,
                             struct sm_complaints *complaints) SM_MUST_CHECK;
/* A copy of its own; SM_MEMORY: *ret is to be cleared. */
enum sm_status sm_piece_copy(const struct sm_piece *piece, struct sm_piece *ret) SM_MUST_CHECK;
void sm_piece_clear(struct sm_piece *piece);
