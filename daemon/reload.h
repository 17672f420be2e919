/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration of a daemon that runs. A bad one changes nothing, and is named in the log. */
#pragma once

#include "daemon/daemon.h"

/* What the settings say of logging and limits, from now on. */
void sm_reload_apply(struct sm_daemon *daemon);
/* Loads the configuration again. */
void sm_reload(struct sm_daemon *daemon);
/* The same if a file has changed: main.c asks once a second. */
void sm_reload_if_changed(struct sm_daemon *daemon);
