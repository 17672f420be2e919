/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table from the result of a lookup to what glibc gets: status, errno, h_errno. */
#pragma once

#include "find/find.h"

#include <nss.h>

/* Restores errno to `saved_errno`, sets *errnop (often the same object) unless SM_VERDICT_FOUND, and *h_errnop. */
enum nss_status sm_verdict_tell(enum sm_verdict verdict, int saved_errno, int *errnop, int *h_errnop);
