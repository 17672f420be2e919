/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections and hints: what is asked, and the quickest right way to answer it. */
#pragma once

#include "daemon/daemon.h"

/* Serves daemon->listener until sm_clients_stop. SM_MEMORY. */
enum sm_status sm_clients_start(struct sm_daemon *daemon) SM_MUST_CHECK;
/* Takes no more; who is connected is still served. */
void sm_clients_stop(struct sm_daemon *daemon);
