/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The directory of the host map, as programs see it: where they would not trust it, they pass over the map in silence, so
 * srvmeshd looks itself, every ten seconds. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sm_premises {
	int64_t looked_ns; /* 0: never */
	bool is_distrusted;
};

/* Why srvmeshd cannot own the directory, with the file, its owner and the remedy. */
void sm_premises_explain(const char *directory, char *ret, size_t size);

/* Logs what has changed. */
void sm_premises_look(struct sm_premises *premises, const char *directory, int64_t now_ns);
