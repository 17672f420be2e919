/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that is zeroed in the child after a fork (MADV_WIPEONFORK, Linux 4.14).
 *
 * State whose zero means "empty, unlocked, unseeded" needs no fork handler when it lives here: a child starts afresh,
 * whatever its parent's threads were doing at the fork. */
#pragma once

#include <stddef.h>

/* `size` bytes of zeros, in whole pages, for the life of the process unless unmapped; NULL where the system refuses. */
void *sm_forkzero_map(size_t size);
void sm_forkzero_unmap(void *memory, size_t size);
