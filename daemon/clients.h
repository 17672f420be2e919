/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections and hints: finds out what a client asks, and answers in the fastest correct way. */
#pragma once

#include "daemon/daemon.h"

/* Serves daemon->listener until sm_clients_stop. SM_MEMORY. */
enum sm_status sm_clients_start(struct sm_daemon *daemon) SM_MUST_CHECK;
/* Accepts no more clients; those that are connected are still served. */
void sm_clients_stop(struct sm_daemon *daemon);
