/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/settings.h"

#include <stdlib.h>

enum sm_status sm_settings_load(const struct sm_conf_sources *sources, struct sm_watch *watch, struct sm_settings **ret,
                                struct sm_conf_error *error)
{
	struct sm_settings *settings = calloc(1, sizeof(*settings));
	enum sm_status status;

	if (!settings)
		return SM_MEMORY;
	settings->n_users = 1;
	status = sm_conf_load(sources, watch, &settings->conf, error);
	if (status == SM_OK) {
		settings->is_down = calloc(settings->conf->rules.n_rules, sizeof(bool));
		if (!settings->is_down)
			status = SM_MEMORY;
	}
	if (status != SM_OK) {
		sm_settings_release(settings);
		return status;
	}
	*ret = settings;
	return SM_OK;
}

struct sm_settings *sm_settings_hold(struct sm_settings *settings)
{
	settings->n_users++;
	return settings;
}

void sm_settings_release(struct sm_settings *settings)
{
	if (!settings || --settings->n_users > 0)
		return;
	sm_conf_free(settings->conf);
	free(settings->is_down);
	free(settings);
}

bool *sm_settings_is_down(const struct sm_settings *settings, const struct sm_rule *rule)
{
	return &settings->is_down[rule - settings->conf->rules.rules];
}
