/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One program's question on its way: what find.c and dns.c share. */
#pragma once

#include "base/arena.h"
#include "find/find.h"
#include "find/pin.h"
#include "find/process.h"
#include "mesh/lifetime.h"

/* Where its answer goes: to one of the two last pointers. */
struct wish {
	struct sm_generation *generation;
	const struct sm_rule *rule;
	struct sm_name name;
	uint8_t families;
	int64_t now_ns, deadline_ns;
	int64_t began_ns;
	void *old;              /* the record of an old answer; NULL: none */
	size_t old_size;
	struct sm_times old_times;
	bool has_daemon; /* the daemon is alive, but gave no answer */
	bool is_cut_short; /* this very lookup has waited for its renewal, and in vain */
	const struct sm_pin *pin; /* of the name, as it was when the lookup started; NULL: none */
	struct sm_found *found;
	struct sm_found_service *service;
};

/* Draws from the answer. */
enum sm_verdict sm_wish_choose(const struct wish *wish, const struct sm_answer *answer, int64_t expires_ns);
/* Keeps the answer in the memory of the process. */
void sm_wish_remember(const struct wish *wish, const struct sm_answer *answer, const struct sm_times *times);

/* Copies an old record, to be used if nothing better comes. Of two the one that was looked at last stays: it knows how often
 * its renewal was cut short. */
void sm_wish_keep_old(struct wish *wish, const void *bytes, size_t size, const struct sm_times *times);
/* Notes in the memory of the process that from `now_ns` on the old answer may serve for some time without another try. */
void sm_wish_rest(const struct wish *wish, int64_t now_ns);
/* Draws from the old answer, and notes the same. SM_MISS: there is none. */
enum sm_status sm_wish_use_old(const struct wish *wish, enum sm_verdict *ret) SM_MUST_CHECK;
/* Until when to wait for a better answer than the old one. srvmeshd goes on with a renewal behind it; what this process
 * begins ends with the waiting. */
int64_t sm_wish_patience_ns(const struct wish *wish, uint32_t patience_ms, int64_t spare_ns);

/* Asks DNS in this very process. */
enum sm_verdict sm_wish_ask_dns(struct wish *wish);
/* Is a kept failure over, because a server was heard since? */
bool sm_wish_is_over(const struct wish *wish, const struct sm_times *times);
