/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pairs of all filters and preferences of a configuration that is built. A value `@/path` is the first line of that file,
 * the host's own word, such as its zone. */
#pragma once

#include "conf/conf.h"

#define SM_WORDS_MAX 8 /* files of values */

/* Reads them into `conf`, and makes its rules point to them. Without a file, or without a value in it, nothing matches the pair:
 * a warning, because the names are ours all the same. The files are watched. SM_EXHAUSTED: as of sm_conf_load. */
enum sm_status sm_pairs_read(struct sm_conf *conf, struct sm_watch *watch, struct sm_complaints *complaints) SM_MUST_CHECK;
