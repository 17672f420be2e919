/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Complaints of a configuration, collected, for the commands that look at it. */
#pragma once

#include "conf/conf.h"

#define SM_CONFIG_COMPLAINTS_MAX 64

struct sm_config_complaint {
	enum sm_complaint kind;
	char *text; /* owned */
};

struct sm_config_check {
	struct sm_conf *conf; /* owned */
	struct sm_conf_sources sources;
	uint32_t n_errors;
	uint32_t n; /* complaints that are kept */
	struct sm_config_complaint complaints[SM_CONFIG_COMPLAINTS_MAX];
};

/* The same from these sources, which must outlive *ret. */
void sm_config_check_sources(const struct sm_conf_sources *sources, struct sm_config_check *ret);
/* Loads the configuration from `named`, or that of the host (NULL), with all complaints, also of the files of [shared]. To be
 * cleared. */
void sm_config_check(const char *named, struct sm_config_check *ret);
void sm_config_clear(struct sm_config_check *check);
