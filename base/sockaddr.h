/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Socket addresses, of local sockets and of internet ones. */
#pragma once

#include "base/status.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Of the local socket at `path` with `suffix`, which may be "". SM_FULL: too long for a socket's address. */
enum sm_status sm_sockaddr_local(const char *path, const char *suffix, struct sockaddr_un *ret) SM_MUST_CHECK;

/* `bytes`: 4 or 16, in network order. `zone`: as of sm_sockaddr_scope; "": none. Returns the size. */
socklen_t sm_sockaddr_inet(bool is_ipv6, const uint8_t *bytes, const char *zone, uint16_t port, struct sockaddr_storage *ret);

/* The number of an interface (RFC 4007), which `zone` names, or is; 0: there is none of this name. */
uint32_t sm_sockaddr_scope(const char *zone);
