/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What c-ares gets where it asks for something that a guest may not do. resolve/confined.syms leads the calls of its archive,
 * and of nothing else, to these; test_confined holds every other name that the archive takes from libc. */
#pragma once

#include <stddef.h>
#include <stdio.h>

/* No file: c-ares 1.18 opens /dev/urandom on every channel, without close-on-exec; 1.34 reads resolv.conf, nsswitch.conf,
 * hosts. ENOENT, and NULL. */
FILE *sm_confine_fopen(const char *path, const char *mode);
FILE *sm_confine_fopen64(const char *path, const char *mode); /* the same, on 32-bit systems with large files */
/* No environment: RES_OPTIONS and LOCALDOMAIN are read even under AT_SECURE. NULL. */
char *sm_confine_getenv(const char *name);
/* Not the host's generator, which rand and srand belong to. Nothing of ours rests on these numbers. */
int sm_confine_rand(void);
void sm_confine_srand(unsigned seed);
/* glibc's ends the process where getrandom is refused (c-ares 1.34 draws ids with it). */
void sm_confine_arc4random_buf(void *bytes, size_t size);
