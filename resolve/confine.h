/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replacements for libc functions that c-ares must not call inside a foreign program. resolve/confined.syms
 * redirects the calls of its archive, and no others, to these; test_confined lists every other name that the archive
 * takes from libc. */
#pragma once

#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Opens no file, returns NULL with ENOENT. c-ares 1.18 opens /dev/urandom for every channel, without close-on-exec;
 * 1.34 reads resolv.conf, nsswitch.conf and hosts. */
FILE *sm_confine_fopen(const char *path, const char *mode);
FILE *sm_confine_fopen64(const char *path, const char *mode); /* the same, on 32-bit systems with large files */
/* Reads no environment, returns NULL. c-ares reads RES_OPTIONS and LOCALDOMAIN even under AT_SECURE. */
char *sm_confine_getenv(const char *name);
/* Do not use the generator of rand and srand, which belongs to the program. Nothing of ours depends on these
 * numbers. */
int sm_confine_rand(void);
void sm_confine_srand(unsigned seed);
/* glibc's version ends the process where getrandom is refused (c-ares 1.34 draws ids with it). */
void sm_confine_arc4random_buf(void *bytes, size_t size);

/* What parts call that are not used, or that need a file, or the host's name: they fail. A symbol less is to be bound. */
int sm_confine_fclose(FILE *file);
int sm_confine_ferror(FILE *file);
char *sm_confine_fgets(char *ret, int size, FILE *file);
size_t sm_confine_fread(void *ret, size_t size, size_t n, FILE *file);
int sm_confine_setvbuf(FILE *file, char *buffer, int mode, size_t size);
/* Newer releases would make a domain of it: with ENOSYS they go without. */
int sm_confine_gethostname(char *ret, size_t size);
int sm_confine_getservbyport_r(int port, const char *protocol, struct servent *servent, char *buffer, size_t size,
                               struct servent **ret);
char *sm_confine_if_indextoname(unsigned index, char *ret);
ssize_t sm_confine_writev(int fd, const struct iovec *parts, int n);

/* The same, by what the plugin has bound anyway. */
struct sm_confine_time { /* a timeval as wide as this name takes it: a wider one has another function */
	__time_t seconds;
	__suseconds_t microseconds;
};
int sm_confine_gettimeofday(struct sm_confine_time *ret, void *zone);
long sm_confine_fdelt(long fd);
void *sm_confine_memcpy(void *to, const void *from, size_t size, size_t room);
int sm_confine_sprintf(char *ret, int flag, size_t room, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* And for ASCII alone, whatever the program's locale makes of an I. */
int sm_confine_strcasecmp(const char *a, const char *b);
int sm_confine_strncasecmp(const char *a, const char *b, size_t n);
