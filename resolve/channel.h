/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The transport of c-ares: UDP with EDNS0, and TCP where an answer is truncated.
 *
 * A connection never outlives a lookup, so that every lookup has source ports of its own. A late answer is welcome until
 * the connection is closed. */
#pragma once

#include "wire/transport.h"

#define SM_EDNS_SIZE 1232 /* crosses every network unfragmented (DNS flag day 2020) */

extern const struct sm_transport sm_channel_transport;
