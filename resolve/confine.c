/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What c-ares may not do in a guest's place. The linker sends its calls of these functions here (-Wl,--wrap=...; see
 * resolve/Makefile.inc): c-ares 1.18 opens /dev/urandom on every channel, by fopen without close-on-exec, to seed a
 * generator that we do not use; falls back to the host's rand(); and reads RES_OPTIONS and LOCALDOMAIN even under
 * AT_SECURE. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);
char *__wrap_getenv(const char *name);
int __wrap_rand(void);

FILE *__wrap_fopen(const char *path, const char *mode)
{
	(void)path;
	(void)mode;
	errno = ENOENT;
	return NULL;
}

/* what fopen is called on 32-bit systems with large files */
FILE *__wrap_fopen64(const char *path, const char *mode)
{
	return __wrap_fopen(path, mode);
}

char *__wrap_getenv(const char *name)
{
	(void)name;
	return NULL;
}

int __wrap_rand(void)
{
	return 0;
}
