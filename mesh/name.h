/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domain names as programs write them: letters, digits, hyphen, underscore; case folded; no trailing dot. */
#pragma once

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SM_NAME_MAX 253 /* characters of text: 255 octets on the wire (RFC 1035, 2.3.4) */
#define SM_LABEL_MAX 63

struct sm_name {
	uint8_t length;
	char text[SM_NAME_MAX + 1]; /* NUL-terminated */
};

/* Accepts one trailing dot. SM_INVALID: empty, too long, an empty or too long label, or any other character. */
enum sm_status sm_name_parse(const char *text, size_t length, struct sm_name *ret) SM_MUST_CHECK;

/* Is `text` the suffix itself, or does it end in "." and the suffix? Ignores case; `text` need not be a valid name. */
bool sm_name_under(const char *text, size_t length, const struct sm_name *suffix);

/* `_service._proto.rest` (RFC 2782): the two leftmost labels begin with an underscore. */
bool sm_name_is_srv_owner(const struct sm_name *name);

/* FNV-1a: tells names apart, and nothing more. `text` is folded. */
uint32_t sm_name_hash(const char *text);

/* Of each character that names may have, the dot among them, itself with A-Z folded to a-z; 0: of others. */
extern const char sm_name_folded[256];

/* The character with A-Z folded to a-z, whatever the host's locale. */
static inline char sm_name_fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Is this (folded) character allowed in our labels? */
static inline bool sm_name_allows(char c)
{
	return c && c != '.' && sm_name_folded[(uint8_t)c] == c;
}
