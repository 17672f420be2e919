/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replaces the configuration of the running daemon. Errors of a new configuration are logged. If a file has an
 * error, the daemon keeps the file's old contents. */
#pragma once

#include "daemon/daemon.h"

/* Applies the settings of logging and limits. */
void sm_reload_apply(struct sm_daemon *daemon);
/* Loads the configuration again, on request. */
void sm_reload(struct sm_daemon *daemon);
/* The same if a file has changed and the change seems complete: main.c calls this once a second. */
void sm_reload_if_changed(struct sm_daemon *daemon);
