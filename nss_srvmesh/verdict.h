/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one table of what a lookup came to, and what glibc is told: status, errno, h_errno. */
#pragma once

#include <nss.h>

enum sm_verdict {
	SM_VERDICT_NOT_OURS,  /* another module's name, or we are switched off */
	SM_VERDICT_NO_NAME,   /* the service does not exist */
	SM_VERDICT_NO_DATA,   /* it has no address of the asked family */
	SM_VERDICT_TRY_AGAIN, /* nobody could say */
	SM_VERDICT_TOO_SMALL, /* glibc's buffer: it grows it and asks again */
	SM_VERDICT_FOUND,
};

/* Restores errno to `saved_errno`, sets *errnop (often the same object) unless SM_VERDICT_FOUND, and *h_errnop. */
enum nss_status sm_verdict_tell(enum sm_verdict verdict, int saved_errno, int *errnop, int *h_errnop);
