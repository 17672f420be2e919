/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SRVMESH=trace: a line for each lookup of a name of ours, to descriptor 2 of the process:
 *
 *   srvmesh: name=api.mesh families=both from=map state=fresh verdict=found got=192.0.2.11,192.0.2.12 ns=310 */
#pragma once

#include "find/find.h"

struct sm_trace {
	const char *asked; /* the name as the program wrote it */
	uint8_t families;
	int64_t began_ns;
	enum sm_place place; /* of the answer that was seen last */
	const char *state;
	uint32_t n;
	struct sm_address addresses[4];
	uint32_t n_more;
};

/* Returns what is to watch the lookup. */
struct sm_watcher sm_trace_begin(struct sm_trace *trace, const char *asked, uint8_t families, int64_t now_ns);
void sm_trace_end(const struct sm_trace *trace, enum sm_verdict verdict, int64_t now_ns);

/* The words of the trace, for others who tell the same. */
const char *sm_trace_verdict(enum sm_verdict verdict);
const char *sm_trace_place(enum sm_place place);
const char *sm_trace_state(const struct sm_times *times, int64_t now_ns);
