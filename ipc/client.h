/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks srvmeshd, from any program's process: one connection, one request, one reply; no descriptor stays open. */
#pragma once

#include "ipc/frame.h"

/* Asks, and waits: for a first sign of life until `sign_ns`, for the reply until `deadline_ns` (base/clock.h). On
 * SM_OK *ret_kind is the kind of the reply, never WORKING, and *ret its body (the caller frees it), or NULL if it
 * has none. *has_sign is set as soon as the daemon has shown that it is alive.
 * SM_SILENT: nothing came in time. SM_REFUSED: no daemon listens, or the system forbids us to ask. SM_CORRUPT: the
 * answer is not a valid reply. SM_MEMORY: this process lacks memory or a descriptor. */
enum sm_status sm_client_ask(const char *socket_path, const struct sm_request *request, int64_t sign_ns,
                             int64_t deadline_ns, bool *has_sign, enum sm_frame_kind *ret_kind, void **ret,
                             size_t *ret_size) SM_MUST_CHECK;

/* Sends a datagram to the hint socket next to `socket_path`, without waiting. SM_REFUSED: it could not be sent. */
enum sm_status sm_client_hint(const char *socket_path, const struct sm_request *request) SM_MUST_CHECK;
