/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The majors of what srvmeshd and the processes of a host share: records (mesh/record.h), the host map's file
 * (cache/map.h), frames (ipc/frame.h).
 *
 * A plugin stays loaded in programs that run for weeks, while the packages are upgraded or downgraded. So each side knows
 * the last two majors, a major of the map has a file of its own, and srvmeshd answers a request in the major it came in.
 * Within a major, records and frames gain fields, and a reader passes over fields that it does not know. */
#pragma once

enum sm_format {
	SM_FORMAT_1 = 1, /* of 0.1 and 0.2: without fields */
	SM_FORMAT_2 = 2,
};

#define SM_FORMAT SM_FORMAT_2 /* what is written where the other side is not known to be older */
