/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What srvmeshd gives up for good, so that neither a fault of its own nor who takes it over can make its readers crash: a
 * mapping of the host map dies by SIGBUS when the file is shortened, or a hole is punched into it where there is no memory
 * to fill it. (A descriptor handed to an accomplice cannot be seen by a filter.) */
#pragma once

#include "base/status.h"

/* SM_REFUSED: this kernel has no seccomp filters. Irrevocable, and inherited. */
enum sm_status sm_seal(void) SM_MUST_CHECK;
