/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The functions that glibc calls (glibc: nss/nss_module.c, resolv/nss_dns). The signatures are glibc's convention;
 * glibc has no header for them. All other symbols of the plugin are hidden. */
#pragma once

#include <netdb.h>
#include <nss.h>
#include <stdint.h>

/* For getaddrinfo with AF_UNSPEC, and for nscd. `ttlp` may be NULL. */
enum nss_status _nss_srvmesh_gethostbyname4_r(const char *name, struct gaih_addrtuple **pat, char *buffer,
                                              size_t buflen, int *errnop, int *h_errnop, int32_t *ttlp);
/* For getaddrinfo with one family and AI_CANONNAME. `ttlp` and `canonp` may be NULL. */
enum nss_status _nss_srvmesh_gethostbyname3_r(const char *name, int af, struct hostent *result, char *buffer,
                                              size_t buflen, int *errnop, int *h_errnop, int32_t *ttlp, char **canonp);
/* For getaddrinfo with one family, and for gethostbyname2. */
enum nss_status _nss_srvmesh_gethostbyname2_r(const char *name, int af, struct hostent *result, char *buffer,
                                              size_t buflen, int *errnop, int *h_errnop);
/* For gethostbyname. */
enum nss_status _nss_srvmesh_gethostbyname_r(const char *name, struct hostent *result, char *buffer, size_t buflen,
                                             int *errnop, int *h_errnop);

/* For getservbyname, and for getaddrinfo with a service that is not a number. `proto` may be NULL. */
enum nss_status _nss_srvmesh_getservbyname_r(const char *name, const char *proto, struct servent *result, char *buffer,
                                             size_t buflen, int *errnop);
