/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration of a daemon that runs. What is wrong with a new one is named in the log; of a file with an error the
 * daemon keeps what it had. */
#pragma once

#include "daemon/daemon.h"

/* What the settings say of logging and limits, from now on. */
void sm_reload_apply(struct sm_daemon *daemon);
/* Loads the configuration again, because somebody says that it is to be. */
void sm_reload(struct sm_daemon *daemon);
/* The same if a file has changed, for good as it seems: main.c asks once a second. */
void sm_reload_if_changed(struct sm_daemon *daemon);
