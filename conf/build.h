/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pieces → rules: sections of the same name are merged, and a more specific section overrides a more general one.
 * Pure. */
#pragma once

#include "conf/conf.h"

/* Sets rules, host and fingerprint of `conf` from its pieces; `is_conf_private` as in struct sm_conf_sources. SM_EXHAUSTED. */
enum sm_status sm_conf_build(struct sm_conf *conf, bool is_conf_private, struct sm_complaints *complaints) SM_MUST_CHECK;
