/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies the answer into glibc's buffer. The caller's objects are not changed before it is certain that everything
 * fits. SM_FULL: it does not fit. */
#pragma once

#include "base/status.h"
#include "find/find.h"

#include <netdb.h>
#include <nss.h>

/* The tuples of gethostbyname4_r. *pat is NULL, or (nscd up to glibc 2.36) the caller's own first tuple to fill. */
enum sm_status sm_fill_tuples(const struct sm_found *found, struct gaih_addrtuple **pat, char *buffer,
                              size_t size) SM_MUST_CHECK;

/* The hostent of one address family, AF_INET or AF_INET6; `found` must have only addresses of that family. */
enum sm_status sm_fill_hostent(const struct sm_found *found, int family, struct hostent *result, char *buffer,
                               size_t size) SM_MUST_CHECK;

enum sm_status sm_fill_servent(const struct sm_found_service *found, struct servent *result, char *buffer,
                               size_t size) SM_MUST_CHECK;
