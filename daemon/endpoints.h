/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of endpoints, in words: for the log, and for a client that wants the table. */
#pragma once

#include "daemon/connections.h"
#include "health/health.h"

/* `name` is one that leads there. */
void sm_endpoints_log(const struct sm_watched *watched, const struct sm_name *name);

struct sm_endpoints_text {
	char *text; /* owned */
	size_t size;
	int64_t made_ns;
};

/* The table of daemon/targets.h, made anew if `table` is older than a second. `health` NULL: an empty one. `names` are those of
 * the endpoints, one each. */
void sm_endpoints_reply(struct sm_endpoints_text *table, const struct sm_health *health, const struct sm_name *names,
                        struct sm_client *client);
