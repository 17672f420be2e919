/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The result of our own work. What a server answered ("no such name") is data in an answer, never a status.
 *
 *   status        what it means to the caller                          what the caller does
 *   SM_OK         done; the outputs are written                        goes on
 *   SM_MISS       looked for, and not there                            looks elsewhere, or asks
 *   SM_FULL       the caller's space, or a bound, is too small         makes room, or leaves it out
 *   SM_CORRUPT    bytes that are not what they claim to be             treats them as missing, and their source as unusable
 *   SM_INVALID    input that breaks a rule                             reports it to the one who wrote it
 *   SM_SILENT     no answer in time                                    tries again, gives what is old, or says "try again"
 *   SM_REFUSED    the other side, or the system, refused               tries another way; the same one refuses again
 *   SM_EXHAUSTED  this process lacks memory, a descriptor or space     gives up this work and says "try again"; nothing is
 *                                                                      known of what was asked
 *
 * An output is written only with SM_OK, unless its header says otherwise. */
#pragma once

enum sm_status {
	SM_OK,
	SM_MISS,
	SM_FULL,
	SM_CORRUPT,
	SM_INVALID,
	SM_SILENT,
	SM_REFUSED,
	SM_EXHAUSTED,
};

#define SM_MUST_CHECK __attribute__((warn_unused_result))
