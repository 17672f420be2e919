/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One program's question on its way: what find.c and dns.c share. */
#pragma once

#include "base/arena.h"
#include "find/find.h"
#include "find/pin.h"
#include "find/process.h"
#include "find/view.h"
#include "mesh/lifetime.h"

#include <stdatomic.h>

/* Where its answer goes: to one of the two last pointers. */
struct wish {
	struct sm_stay stay;
	struct sm_generation *generation;
	const struct sm_rule *rule;
	struct sm_name name;
	uint8_t families;
	int64_t now_ns, deadline_ns;
	int64_t began_ns;
	int64_t entered_ns;     /* where a probe is watched: when the program came; 0: none is */
	int64_t spent_ns;       /* of the deadline, by other names that a short one may stand for */
	void *old;              /* the record of an old answer; NULL: none */
	size_t old_size;
	struct sm_times old_times;
	void *partial;     /* what is kept, and lacks what this program wants; NULL: nothing */
	size_t partial_size;
	uint8_t lacking;   /* families that what is kept has left out, and that this program has a use for */
	uint8_t keeps;     /* families that what is kept has */
	bool is_plain;     /* what is kept says that the name had no SRV */
	bool has_daemon;   /* the daemon is alive, but gave no answer */
	enum sm_place place; /* of the answer that was looked at last */
	uint64_t hash; /* of the name as it was written (find/ready.h); 0: its answer is not to be kept; else these are valid: */
	uint64_t change, txnid; /* as in struct sm_ready_answer */
	const struct sm_watcher *watcher; /* NULL: nobody watches */
	bool is_cut_short; /* this very lookup has waited for its renewal, and in vain */
	const struct sm_pin *pin; /* of the name, as it was when the lookup started; NULL: none */
	struct sm_found *found;
	struct sm_found_service *service;
};

/* The families of the other network namespace that this process is in; 0: it is srvmeshd's own. */
static inline uint8_t sm_wish_other_families(struct wish *wish)
{
	struct sm_view *view = atomic_load_explicit(&wish->generation->view, memory_order_acquire);

	if (!view)
		return 0;
	if (atomic_load_explicit(&view->other_families, memory_order_relaxed) == SM_VIEW_UNSEEN)
		sm_inside_guard(&wish->stay); /* it is going to look */
	return sm_view_other_families(view, wish->now_ns);
}

/* Of an answer that has left out families, or that is read in another network namespace than srvmeshd's: what it lacks for
 * this wish. `is_shared`: it is srvmeshd's, and its ranks mean something only in that one's namespace. */
void sm_wish_adapt(struct wish *wish, bool is_shared, struct sm_answer *answer);
static inline void sm_wish_take(struct wish *wish, bool is_shared, struct sm_answer *answer)
{
	wish->lacking = 0;
	if (answer->unasked_families || (answer->n_addresses > 1 && sm_wish_other_families(wish)))
		sm_wish_adapt(wish, is_shared, answer);
}
/* The families that a lookup by asking is for. */
uint8_t sm_wish_families(const struct wish *wish);

/* Draws from the answer. */
enum sm_verdict sm_wish_choose(struct wish *wish, struct sm_answer *answer, const struct sm_times *times);
/* Keeps a fresh answer that was just drawn ready to be given again (find/ready.h), if it has but one address. */
void sm_wish_note(const struct wish *wish, const struct sm_answer *answer, const struct sm_times *times);
/* Gives the answer that was noted for this name, if a lookup would come to the same now; it waits for nothing. Notes in `wish`
 * what sm_wish_note has to know. `length`: of the name. */
bool sm_wish_recall(struct wish *wish, const char *name, size_t length);
/* Keeps the record, or the answer, in the memory of the process. */
void sm_wish_keep(const struct wish *wish, const void *bytes, size_t size, int64_t expires_ns);
void sm_wish_remember(const struct wish *wish, const struct sm_answer *answer, const struct sm_times *times);

/* Copies an old record, to be used if nothing better comes. Of two the one that was looked at last stays: it knows how often
 * its renewal was cut short. */
void sm_wish_keep_old(struct wish *wish, const void *bytes, size_t size, const struct sm_times *times);
/* Copies a record that lacks the one family that this program wants, so that it is not lost where that cannot be found. */
void sm_wish_keep_partial(struct wish *wish, const void *bytes, size_t size);
/* Notes in the memory of the process that its missing family was asked for in vain. */
void sm_wish_defer(const struct wish *wish);
/* Notes in the memory of the process that from `now_ns` on the old answer may serve for some time without another try. */
void sm_wish_rest(struct wish *wish, int64_t now_ns);
/* Draws from the old answer, and notes the same. SM_MISS: there is none. */
enum sm_status sm_wish_use_old(struct wish *wish, enum sm_verdict *ret) SM_MUST_CHECK;
/* Until when to wait for a better answer than the old one. srvmeshd goes on with a renewal behind it; what this process
 * begins ends with the waiting. */
int64_t sm_wish_patience_ns(const struct wish *wish, uint32_t patience_ms, int64_t spare_ns);

/* Asks DNS in this very process. */
enum sm_verdict sm_wish_ask_dns(struct wish *wish);
/* Is a kept failure over, because a server was heard since? */
bool sm_wish_is_over(struct wish *wish, const struct sm_times *times);
