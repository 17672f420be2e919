/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "find/ready.h"

#include "base/spin.h"

void sm_ready_forget(struct sm_ready *ready)
{
	atomic_fetch_add_explicit(&ready->n_changes, 1, memory_order_release);
}

bool sm_ready_wants(struct sm_ready *ready, uint64_t hash)
{
	_Atomic uint32_t *candidate = &ready->candidates[sm_ready_place(hash)];
	uint32_t mark = (uint32_t)hash | 1;

	if (atomic_load_explicit(candidate, memory_order_relaxed) == mark)
		return true;
	atomic_store_explicit(candidate, mark, memory_order_relaxed);
	return false;
}

void sm_ready_put(struct sm_ready *ready, const struct sm_ready_key *key, const struct sm_ready_answer *answer)
{
	uint64_t words[SM_READY_WORDS] = {0}, number;
	uint32_t place = sm_ready_place(key->hash);

	if (!sm_spin_try_once(&ready->lock))
		return;
	memcpy(words, answer, sizeof(*answer));
	memcpy(words, key->words, sizeof(key->words)); /* the name comes first */
	number = atomic_load_explicit(&ready->places[place].number, memory_order_relaxed) | 1;
	atomic_store_explicit(&ready->places[place].number, number, memory_order_relaxed);
	for (size_t i = 0; i < SM_READY_WORDS; i++) /* each after what comes before */
		atomic_store_explicit(&ready->places[place].words[i], words[i], memory_order_release);
	atomic_store_explicit(&ready->places[place].number, number + 1, memory_order_release);
	sm_spin_leave(&ready->lock);
}
