/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's addresses and links, on which ranks depend: learnt once, and again when the kernel reports a change. Then
 * every answer in the host map gets new ranks, a few answers at a time. */
#pragma once

#include "daemon/daemon.h"

void sm_surroundings_start(struct sm_daemon *daemon);
void sm_surroundings_stop(struct sm_daemon *daemon);

/* Valid until the loop goes on. NULL: a caller that needs it has to learn it itself. */
const struct sm_network *sm_surroundings_network(struct sm_daemon *daemon);
