/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resolve/confine.h"

#include "base/random.h"

#include <errno.h>

FILE *sm_confine_fopen(const char *path, const char *mode)
{
	(void)path;
	(void)mode;
	errno = ENOENT;
	return NULL;
}

FILE *sm_confine_fopen64(const char *path, const char *mode)
{
	return sm_confine_fopen(path, mode);
}

char *sm_confine_getenv(const char *name)
{
	(void)name;
	return NULL;
}

int sm_confine_rand(void)
{
	return 0;
}

void sm_confine_srand(unsigned seed)
{
	(void)seed;
}

void sm_confine_arc4random_buf(void *bytes, size_t size)
{
	sm_random_fill(bytes, size);
}
