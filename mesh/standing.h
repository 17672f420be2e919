/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why each target of an answer is drawn, or is not: choosing (mesh/choose.h) put into words for the administrator. Pure. */
#pragma once

#include "mesh/answer.h"
#include "mesh/rule.h"

enum sm_standing_kind {
	SM_STANDING_IN,          /* it is drawn, by its share */
	SM_STANDING_UNPREFERRED, /* others have more of what the rule prefers: it comes after them */
	SM_STANDING_SPARE,       /* its priority is for when the one in use has none */
	SM_STANDING_PANIC,       /* too few targets of its priority are up */
	SM_STANDING_DOWN,
	SM_STANDING_FILTERED,
	SM_STANDING_PORT,        /* the rule wants another port */
	SM_STANDING_NO_ADDRESS,
	SM_STANDING_FAMILY,      /* it has no address of a family that is given out */
	SM_STANDING_UNREACHABLE,
};

struct sm_standing {
	enum sm_standing_kind kind;
	bool is_down;       /* all its addresses of the asked families are; also where that does not count */
	uint32_t share_ppm; /* how often it is drawn first: millionths */
};

/* What had to be given up, so that some target is left, and what is in use. */
struct sm_concessions {
	bool without_filter, without_health, without_reach;
	bool is_empty;     /* no target is left all the same */
	uint16_t priority;
};

/* Writes answer->n_targets standings. The answer is judged by the rule. */
void sm_standings(const struct sm_answer *answer, const struct sm_rule *rule, uint8_t families, int64_t now_ns,
                  struct sm_standing *ret, struct sm_concessions *ret_concessions);
