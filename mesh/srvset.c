/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sets of SRV records. The sample is systematic, with probability in proportion to weight (Madow, 1949). */
#include "mesh/srvset.h"

#include "base/random.h"
#include "base/sort.h"
#include "mesh/choose.h"

#include <string.h>

static int best_first(const void *left, const void *right)
{
	const struct sm_target *a = left, *b = right;

	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	return strcmp(a->name, b->name);
}

uint32_t sm_srvset_order(struct sm_target *targets, uint32_t n)
{
	uint32_t kept = 0;

	sm_sort(targets, n, sizeof(*targets), best_first);
	for (uint32_t i = 0; i < n; i++)
		if (kept == 0 || best_first(&targets[kept - 1], &targets[i]) != 0)
			targets[kept++] = targets[i];
	return kept;
}

/* The whole priorities that fit; *ret_end: where the one that does not fit ends. */
static uint32_t whole_priorities(const struct sm_target *targets, uint32_t n, uint32_t max, uint32_t *ret_end)
{
	uint32_t begin = 0, end = 0;

	while (end < n && end <= max) {
		begin = end;
		while (end < n && targets[end].priority == targets[begin].priority)
			end++;
	}
	*ret_end = end;
	return begin;
}

static uint64_t sum_of_weights(const struct sm_target *targets, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += sm_choose_weight(targets[i].weight);
	return sum;
}

/* `sum` parts for `n` targets, as a weight of a record: the same for all of them, and rounded up as often as the rest says;
 * none where they have none. */
static uint16_t shared_weight(uint64_t sum, uint32_t n, uint64_t *seed)
{
	uint64_t unit = (uint64_t)n * sm_choose_weight(1), weight = sum / unit;

	weight += weight > 0 && sm_random_step(seed) % unit < sum % unit;
	return weight < UINT16_MAX ? (uint16_t)weight : UINT16_MAX;
}

static void shuffle(struct sm_target *targets, uint32_t n, uint64_t *seed)
{
	for (uint32_t i = n; i > 1; i--) {
		uint32_t other = (uint32_t)(sm_random_step(seed) % i);
		struct sm_target kept = targets[i - 1];

		targets[i - 1] = targets[other];
		targets[other] = kept;
	}
}

/* Keeps `room` of `n` targets of one priority, heavier first. A target that would be taken more than once is taken whole;
 * the others share what is left in equal parts. */
static void sample(struct sm_target *targets, uint32_t n, uint32_t room, uint64_t seed)
{
	uint64_t sum = sum_of_weights(targets, n), mark, below = 0;
	uint32_t whole = 0, kept;
	uint16_t weight;

	while (whole < room && sm_choose_weight(targets[whole].weight) * (room - whole) >= sum)
		sum -= sm_choose_weight(targets[whole++].weight);
	if (whole == room)
		return;
	shuffle(targets + whole, n - whole, &seed); /* else neighbours would never be in together */
	weight = shared_weight(sum, room - whole, &seed);
	mark = sm_random_step(&seed) % sum;
	kept = whole;
	for (uint32_t i = whole; i < n && kept < room; i++) {
		below += sm_choose_weight(targets[i].weight) * (room - whole);
		if (below <= mark)
			continue;
		mark += sum;
		targets[kept] = targets[i];
		targets[kept++].weight = weight;
	}
}

uint32_t sm_srvset_cut(struct sm_target *targets, uint32_t n, uint32_t max, uint64_t seed)
{
	uint32_t begin, end;

	if (n <= max)
		return n;
	begin = whole_priorities(targets, n, max, &end);
	if (begin < max)
		sample(targets + begin, end - begin, max - begin, seed);
	return max;
}
