/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A text that is dear to make, kept for twenty times as long as that took: however many ask for it, and however often, making it
 * takes a twentieth of the loop's time at most. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* All zero: none yet. */
struct sm_kept_text {
	char *text; /* owned */
	size_t size;
	int64_t until_ns;
};

/* The text, and its size in kept->size; NULL: it must be made. Good until the next sm_kept_put. */
const char *sm_kept_text(struct sm_kept_text *kept, int64_t now_ns);
/* Takes `text`, which was begun at `began_ns`. NULL is passed on: there was no memory. */
const char *sm_kept_put(struct sm_kept_text *kept, char *text, size_t size, int64_t began_ns);
