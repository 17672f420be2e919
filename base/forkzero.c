/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fork-zeroed memory. Where the kernel does not support it, there is none: a stale lock in a child would be worse. */
#include "base/forkzero.h"

#include <errno.h>
#include <sys/mman.h>

bool sm_forkzero_mark(void *memory, size_t size)
{
	int saved = errno;
	bool is_marked = madvise(memory, size, MADV_WIPEONFORK) == 0;

	errno = saved;
	return is_marked;
}

void *sm_forkzero_map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	if (!sm_forkzero_mark(memory, size)) {
		munmap(memory, size);
		return NULL;
	}
	return memory;
}

void sm_forkzero_unmap(void *memory, size_t size)
{
	if (memory)
		munmap(memory, size);
}
