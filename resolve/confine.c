/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resolve/confine.h"

#include "base/random.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>

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

/* ---- what is not used */

static int refuse(void)
{
	errno = ENOSYS;
	return -1;
}

int sm_confine_fclose(FILE *file)
{
	(void)file;
	return refuse();
}

int sm_confine_ferror(FILE *file)
{
	(void)file;
	return 1;
}

char *sm_confine_fgets(char *ret, int size, FILE *file)
{
	(void)ret;
	(void)size;
	(void)file;
	return NULL;
}

size_t sm_confine_fread(void *ret, size_t size, size_t n, FILE *file)
{
	(void)ret;
	(void)size;
	(void)n;
	(void)file;
	return 0;
}

int sm_confine_setvbuf(FILE *file, char *buffer, int mode, size_t size)
{
	(void)file;
	(void)buffer;
	(void)mode;
	(void)size;
	return refuse();
}

int sm_confine_gethostname(char *ret, size_t size)
{
	(void)ret;
	(void)size;
	return refuse();
}

int sm_confine_getservbyport_r(int port, const char *protocol, struct servent *servent, char *buffer, size_t size,
                               struct servent **ret)
{
	(void)port;
	(void)protocol;
	(void)servent;
	(void)buffer;
	(void)size;
	*ret = NULL;
	return ENOENT;
}

char *sm_confine_if_indextoname(unsigned index, char *ret)
{
	(void)index;
	(void)ret;
	errno = ENXIO;
	return NULL;
}

ssize_t sm_confine_writev(int fd, const struct iovec *parts, int n)
{
	(void)fd;
	(void)parts;
	(void)n;
	return refuse();
}

/* ---- what is the same */

int sm_confine_gettimeofday(struct sm_confine_time *ret, void *zone)
{
	struct timespec now;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return -1;
	*ret = (struct sm_confine_time){(__time_t)now.tv_sec, (__suseconds_t)(now.tv_nsec / 1000)};
	return 0;
}

long sm_confine_fdelt(long fd)
{
	if (fd < 0 || fd >= FD_SETSIZE)
		__builtin_trap();
	return fd / __NFDBITS;
}

void *sm_confine_memcpy(void *to, const void *from, size_t size, size_t room)
{
	if (size > room)
		__builtin_trap();
	return memcpy(to, from, size);
}

int sm_confine_sprintf(char *ret, int flag, size_t room, const char *format, ...)
{
	va_list rest;
	int n;

	(void)flag;
	va_start(rest, format);
	n = vsnprintf(ret, room < INT_MAX ? room : INT_MAX, format, rest); /* it may be unknown, and then is the largest */
	va_end(rest);
	return n;
}

static int lowered(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

int sm_confine_strncasecmp(const char *a, const char *b, size_t n)
{
	for (; n > 0 && *a && lowered(*a) == lowered(*b); n--)
		a++, b++;
	return n > 0 ? lowered(*a) - lowered(*b) : 0;
}

int sm_confine_strcasecmp(const char *a, const char *b)
{
	return sm_confine_strncasecmp(a, b, (size_t)-1);
}
