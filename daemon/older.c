/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/older.h"

#include "base/random.h"
#include "base/scope.h"
#include "mesh/record.h"
#include "mesh/srvset.h"

#include <stdlib.h>
#include <string.h>

#define TARGETS_OF_FORMAT_1 256
#define ADDRESSES_OF_FORMAT_1 512

/* What is left of an answer for the release before. */
struct shrunk {
	uint32_t n;
	struct sm_address addresses[ADDRESSES_OF_FORMAT_1];
	uint64_t ranks[ADDRESSES_OF_FORMAT_1];
	uint16_t was_first[TARGETS_OF_FORMAT_1]; /* of each target's addresses in the answer */
};

/* Gives the target as many of its addresses as it may have; those of another target on the same host are the same. */
static void shrink_target(const struct sm_answer *answer, uint32_t which, uint32_t may_have, struct shrunk *shrunk)
{
	struct sm_target *target = &answer->targets[which];
	uint16_t first = target->first_address;

	shrunk->was_first[which] = first;
	for (uint32_t i = 0; i < which; i++)
		if (shrunk->was_first[i] == first) {
			target->first_address = answer->targets[i].first_address;
			target->n_addresses = answer->targets[i].n_addresses;
			return;
		}
	target->first_address = (uint16_t)shrunk->n;
	target->n_addresses = target->n_addresses < may_have ? target->n_addresses : (uint16_t)may_have;
	memcpy(shrunk->addresses + shrunk->n, answer->addresses + first, target->n_addresses * sizeof(struct sm_address));
	memcpy(shrunk->ranks + shrunk->n, answer->ranks + first, target->n_addresses * sizeof(uint64_t));
	shrunk->n += target->n_addresses;
}

/* No more than the release before reads: the best targets, and of each as many addresses as there is room for. Its arrays of
 * addresses live until the next call. */
static void shrink(struct sm_answer *answer)
{
	static struct shrunk shrunk;
	uint32_t n_targets;
	uint64_t seed;

	shrunk.n = 0;
	sm_random_fill(&seed, sizeof(seed));
	n_targets = sm_srvset_cut(answer->targets, answer->n_targets, TARGETS_OF_FORMAT_1, seed);
	for (uint32_t i = 0; i < n_targets; i++)
		/* one is left for each other */
		shrink_target(answer, i, ADDRESSES_OF_FORMAT_1 - shrunk.n - (n_targets - 1 - i), &shrunk);
	answer->addresses = shrunk.addresses;
	answer->ranks = shrunk.ranks;
	answer->n_targets = (uint16_t)n_targets;
	answer->n_addresses = (uint16_t)shrunk.n;
}

enum sm_status sm_older_record(const struct sm_name *name, const void *record, size_t size, void **ret, size_t *ret_size)
{
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	SM_SCOPE_FREE void *bytes = NULL;
	struct sm_answer answer;
	struct sm_times times;
	enum sm_status status = sm_record_decode(name, record, size, &arena, &answer, &times);

	if (status != SM_OK)
		return status;
	if (answer.n_targets > TARGETS_OF_FORMAT_1 || answer.n_addresses > ADDRESSES_OF_FORMAT_1)
		shrink(&answer);
	*ret_size = sm_record_size(name, &answer);
	bytes = malloc(*ret_size);
	if (!bytes)
		return SM_EXHAUSTED;
	status = sm_record_encode(name, &answer, &times, SM_FORMAT_1, bytes, *ret_size, ret_size);
	if (status != SM_OK)
		return status;
	*ret = bytes;
	bytes = NULL;
	return SM_OK;
}
