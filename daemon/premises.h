/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The directory of the host map, as programs see it: where they would not trust it, they pass over the map in silence, so
 * srvmeshd looks itself, every ten seconds. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sm_premises {
	int64_t looked_ns; /* 0: never */
	bool is_distrusted;
};

/* Logs what has changed. */
void sm_premises_look(struct sm_premises *premises, const char *directory, int64_t now_ns);
