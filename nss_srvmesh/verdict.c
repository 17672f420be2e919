/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verdicts. Only TOO_SMALL may return NETDB_INTERNAL: anywhere else it makes getaddrinfo fail with EAI_SYSTEM
 * although the next module has the name (glibc 2.36, sysdeps/posix/getaddrinfo.c: gaih_inet). */
#include "nss_srvmesh/verdict.h"

#include <errno.h>
#include <netdb.h>

enum nss_status sm_verdict_tell(enum sm_verdict verdict, int *errnop, int *h_errnop)
{
	static const struct {
		enum nss_status status;
		int error, h_error;
	} table[] = {
		[SM_VERDICT_NOT_OURS] = {NSS_STATUS_UNAVAIL, ENOENT, NO_RECOVERY},
		[SM_VERDICT_NO_NAME] = {NSS_STATUS_NOTFOUND, ENOENT, HOST_NOT_FOUND},
		[SM_VERDICT_NO_DATA] = {NSS_STATUS_NOTFOUND, ENOENT, NO_DATA},
		[SM_VERDICT_TRY_AGAIN] = {NSS_STATUS_TRYAGAIN, EAGAIN, TRY_AGAIN},
		[SM_VERDICT_TOO_SMALL] = {NSS_STATUS_TRYAGAIN, ERANGE, NETDB_INTERNAL},
		[SM_VERDICT_FOUND] = {NSS_STATUS_SUCCESS, 0, NETDB_SUCCESS},
	};

	if (verdict != SM_VERDICT_FOUND)
		*errnop = table[verdict].error;
	*h_errnop = table[verdict].h_error;
	return table[verdict].status;
}
