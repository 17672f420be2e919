/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What TXT records say of a target: strings `key=value` (RFC 6763, 6), each with its length before it, as they come off the
 * wire. Keys compare without case, and of equal keys the first counts; a key alone is true. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SM_PAIRS_MAX 16 /* of a filter, */
#define SM_PREFER_MAX 7 /* and of a preference: a judgement is a byte */
#define SM_PAIR_MAX 255 /* bytes of a string of a TXT record */

/* What a target should have. */
struct sm_pair {
	uint8_t key_length;
	uint8_t length;
	bool is_known;               /* not, if the file that names its value has none: then nothing matches it */
	char text[SM_PAIR_MAX + 1];  /* "key=value", the key in lower case; NUL-terminated */
};

/* Does a target with this metadata have the pair? Strings that are not whole are passed over. */
bool sm_metadata_has(const uint8_t *strings, size_t size, const struct sm_pair *pair);

/* How many of the `size` bytes are whole strings, up to `max`. */
size_t sm_metadata_whole(const uint8_t *strings, size_t size, size_t max);
