/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random numbers, without locks and without waiting. */
#include "base/random.h"

#include "base/clock.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <unistd.h>

static const uint64_t GOLDEN = 0x9e3779b97f4a7c15ULL;

static uint64_t mixed(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

uint64_t sm_random_step(uint64_t *state)
{
	*state += GOLDEN;
	return mixed(*state);
}

static void fill_without_kernel(uint8_t *bytes, size_t size)
{
	static _Atomic uint64_t calls;
	const void *seed = (const void *)getauxval(AT_RANDOM); /* 16 random bytes, getauxval(3) */
	uint64_t state = 0;

	if (seed)
		memcpy(&state, seed, sizeof(state));
	state ^= mixed((uint64_t)sm_clock_now_ns() ^ (uint64_t)getpid() << 40) + atomic_fetch_add(&calls, GOLDEN);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)sm_random_step(&state);
}

void sm_random_fill(void *bytes, size_t size)
{
	ssize_t got = getrandom(bytes, size, GRND_NONBLOCK);
	size_t filled = got > 0 ? (size_t)got : 0;

	if (filled < size)
		fill_without_kernel((uint8_t *)bytes + filled, size - filled);
}

void sm_random_take(struct sm_random_reserve *reserve, void *bytes, size_t size)
{
	uint8_t *last;

	if (!reserve || size > sizeof(reserve->bytes)) {
		sm_random_fill(bytes, size);
		return;
	}
	if (reserve->n_left < size) {
		sm_random_fill(reserve->bytes, sizeof(reserve->bytes));
		reserve->n_left = sizeof(reserve->bytes);
	}
	reserve->n_left -= size;
	last = reserve->bytes + reserve->n_left;
	memcpy(bytes, last, size);
	explicit_bzero(last, size);
}

bool sm_random_secret(void *bytes, size_t size)
{
	return getrandom(bytes, size, GRND_NONBLOCK) == (ssize_t)size;
}

uint64_t sm_random_draw(_Atomic uint64_t *state)
{
	uint64_t seed = 0;

	if (atomic_load_explicit(state, memory_order_relaxed) == 0) {
		uint64_t fresh;

		sm_random_fill(&fresh, sizeof(fresh));
		atomic_compare_exchange_strong(state, &seed, fresh | 1);
	}
	return mixed(atomic_fetch_add_explicit(state, GOLDEN, memory_order_relaxed) + GOLDEN);
}
