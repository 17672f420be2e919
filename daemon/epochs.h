/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Under which rules was a kept answer made? The map says under which all of it was made, until the configuration changes;
 * from then on srvmeshd knows which rules were in force until when, until every answer is judged by those of today. So a
 * record need not say it, and costs its readers nothing.
 *
 * The value of SM_MAP_RULES: u8 version 1; of each rule, the most specific first: u8 exact or not, u64 key (mesh/rule.h),
 * u8 length, name. Little endian. */
#pragma once

#include "cache/owner.h"
#include "mesh/rule.h"

#define SM_EPOCHS_MAX 8

struct sm_epoch; /* a table of rules, and until when it was in force */

struct sm_epochs {
	uint32_t n;
	struct sm_epoch *past[SM_EPOCHS_MAX]; /* the oldest first */
	struct sm_epoch *today;               /* NULL: no memory for it */
};

/* Takes what the map says, and the rules in force. false: nothing is to be judged, because they are the same. */
bool sm_epochs_begin(struct sm_epochs *epochs, struct sm_owner *owner, const struct sm_rules *rules, int64_t now_ns);
/* Other rules are in force from now on. false: nothing is to be judged. */
bool sm_epochs_turn(struct sm_epochs *epochs, const struct sm_rules *rules, int64_t now_ns);
/* All that was made before is judged: notes it in the map, with the rules of names that no rule covers today. */
void sm_epochs_settle(struct sm_epochs *epochs, struct sm_owner *owner);
void sm_epochs_end(struct sm_epochs *epochs);

/* The key of the rule under which the answer of this name, made then, was made; 0: not known. */
uint64_t sm_epochs_key(const struct sm_epochs *epochs, const struct sm_name *name, int64_t made_ns);
