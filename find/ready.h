/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The answers of the last names that a process has asked for time and again, ready to be given: each of one address, as a lookup
 * has just drawn it from a kept record. An answer counts as long as that lookup would come to the same: as the host map is in the
 * same transaction, nothing else that the process keeps has changed, and the record is neither due nor from the future.
 *
 * A place is read while it may be written: its number is odd meanwhile, and another one afterwards. Writers have a lock, so who
 * has it and finds an odd number knows that the writer before was called away for good (base/inside.h). The table lies in
 * fork-zeroed memory; all zero it is empty. */
#pragma once

#include "mesh/answer.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SM_READY_PLACES 16     /* a power of two: few programs talk to more services, and it is not worth a page more */
#define SM_READY_NAME_WORDS 6 /* names of up to 47 characters, and NUL */

/* A name, padded with zeros. */
struct sm_ready_key {
	uint64_t words[SM_READY_NAME_WORDS];
	uint64_t hash;
};

struct sm_ready_answer {
	uint64_t name[SM_READY_NAME_WORDS];
	uint64_t change; /* as sm_ready_change said, */
	uint64_t txnid;  /* and the host map's newest transaction was (0: there is no map), when the lookup began */
	int64_t made_ns, due_ns, expires_ns; /* it counts from the first to the second */
	struct sm_address address;
	uint8_t unasked_families; /* as in struct sm_answer */
	uint8_t place;            /* enum sm_place */
};

#define SM_READY_WORDS ((sizeof(struct sm_ready_answer) + sizeof(uint64_t) - 1) / sizeof(uint64_t))

struct sm_ready {
	_Atomic uint32_t lock; /* of base/spin.h */
	_Atomic uint32_t candidates[SM_READY_PLACES]; /* hashes of names that were last seen, and may be kept the next time */
	_Atomic uint64_t n_changes;
	struct {
		_Alignas(64) _Atomic uint64_t number;
		_Atomic uint64_t words[SM_READY_WORDS];
	} places[SM_READY_PLACES];
};

/* false: the name is empty, or too long to be kept. */
static inline bool sm_ready_key(const char *name, size_t length, struct sm_ready_key *ret)
{
	uint64_t hash = 0;

	if (length == 0 || length >= sizeof(ret->words))
		return false;
	memset(ret->words, 0, sizeof(ret->words));
	memcpy(ret->words, name, length);
	for (int i = 0; i < SM_READY_NAME_WORDS; i++)
		hash = (hash ^ ret->words[i]) * 0x9e3779b97f4a7c15ULL;
	ret->hash = hash ^ hash >> 29;
	return true;
}

static inline uint32_t sm_ready_place(uint64_t hash)
{
	return (uint32_t)(hash >> 32) % SM_READY_PLACES;
}

/* Inlined: hits come through here. false: the name is not kept, or is being written. */
static inline bool sm_ready_get(const struct sm_ready *ready, const struct sm_ready_key *key, struct sm_ready_answer *ret)
{
	uint32_t place = sm_ready_place(key->hash);
	uint64_t words[SM_READY_WORDS], number = atomic_load_explicit(&ready->places[place].number, memory_order_acquire);

	/* each is loaded before the next, and all before the number again */
	for (size_t i = 0; i < SM_READY_NAME_WORDS; i++) {
		words[i] = atomic_load_explicit(&ready->places[place].words[i], memory_order_acquire);
		if (words[i] != key->words[i])
			return false;
	}
	for (size_t i = SM_READY_NAME_WORDS; i < SM_READY_WORDS; i++)
		words[i] = atomic_load_explicit(&ready->places[place].words[i], memory_order_acquire);
	memcpy(ret, words, sizeof(*ret));
	return number % 2 == 0 && atomic_load_explicit(&ready->places[place].number, memory_order_relaxed) == number;
}

/* How often what the process keeps has changed. */
static inline uint64_t sm_ready_change(const struct sm_ready *ready)
{
	return atomic_load_explicit(&ready->n_changes, memory_order_acquire);
}

/* What the process keeps has changed: all answers are void. */
void sm_ready_forget(struct sm_ready *ready);

/* Is a name of this hash to be kept? true if it is the one that was wanted last at its place, too: names that are asked for once,
 * or in turn, do not drive out one that is asked for often. */
bool sm_ready_wants(struct sm_ready *ready, uint64_t hash);
/* Keeps the answer, if no other thread is keeping one. answer->name is set here. */
void sm_ready_put(struct sm_ready *ready, const struct sm_ready_key *key, const struct sm_ready_answer *answer);
