/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a section comes to: for each key the value that counts, as it is written, and where. */
#pragma once

#include "conf/conf.h"

struct sm_shown {
	const char *value; /* borrowed from the configuration, or from the table of keys */
	const char *path;  /* NULL: it is the default */
	uint32_t line;
};

/* Of a key that belongs to this kind of section. `name`: of a [domain] or [service]; NULL: of any other. A [domain] inherits from
 * [resolver], a [service] from its [domain], too; `enabled = no` in any of them holds. */
struct sm_shown sm_show_value(const struct sm_conf *conf, enum sm_section_kind kind, const struct sm_name *name,
                              const struct sm_key *key);
