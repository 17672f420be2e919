/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What glibc calls (glibc: nss/nss_module.c, resolv/nss_dns). The signatures are glibc's own convention; it has no header
 * for them. All other symbols of the plugin are hidden. */
#pragma once

#include <netdb.h>
#include <nss.h>
#include <stdint.h>

/* getaddrinfo with AF_UNSPEC; nscd. `ttlp` may be NULL. */
enum nss_status _nss_srvmesh_gethostbyname4_r(const char *name, struct gaih_addrtuple **pat, char *buffer,
                                              size_t buflen, int *errnop, int *h_errnop, int32_t *ttlp);
/* getaddrinfo with one family and AI_CANONNAME. `ttlp` and `canonp` may be NULL. */
enum nss_status _nss_srvmesh_gethostbyname3_r(const char *name, int af, struct hostent *result, char *buffer,
                                              size_t buflen, int *errnop, int *h_errnop, int32_t *ttlp, char **canonp);
/* getaddrinfo with one family; gethostbyname2. */
enum nss_status _nss_srvmesh_gethostbyname2_r(const char *name, int af, struct hostent *result, char *buffer,
                                              size_t buflen, int *errnop, int *h_errnop);
/* gethostbyname. */
enum nss_status _nss_srvmesh_gethostbyname_r(const char *name, struct hostent *result, char *buffer, size_t buflen,
                                             int *errnop, int *h_errnop);

/* getservbyname, and getaddrinfo with a service that is no number. `proto` may be NULL. */
enum nss_status _nss_srvmesh_getservbyname_r(const char *name, const char *proto, struct servent *result, char *buffer,
                                             size_t buflen, int *errnop);
