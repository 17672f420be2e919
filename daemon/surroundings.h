/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's addresses and links, which ranks depend on: learnt once, and again when the kernel tells of a change. Then
 * every answer in the host map gets its ranks anew, a few at a time. */
#pragma once

#include "daemon/daemon.h"

void sm_surroundings_start(struct sm_daemon *daemon);
void sm_surroundings_stop(struct sm_daemon *daemon);

/* Until the loop goes on; NULL: where it is needed it has to be learnt on the spot. */
const struct sm_network *sm_surroundings_network(struct sm_daemon *daemon);
