/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How often a name is renewed behind answers, whoever wants it: at most once in a tenth of its life, and once a second; after
 * silence again after a second, after bad answers after one, two, four and five (RFC 9520, 3.2). By hashes: of two names
 * with one slot each waits a second for the other. Pure. */
#pragma once

#include "mesh/name.h"

#define SM_RENEWALS_SLOTS 8192

struct sm_renewals {
	uint32_t seed; /* so that nobody can choose whose slot he shares */
	struct {
		uint32_t hash;
		uint32_t wait_ms; /* since it began, or failed */
		uint32_t pause_ms; /* after the last failure; 0: it was none */
		int64_t began_ns; /* 0: never */
	} slots[SM_RENEWALS_SLOTS];
};

/* May one begin? It is counted as begun then. `life_ns`: of the answer that is kept. */
bool sm_renewals_begin(struct sm_renewals *renewals, const struct sm_name *name, int64_t life_ns, int64_t now_ns);
/* Its servers were silent, or answered badly. */
void sm_renewals_fail(struct sm_renewals *renewals, const struct sm_name *name, bool is_bad, int64_t now_ns);
/* It has brought an answer. */
void sm_renewals_succeed(struct sm_renewals *renewals, const struct sm_name *name);
