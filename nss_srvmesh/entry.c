/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The entry points: find the answer, fill glibc's structures, return the status. */
#include "nss_srvmesh/entry.h"

#include "nss_srvmesh/fill.h"
#include "find/find.h"
#include "find/pin.h"
#include "nss_srvmesh/verdict.h"

#include <sys/socket.h>

/* For `srvmesh doctor`, which reads it in the file. */
__attribute__((used)) static const char release[] = "srvmesh-release:" PACKAGE_VERSION;

#define EXPORTED __attribute__((visibility("default")))

EXPORTED enum nss_status _nss_srvmesh_gethostbyname4_r(const char *name, struct gaih_addrtuple **pat, char *buffer,
                                                       size_t buflen, int *errnop, int *h_errnop, int32_t *ttlp)
{
	struct sm_found found;
	enum sm_verdict verdict = sm_find(name, SM_IPV4_AND_IPV6, &found);

	if (verdict == SM_VERDICT_FOUND && sm_fill_tuples(&found, pat, buffer, buflen) != SM_OK)
		verdict = SM_VERDICT_TOO_SMALL;
	if (verdict == SM_VERDICT_FOUND)
		sm_pin_spend(&found.name, SM_IPV4_AND_IPV6);
	if (verdict == SM_VERDICT_FOUND && ttlp)
		*ttlp = (int32_t)found.ttl_s;
	return sm_verdict_tell(verdict, errnop, h_errnop);
}

EXPORTED enum nss_status _nss_srvmesh_gethostbyname3_r(const char *name, int af, struct hostent *result, char *buffer,
                                                       size_t buflen, int *errnop, int *h_errnop, int32_t *ttlp,
                                                       char **canonp)
{
	struct sm_found found;
	enum sm_verdict verdict = SM_VERDICT_NOT_OURS;
	uint8_t family = af == AF_INET ? SM_IPV4 : SM_IPV6;

	if (af == AF_INET || af == AF_INET6)
		verdict = sm_find(name, family, &found);
	if (verdict == SM_VERDICT_FOUND && sm_fill_hostent(&found, af, result, buffer, buflen) != SM_OK)
		verdict = SM_VERDICT_TOO_SMALL;
	if (verdict == SM_VERDICT_FOUND)
		sm_pin_spend(&found.name, family);
	if (verdict == SM_VERDICT_FOUND && ttlp)
		*ttlp = (int32_t)found.ttl_s;
	if (verdict == SM_VERDICT_FOUND && canonp)
		*canonp = result->h_name;
	return sm_verdict_tell(verdict, errnop, h_errnop);
}

EXPORTED enum nss_status _nss_srvmesh_gethostbyname2_r(const char *name, int af, struct hostent *result, char *buffer,
                                                       size_t buflen, int *errnop, int *h_errnop)
{
	return _nss_srvmesh_gethostbyname3_r(name, af, result, buffer, buflen, errnop, h_errnop, NULL, NULL);
}

EXPORTED enum nss_status _nss_srvmesh_gethostbyname_r(const char *name, struct hostent *result, char *buffer,
                                                      size_t buflen, int *errnop, int *h_errnop)
{
	return _nss_srvmesh_gethostbyname3_r(name, AF_INET, result, buffer, buflen, errnop, h_errnop, NULL, NULL);
}

EXPORTED enum nss_status _nss_srvmesh_getservbyname_r(const char *name, const char *proto, struct servent *result,
                                                      char *buffer, size_t buflen, int *errnop)
{
	int ignored;
	struct sm_found_service found;
	enum sm_verdict verdict = sm_find_service(name, proto, &found);

	if (verdict == SM_VERDICT_FOUND && sm_fill_servent(&found, result, buffer, buflen) != SM_OK)
		verdict = SM_VERDICT_TOO_SMALL;
	return sm_verdict_tell(verdict, errnop, &ignored);
}
