/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/settings.h"

#include "daemon/log.h"

#include <stdlib.h>

static void log_complaint(void *context, enum sm_complaint kind, const char *text)
{
	(void)context;
	if (kind == SM_COMPLAINT_ERROR)
		sm_log(SM_LOG_ERROR, "error in the configuration", "error", text, NULL);
	else
		sm_log(SM_LOG_WARNING, "the configuration may not do what was meant", "warning", text, NULL);
}

enum sm_status sm_settings_load(const struct sm_conf_sources *sources, const struct sm_settings *old, struct sm_watch *watch,
                                struct sm_settings **ret)
{
	struct sm_settings *settings = calloc(1, sizeof(*settings));
	struct sm_complaints complaints = {.hear = log_complaint};
	enum sm_status status;

	if (!settings)
		return SM_EXHAUSTED;
	settings->n_users = 1;
	status = sm_conf_load(sources, old ? old->conf : NULL, watch, &complaints, &settings->conf);
	if (status != SM_OK) {
		sm_settings_release(settings);
		return status;
	}
	settings->n_errors = complaints.n_errors;
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
	free(settings);
}
