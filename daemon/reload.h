/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration of the running daemon: what is in force, and loading it again. The log names every error of a new
 * configuration. For a file with an error, the daemon keeps its old content. */
#pragma once

#include "daemon/limits.h"
#include "daemon/settings.h"

struct sm_flush_work;
struct sm_targets;
struct sm_shared;

struct sm_reload {
	struct sm_conf_sources sources;
	struct sm_settings *settings; /* in force */
	struct sm_watch watch;        /* of the files as they were last read, correct or not */
	int64_t succeeded_s;          /* the last load without an error, in seconds since 1970; 0: there was none */
	struct sm_limits *limits;     /* follow the settings */
	struct sm_flush_work *flush_work; /* judges kept answers by the settings */
	struct sm_targets *targets;   /* are watched as the settings say */
	struct sm_shared *shared;     /* with other hosts, as the settings say */
};

/* Loads the configuration for the first time, from `named` or the usual files, and logs every error in it. SM_EXHAUSTED: out of
 * memory or descriptors. */
enum sm_status sm_reload_begin(const char *named, struct sm_limits *limits, struct sm_reload *ret) SM_MUST_CHECK;
void sm_reload_end(struct sm_reload *reload);

/* The rule in force for the name. NULL: it is not ours today, or switched off. */
static inline const struct sm_rule *sm_reload_rule(const struct sm_reload *reload, const struct sm_name *name)
{
	const struct sm_rule *rule = sm_rules_match(&reload->settings->conf->rules, name->text, name->length);

	return rule && !rule->is_disabled ? rule : NULL;
}

/* Loads the configuration again, on SIGHUP. */
void sm_reload_now(struct sm_reload *reload);
/* Loads it again if a file has changed and the change seems permanent; main.c calls this once a second. */
void sm_reload_if_changed(struct sm_reload *reload);
