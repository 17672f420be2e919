/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The values that a configuration key can have. Pure, and independent of the locale. Every parser takes NUL-terminated
 * text. SM_INVALID: not a value of this kind, or out of bounds. */
#pragma once

#include "base/status.h"
#include "mesh/rule.h"

/* `500ms`, `2s`, `5m`, `1h`, `1d`, or a bare `0` → milliseconds. */
enum sm_status sm_value_duration(const char *text, uint64_t *ret_ms) SM_MUST_CHECK;
/* `64K`, `64M`, `1G`, or bytes. */
enum sm_status sm_value_size(const char *text, uint64_t *ret_bytes) SM_MUST_CHECK;
/* A decimal number. */
enum sm_status sm_value_count(const char *text, uint64_t *ret) SM_MUST_CHECK;
/* `2`, `2.0`, `1.25` → thousandths. */
enum sm_status sm_value_ratio(const char *text, uint64_t *ret_permille) SM_MUST_CHECK;
/* `25%`. */
enum sm_status sm_value_percent(const char *text, uint64_t *ret) SM_MUST_CHECK;
/* `127.0.0.1`, `::1`, `fe80::1%eth0`: without brackets or a port, which becomes 53. */
enum sm_status sm_value_address(const char *text, struct sm_server *ret) SM_MUST_CHECK;
/* `127.0.0.1`, `127.0.0.1:8600`, `::1`, `[::1]`, `[::1]:53`, `[fe80::1%eth0]:53`; port 53 if none is given. A link-local
 * address needs its zone, and no other address has one. */
#define SM_VALUE_SERVER_MAX 79 /* bytes of the longest */
enum sm_status sm_value_server(const char *text, struct sm_server *ret) SM_MUST_CHECK;
/* The same with another port if none is given. */
enum sm_status sm_value_server_with(const char *text, uint16_t port, struct sm_server *ret) SM_MUST_CHECK;
/* Is the text ambiguous, as `::1:8600` is: an IPv6 address, or a shorter one with a port (*ret)? sm_value_server
 * refuses such text, because questions to the long address would be in vain. */
bool sm_value_is_ambiguous(const char *text, struct sm_server *ret);
/* The next name of a list: moves *text on. SM_MISS: there is none. */
enum sm_status sm_value_name(const char **text, struct sm_name *ret) SM_MUST_CHECK;
/* The next pair of a list: `key=value`, or `key` for key=true; the key is folded. A value `@/path` is left as it stands. Moves
 * *text on. SM_MISS: there is none. */
enum sm_status sm_value_pair(const char **text, struct sm_pair *ret) SM_MUST_CHECK;
/* The path of the file that a pair names instead of its value; NULL: none. */
const char *sm_value_pair_path(const struct sm_pair *pair);
/* Puts the value into the pair. SM_INVALID: it does not fit into a string of a TXT record. */
enum sm_status sm_value_set_pair(struct sm_pair *pair, const char *value, size_t length) SM_MUST_CHECK;
/* A template of an SRV owner: all placeholders are known, and filling them in gives a valid name. */
enum sm_status sm_value_template(const char *text) SM_MUST_CHECK;

/* An absolute path of at most SM_PATH_MAX bytes, in one form only: no empty, `.` or `..` component. */
#define SM_PATH_MAX 100 /* with ".hint" and a NUL appended, it fits into struct sockaddr_un */
enum sm_status sm_value_path(const char *text) SM_MUST_CHECK;

/* A word of letters, digits, and - _ . : that has at most `max` bytes. */
enum sm_status sm_value_identifier(const char *text, size_t max) SM_MUST_CHECK;

/* The next word of a list separated by blanks or commas: moves *text on, copies the word. SM_MISS: there is none.
 * SM_FULL: the word is too long, and passed over. */
enum sm_status sm_value_word(const char **text, char *word, size_t size) SM_MUST_CHECK;
