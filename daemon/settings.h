/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One configuration in force, kept as long as any job uses it. */
#pragma once

#include "conf/conf.h"

struct sm_settings {
	uint32_t n_users;
	struct sm_conf *conf;
	uint32_t n_errors; /* in its files, when it was loaded */
};

/* As sm_conf_load, with the configuration in force as `old`; every complaint goes to the log. *ret has one user. */
enum sm_status sm_settings_load(const struct sm_conf_sources *sources, const struct sm_settings *old, struct sm_watch *watch,
                                struct sm_settings **ret) SM_MUST_CHECK;
struct sm_settings *sm_settings_hold(struct sm_settings *settings);
/* NULL is accepted. */
void sm_settings_release(struct sm_settings *settings);
