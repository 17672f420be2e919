/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bump allocator: alignment counts from the address, since glibc's buffers need not be aligned. */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN 1000 /* with its head it fits into what malloc keeps for each thread */
#define ROOM_MIN 8 /* items of an array when it is begun */

struct sm_arena_chunk {
	struct sm_arena_chunk *next;
	size_t size;
	_Alignas(max_align_t) char bytes[];
};

struct sm_arena sm_arena_of(void *bytes, size_t size)
{
	return (struct sm_arena){.bytes = bytes, .size = size};
}

struct sm_arena sm_arena_growing(size_t max)
{
	static char nothing; /* of which nothing is ever handed out */

	return (struct sm_arena){.bytes = &nothing, .may_grow = max};
}

struct sm_arena sm_arena_growing_from(void *bytes, size_t size, size_t max)
{
	return (struct sm_arena){.bytes = bytes, .size = size, .may_grow = max};
}

void sm_arena_clear(struct sm_arena *arena)
{
	size_t held = sm_arena_held(arena);

	while (arena->chunks) {
		struct sm_arena_chunk *chunk = arena->chunks;

		arena->chunks = chunk->next;
		free(chunk);
	}
	*arena = sm_arena_growing(arena->may_grow + held);
}

size_t sm_arena_held(const struct sm_arena *arena)
{
	size_t held = 0;

	for (const struct sm_arena_chunk *chunk = arena->chunks; chunk; chunk = chunk->next)
		held += chunk->size;
	return held;
}

/* A chunk in which `size` bytes fit, half as large again as all before it: what is held stays in proportion to what is
 * used. */
static bool grow(struct sm_arena *arena, size_t size)
{
	size_t wanted = sm_arena_held(arena) / 2;
	struct sm_arena_chunk *chunk;

	if (wanted < CHUNK_MIN)
		wanted = CHUNK_MIN;
	if (wanted > arena->may_grow)
		wanted = arena->may_grow;
	if (wanted < size)
		wanted = size;
	if (wanted > arena->may_grow)
		return false;
	chunk = malloc(sizeof(*chunk) + wanted);
	arena->is_exhausted |= !chunk;
	if (!chunk)
		return false;
	chunk->next = arena->chunks;
	chunk->size = wanted;
	arena->chunks = chunk;
	arena->may_grow -= wanted;
	arena->bytes = chunk->bytes;
	arena->size = wanted;
	arena->used = 0;
	return true;
}

__attribute__((noinline)) static void *take_from_chunk(struct sm_arena *arena, size_t size)
{
	if (arena->failed || !grow(arena, size)) {
		arena->failed = true;
		return NULL;
	}
	arena->used = size;
	return arena->bytes;
}

void *sm_arena_take(struct sm_arena *arena, size_t size, size_t alignment)
{
	size_t padding = -((uintptr_t)arena->bytes + arena->used) & (alignment - 1), left = arena->size - arena->used;
	char *place = arena->bytes + arena->used + padding;

	if (arena->failed || padding > left || size > left - padding)
		return take_from_chunk(arena, size);
	arena->used += padding + size;
	return place;
}

char *sm_arena_text(struct sm_arena *arena, const char *text, size_t length)
{
	char *copy = sm_arena_take(arena, length + 1, 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

void *sm_arena_room(struct sm_arena *arena, void *items, uint32_t n, uint32_t *room, size_t item_size)
{
	uint32_t more = *room > 0 ? 2 * *room : ROOM_MIN;
	void *larger;

	if (n < *room)
		return items;
	larger = sm_arena_take(arena, more * item_size, _Alignof(max_align_t));
	if (!larger)
		return NULL;
	if (n > 0)
		memcpy(larger, items, n * item_size);
	*room = more;
	return larger;
}
