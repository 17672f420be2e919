/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The addresses of srvmeshd's two sockets. */
#pragma once

#include "base/status.h"

#include <sys/un.h>

#define SM_HINT_SUFFIX ".hint"

/* `suffix` is "" or SM_HINT_SUFFIX. SM_FULL: too long for a socket's address. */
enum sm_status sm_address_of(const char *path, const char *suffix, struct sockaddr_un *ret) SM_MUST_CHECK;
