/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gai.conf(5), by which getaddrinfo sorts addresses, as glibc 2.36 reads it (sysdeps/posix/getaddrinfo.c: gaiconf_init).
 * Pure. */
#pragma once

#include "base/status.h"
#include "mesh/rank.h"

/* The tables of a gai.conf: those that it has lines for, with a catch-all at the end, and glibc's built-in tables otherwise.
 * Lines that glibc ignores are ignored. SM_FULL: more lines than a table holds; all tables are the built-in ones then. */
enum sm_status sm_gaiconf_parse(const char *text, struct sm_policies *ret) SM_MUST_CHECK;
