/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resolve/outlook.h"

#include "base/clock.h"

#include <stddef.h>

#define DOWN_GRACE_NS (2 * SM_NS_PER_S) /* a server that was not yet asked again is still down */
#define LASTING_NS (3 * SM_NS_PER_S)

/* Silent on two names, or, `*has_silent` untouched, nobody listens there. */
static bool is_down(const struct sm_server_known *known, int64_t now_ns, bool *has_silent)
{
	if (!known || known->backoff_ms == 0 || now_ns >= known->retry_ns + DOWN_GRACE_NS)
		return false;
	*has_silent |= known->n_names >= 2;
	return known->n_names >= 2 || (known->n_names == 0 && known->silent_ns > known->heard_ns);
}

bool sm_outlook_is_down(const struct sm_servers *servers, const struct sm_rule *rule, int64_t now_ns)
{
	bool has_silent = false;

	for (uint32_t i = 0; i < rule->n_servers; i++)
		if (!is_down(sm_servers_find(servers, &rule->servers[i]), now_ns, &has_silent))
			return false;
	return has_silent;
}

/* The latest that the rule's servers have of the moment at `offset` in what is known of each. */
static int64_t latest(const struct sm_servers *servers, const struct sm_rule *rule, size_t offset)
{
	int64_t latest_ns = 0;

	for (uint32_t i = 0; i < rule->n_servers; i++) {
		const struct sm_server_known *known = sm_servers_find(servers, &rule->servers[i]);
		const int64_t *ns = known ? (const int64_t *)((const char *)known + offset) : &latest_ns;

		if (*ns > latest_ns)
			latest_ns = *ns;
	}
	return latest_ns;
}

int64_t sm_outlook_down_since_ns(const struct sm_servers *servers, const struct sm_rule *rule)
{
	return latest(servers, rule, offsetof(struct sm_server_known, since_ns));
}

static bool is_lasting(const struct sm_servers *servers, const struct sm_rule *rule, int64_t now_ns)
{
	return now_ns >= sm_outlook_down_since_ns(servers, rule) + LASTING_NS &&
	       now_ns < latest(servers, rule, offsetof(struct sm_server_known, silent_ns)) + LASTING_NS;
}

struct sm_outlook sm_outlook_of(const struct sm_servers *servers, const struct sm_rule *rule, int64_t now_ns)
{
	bool are_down = sm_outlook_is_down(servers, rule, now_ns);

	return (struct sm_outlook){
		.are_down = are_down,
		.is_lasting = are_down && is_lasting(servers, rule, now_ns),
		.back_ns = latest(servers, rule, offsetof(struct sm_server_known, back_ns)),
	};
}
