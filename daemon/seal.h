/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The system calls that srvmeshd gives up for good, so that neither an error in it nor an attacker who controls it
 * can make the readers of the host map crash. A reader gets SIGBUS if the file is shortened, or if a hole is punched
 * into it and there is no memory to fill the hole. (A filter cannot prevent that a descriptor is passed to another
 * process.) */
#pragma once

#include "base/status.h"

/* SM_REFUSED: this kernel has no seccomp filters. Irrevocable, and inherited. */
enum sm_status sm_seal(void) SM_MUST_CHECK;
