/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns of names: "api.mesh", "*.mesh", "*"; `*` stands for any characters, dots included, and `?` for one. */
#pragma once

#include "base/status.h"
#include "mesh/name.h"

/* Folds case, and accepts one trailing dot. SM_INVALID: empty, too long, or a character that names do not have. */
enum sm_status sm_pattern_parse(const char *text, size_t length, char ret[SM_NAME_MAX + 1]) SM_MUST_CHECK;

/* `pattern` is as sm_pattern_parse gave it. Its time is at most the product of both lengths. */
bool sm_pattern_matches(const char *pattern, const struct sm_name *name);
