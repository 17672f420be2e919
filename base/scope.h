/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Release at the end of the scope. To give a value away, first set the variable to its empty value (NULL, -1). */
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static inline void sm_scope_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void sm_scope_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

#define SM_SCOPE_FREE __attribute__((cleanup(sm_scope_free)))
#define SM_SCOPE_CLOSE __attribute__((cleanup(sm_scope_close)))
