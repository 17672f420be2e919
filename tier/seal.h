/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tier's store is not trusted with: names and values are sealed by a key that the hosts share. Only algorithms that
 * FIPS 140 approves (libcrypto). Pure: chance is an argument.
 *
 *   subkeys     HKDF-SHA-256 of the key: one for names, one for values, one that is no secret and says which key it is
 *   name        hex of 128 bits of HMAC-SHA-256(subkey for names, subject)
 *   sealed      u8 version 1, 24 bytes of salt, AES-256-GCM(HKDF-SHA-256(subkey for values, salt), text; name), 16 bytes of tag
 *
 * The salt makes a key and a nonce of its own for each value, so that no nonce is used twice however many hosts seal. */
#pragma once

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#define SM_SEAL_KEY_SIZE 32
#define SM_SEAL_KEYS_MAX 2
#define SM_SEAL_SALT_SIZE 24
#define SM_SEAL_NAME_SIZE 32 /* hexadecimal digits */
#define SM_SEAL_OVERHEAD (1 + SM_SEAL_SALT_SIZE + 16)

/* The keys: the first seals, all open. Not for two threads at once. */
struct sm_seal;

/* The bytes of `keys` are no longer needed afterwards, and should be overwritten. SM_EXHAUSTED: libcrypto refuses to work, for
 * want of memory or of a provider. */
enum sm_status sm_seal_begin(const uint8_t keys[][SM_SEAL_KEY_SIZE], uint32_t n, struct sm_seal **ret) SM_MUST_CHECK;
/* NULL is accepted. */
void sm_seal_end(struct sm_seal *seal);
/* Overwrites bytes so that no compiler leaves it out. */
void sm_seal_wipe(void *bytes, size_t size);

uint32_t sm_seal_n_keys(const struct sm_seal *seal);
/* Eight digits by which people tell whether two hosts have the same first key. */
void sm_seal_identity(struct sm_seal *seal, char ret[9]);

/* The name of what `subject` describes, under key `which`. SM_EXHAUSTED. */
enum sm_status sm_seal_name(struct sm_seal *seal, uint32_t which, const void *subject, size_t size,
                            char ret[SM_SEAL_NAME_SIZE + 1]) SM_MUST_CHECK;

/* Seals `size` bytes with the first key; `ret` has room for SM_SEAL_OVERHEAD more. `name` is what the store keeps it under: a
 * value that is moved to another name does not open. SM_EXHAUSTED. */
enum sm_status sm_seal_close(struct sm_seal *seal, const char *name, const uint8_t salt[SM_SEAL_SALT_SIZE], const void *text,
                             size_t size, void *ret) SM_MUST_CHECK;
/* Opens what any of the keys has sealed under `name`; `ret` has room for `size` bytes. SM_CORRUPT: forged, moved, changed, cut,
 * or of a foreign key. */
enum sm_status sm_seal_open(struct sm_seal *seal, const char *name, const void *bytes, size_t size, void *ret,
                            size_t *ret_size) SM_MUST_CHECK;
