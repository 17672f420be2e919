/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bump allocator: alignment counts from the address, since glibc's buffers need not be aligned. */
#include "base/arena.h"

#include <stdint.h>
#include <string.h>

struct sm_arena sm_arena_of(void *bytes, size_t size)
{
	return (struct sm_arena){.bytes = bytes, .size = size};
}

void *sm_arena_take(struct sm_arena *arena, size_t size, size_t alignment)
{
	size_t padding = -((uintptr_t)arena->bytes + arena->used) & (alignment - 1);
	size_t left = arena->size - arena->used;
	void *place;

	if (arena->failed || padding > left || size > left - padding) {
		arena->failed = true;
		return NULL;
	}
	place = arena->bytes + arena->used + padding;
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
