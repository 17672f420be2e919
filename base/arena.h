/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bump allocator over a caller's buffer, with a sticky failure: allocate and copy, then look once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct sm_arena {
	char *bytes;
	size_t size;
	size_t used;
	bool failed;
};

struct sm_arena sm_arena_of(void *bytes, size_t size);
/* `size` bytes, unset, at a multiple of `alignment` (a power of two); NULL once anything did not fit. */
void *sm_arena_take(struct sm_arena *arena, size_t size, size_t alignment);
/* A copy of `length` bytes of `text` and a NUL. */
char *sm_arena_text(struct sm_arena *arena, const char *text, size_t length);
