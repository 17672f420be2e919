/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sorting in other people's processes. glibc's qsort asks for the size of the memory (sysinfo), and may allocate as much as
 * what it sorts. */
#pragma once

#include <stddef.h>

/* Sorts in place, without a system call or an allocation. Equal items come in any order. */
void sm_sort(void *items, size_t n, size_t size, int (*compare)(const void *a, const void *b));
