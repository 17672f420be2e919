/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The result of our own work. What a server answered ("no such name") is data in an answer, never a status. */
#pragma once

enum sm_status {
	SM_OK,
	SM_MISS,    /* looked for, and not there */
	SM_FULL,    /* the caller's space, or a bound, is too small */
	SM_CORRUPT, /* bytes that are not what they claim to be */
	SM_INVALID, /* input that breaks a rule */
	SM_SILENT,  /* no answer in time */
	SM_REFUSED, /* the other side, or the system, refused */
	SM_MEMORY,  /* no memory */
};

#define SM_MUST_CHECK __attribute__((warn_unused_result))
