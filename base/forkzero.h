/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that is zeroed in the child after a fork (MADV_WIPEONFORK, Linux 4.14).
 *
 * State whose zero means "empty, unlocked, unseeded" needs no fork handler when it lives here: a child starts afresh,
 * whatever its parent's threads were doing at the fork. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The pages of the machine, or the largest that it may have: for what sm_forkzero_mark is to mark. */
#if defined(__x86_64__) || defined(__i386__) || defined(__s390x__) || defined(__riscv)
#define SM_PAGE_MAX 4096
#else
#define SM_PAGE_MAX 65536
#endif

/* For a static variable that the first call writes: in the page that the loader has written already. */
#define SM_BESIDE_DATA __attribute__((section(".data")))

/* `size` bytes of zeros, in whole pages, for the life of the process unless unmapped; NULL where the system refuses. */
void *sm_forkzero_map(size_t size);
/* Makes it of static memory, which is zero and has whole pages of SM_PAGE_MAX to itself, for the life of the program or library.
 * false: the system refuses. errno stays as it is. */
bool sm_forkzero_mark(void *memory, size_t size);
void sm_forkzero_unmap(void *memory, size_t size);
