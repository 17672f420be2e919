/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table from the result of a lookup to what glibc gets: status, errno, h_errno. */
#pragma once

#include "find/find.h"

#include <nss.h>

/* Sets *errnop (often errno itself) unless SM_VERDICT_FOUND, and *h_errnop. */
enum nss_status sm_verdict_tell(enum sm_verdict verdict, int *errnop, int *h_errnop);
