/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An answer that is not the one before it: said in the log, so that an incident can be laid beside it. */
#pragma once

#include "cache/owner.h"

/* How many lines went out lately. */
/* To be called before the answer is kept. true: endpoints have come or gone since the answer that is kept now. */
bool sm_changes_note(struct sm_owner *owner, const struct sm_name *name, const struct sm_answer *answer);
