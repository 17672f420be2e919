/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replacements for libc functions that c-ares must not call inside a foreign program. resolve/confined.syms
 * redirects the calls of its archive, and no others, to these; test_confined lists every other name that the archive
 * takes from libc. */
#pragma once

#include <stddef.h>
#include <stdio.h>

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
