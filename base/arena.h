/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bump allocator with a sticky failure: allocate and copy, then look once. Over a caller's buffer, or growing by chunks
 * of its own, which are freed together. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sm_arena_chunk;

struct sm_arena {
	char *bytes; /* what is handed out at the moment */
	size_t size;
	size_t used;
	bool failed;
	bool is_exhausted; /* it failed for want of memory, not at its bound */
	size_t may_grow;               /* bytes of chunks that may still be allocated; 0 over a caller's buffer */
	struct sm_arena_chunk *chunks; /* owned; the newest first */
};

/* Over a buffer of the caller's. Needs no sm_arena_clear. */
struct sm_arena sm_arena_of(void *bytes, size_t size);
/* Empty, and grows to `max` bytes of chunks. */
struct sm_arena sm_arena_growing(size_t max);
/* Begins with a buffer of the caller's, and grows when that is used up. */
struct sm_arena sm_arena_growing_from(void *bytes, size_t size, size_t max);
/* Frees the chunks; the arena is empty, without the caller's buffer, and may grow again as far. */
void sm_arena_clear(struct sm_arena *arena);
#define SM_SCOPE_ARENA __attribute__((cleanup(sm_arena_clear)))
/* Bytes of chunks that are allocated. */
size_t sm_arena_held(const struct sm_arena *arena);

/* `size` bytes, unset, at a multiple of `alignment` (a power of two, at most that of max_align_t where the arena grows);
 * NULL as soon as one request did not
 * fit. */
void *sm_arena_take(struct sm_arena *arena, size_t size, size_t alignment);
/* A copy of `length` bytes of `text` and a NUL. */
char *sm_arena_text(struct sm_arena *arena, const char *text, size_t length);
/* An array of items of `item_size` bytes that has room for one more than `n`: `items` itself, or a copy of it with twice the
 * room. NULL: that did not fit; `items` is what it was. */
void *sm_arena_room(struct sm_arena *arena, void *items, uint32_t n, uint32_t *room, size_t item_size);
