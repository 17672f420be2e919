/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One file with all that helps to understand a fault from afar: what the other commands print, and the files that they read. No
 * secrets: the files that [shared] names are not read. */
#pragma once

#include "cli/exit.h"

/* The file is made anew, for its owner alone. */
enum exit_code sm_bundle_write(const char *path);
