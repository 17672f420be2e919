/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh health: the table of endpoints. */
#pragma once

#include "cli/exit.h"

#include <stddef.h>

/* Prints srvmeshd's text (daemon/targets.h) as aligned columns, what is down first. */
enum exit_code sm_health_print(const char *text, size_t size);
