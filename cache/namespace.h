/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The network namespace of this process, as /proc names it: what its kernel says of addresses and routes holds there alone.
 * srvmeshd writes its own into the host map (cache/map.h). */
#pragma once

#include <stddef.h>

#define SM_NAMESPACE_MAX 32 /* bytes; it is "net:[4026531840]" */

/* Returns the size; 0: not known, in a chroot without /proc or a sandbox. */
size_t sm_namespace_read(char ret[SM_NAMESPACE_MAX]);
