/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory cache: a set-associative index over a ring of record bytes.
 *
 *   region │ lock, head │ sets of 8 slots │ ring of bytes ...      │
 *                              slot ──position──► record
 *
 * Positions only grow; the byte of a position is at position % ring_size. New records are written at the head, over the
 * oldest ones. A slot whose position is a whole ring behind the head is thereby invalid. So there is no free list, no
 * fragmentation and no allocation. */
#include "cache/memory.h"

#include "base/forkzero.h"
#include "base/spin.h"

#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

#define SLOTS_PER_SET 8

struct slot {
	uint64_t hash;
	uint64_t position;
	int64_t expires_ns;
	uint32_t size; /* 0: empty */
};

struct sm_memory_region {
	_Atomic uint32_t lock;
	uint64_t head;
	_Alignas(64) struct slot slots[];
};

void sm_memory_init(struct sm_memory *memory, uint32_t entries)
{
	size_t index_size;

	memory->n_sets = (entries + SLOTS_PER_SET - 1) / SLOTS_PER_SET;
	memory->ring_size = entries * SM_MEMORY_BYTES_PER_ENTRY;
	index_size = sizeof(struct sm_memory_region) + (size_t)memory->n_sets * SLOTS_PER_SET * sizeof(struct slot);
	memory->region_size = entries > 0 ? index_size + memory->ring_size : 0;
	atomic_init(&memory->region, NULL);
}

static struct sm_memory_region *region_of(const struct sm_memory *memory)
{
	return atomic_load_explicit(&memory->region, memory_order_acquire);
}

static struct sm_memory_region *map_region(struct sm_memory *memory)
{
	struct sm_memory_region *region = region_of(memory), *other = NULL;

	if (region || memory->region_size == 0)
		return region;
	region = sm_forkzero_map(memory->region_size);
	if (!region || atomic_compare_exchange_strong(&memory->region, &other, region))
		return region;
	sm_forkzero_unmap(region, memory->region_size);
	return other;
}

void sm_memory_clear(struct sm_memory *memory)
{
	sm_forkzero_unmap(region_of(memory), memory->region_size);
	atomic_store(&memory->region, NULL);
}

static struct slot *set_of(const struct sm_memory *memory, uint64_t hash)
{
	return region_of(memory)->slots + hash % memory->n_sets * SLOTS_PER_SET;
}

static uint8_t *ring_at(const struct sm_memory *memory, uint64_t position)
{
	uint8_t *ring = (uint8_t *)region_of(memory) + memory->region_size - memory->ring_size;

	return ring + position % memory->ring_size;
}

static bool is_live(const struct sm_memory *memory, const struct slot *slot)
{
	return slot->size > 0 && region_of(memory)->head - slot->position <= memory->ring_size;
}

static struct slot *find_slot(const struct sm_memory *memory, uint64_t hash)
{
	struct slot *set = set_of(memory, hash);

	for (int i = 0; i < SLOTS_PER_SET; i++)
		if (set[i].hash == hash && is_live(memory, &set[i]))
			return &set[i];
	return NULL;
}

static uint64_t hash_of(const struct sm_name *name)
{
	return XXH3_64bits(name->text, name->length);
}

static enum sm_status copy_out(const struct slot *slot, const struct sm_memory *memory, void *bytes, size_t size,
                               size_t *ret_size)
{
	*ret_size = slot->size;
	if (slot->size > size)
		return SM_FULL;
	memcpy(bytes, ring_at(memory, slot->position), slot->size);
	return SM_OK;
}

enum sm_status sm_memory_get(const struct sm_memory *memory, const struct sm_name *name, void *bytes, size_t size,
                             size_t *ret_size)
{
	struct sm_memory_region *region = region_of(memory);
	enum sm_status status = SM_MISS;
	struct slot *slot;

	if (!region || !sm_spin_try(&region->lock))
		return SM_MISS;
	slot = find_slot(memory, hash_of(name));
	if (slot)
		status = copy_out(slot, memory, bytes, size, ret_size);
	sm_spin_leave(&region->lock);
	return status;
}

enum sm_status sm_memory_next(const struct sm_memory *memory, uint32_t *at, void *bytes, size_t size, size_t *ret_size)
{
	struct sm_memory_region *region = region_of(memory);
	enum sm_status status = SM_MISS;

	if (!region || !sm_spin_try(&region->lock))
		return SM_MISS;
	while (*at < memory->n_sets * SLOTS_PER_SET && !is_live(memory, &region->slots[*at]))
		(*at)++;
	if (*at < memory->n_sets * SLOTS_PER_SET)
		status = copy_out(&region->slots[*at], memory, bytes, size, ret_size);
	*at += status == SM_OK;
	sm_spin_leave(&region->lock);
	return status;
}

/* Is `a` to be replaced rather than `b`? First dead slots, then expired ones, then the one stored longest ago. */
static bool gives_way(const struct sm_memory *memory, const struct slot *a, const struct slot *b, int64_t now_ns)
{
	if (is_live(memory, a) != is_live(memory, b))
		return !is_live(memory, a);
	if ((a->expires_ns <= now_ns) != (b->expires_ns <= now_ns))
		return a->expires_ns <= now_ns;
	return a->position < b->position;
}

static struct slot *place_for(const struct sm_memory *memory, uint64_t hash, int64_t now_ns)
{
	struct slot *set = set_of(memory, hash), *place = find_slot(memory, hash);

	if (place)
		return place;
	place = &set[0];
	for (int i = 1; i < SLOTS_PER_SET; i++)
		if (gives_way(memory, &set[i], place, now_ns))
			place = &set[i];
	return place;
}

/* Makes room for `size` bytes that do not wrap around the end of the ring. */
static uint64_t advance_head(const struct sm_memory *memory, size_t size)
{
	struct sm_memory_region *region = region_of(memory);
	uint64_t left = memory->ring_size - region->head % memory->ring_size, position;

	if (left < size)
		region->head += left;
	position = region->head;
	region->head += size;
	return position;
}

void sm_memory_put(struct sm_memory *memory, const struct sm_name *name, const void *bytes, size_t size,
                   int64_t expires_ns, int64_t now_ns)
{
	uint64_t hash = hash_of(name), position;
	struct sm_memory_region *region;
	struct slot *slot;

	if (size == 0 || size > memory->ring_size)
		return;
	region = map_region(memory);
	if (!region || !sm_spin_try(&region->lock))
		return;
	slot = place_for(memory, hash, now_ns);
	position = advance_head(memory, size);
	memcpy(ring_at(memory, position), bytes, size);
	slot->size = 0; /* empty until it is whole: a signal handler may call this thread away for good (base/inside.h) */
	atomic_signal_fence(memory_order_seq_cst);
	*slot = (struct slot){.hash = hash, .position = position, .expires_ns = expires_ns};
	atomic_signal_fence(memory_order_seq_cst);
	slot->size = (uint32_t)size;
	sm_spin_leave(&region->lock);
}

void sm_memory_free_lock(const struct sm_memory *memory)
{
	struct sm_memory_region *region = region_of(memory);

	if (region)
		sm_spin_free(&region->lock);
}
