/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tier/seal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SEAL_VERSION 1
#define SUBKEY_SIZE 32
#define NONCE_SIZE 12
#define TAG_SIZE 16

struct subkeys {
	uint8_t names[SUBKEY_SIZE], values[SUBKEY_SIZE], identity[4];
};

struct sm_seal {
	EVP_KDF_CTX *kdf;
	EVP_MAC_CTX *mac;
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *cipher_context;
	uint32_t n_keys;
	struct subkeys keys[SM_SEAL_KEYS_MAX];
};

void sm_seal_wipe(void *bytes, size_t size)
{
	OPENSSL_cleanse(bytes, size);
}

/* HKDF (RFC 5869). */
static bool derive(EVP_KDF_CTX *kdf, const uint8_t *key, const void *salt, size_t salt_size, const char *info, uint8_t *ret,
                   size_t size)
{
	OSSL_PARAM params[5] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key, SUBKEY_SIZE),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, salt_size),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info, strlen(info)),
		OSSL_PARAM_construct_end(),
	};

	EVP_KDF_CTX_reset(kdf);
	return EVP_KDF_derive(kdf, ret, size, params) == 1;
}

static bool set_subkeys(struct sm_seal *seal, const uint8_t *key, struct subkeys *ret)
{
	static const char salt[] = "srvmesh tier 1";

	return derive(seal->kdf, key, salt, sizeof(salt) - 1, "names", ret->names, sizeof(ret->names)) &&
	       derive(seal->kdf, key, salt, sizeof(salt) - 1, "values", ret->values, sizeof(ret->values)) &&
	       derive(seal->kdf, key, salt, sizeof(salt) - 1, "identity", ret->identity, sizeof(ret->identity));
}

/* Contexts hold references to what they were made of. */
static bool open_library(struct sm_seal *seal)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	seal->kdf = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	seal->mac = mac ? EVP_MAC_CTX_new(mac) : NULL;
	seal->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	seal->cipher_context = EVP_CIPHER_CTX_new();
	EVP_KDF_free(kdf);
	EVP_MAC_free(mac);
	return seal->kdf && seal->mac && seal->cipher && seal->cipher_context;
}

enum sm_status sm_seal_begin(const uint8_t keys[][SM_SEAL_KEY_SIZE], uint32_t n, struct sm_seal **ret)
{
	struct sm_seal *seal = calloc(1, sizeof(*seal));
	bool is_good = seal && open_library(seal);

	for (uint32_t i = 0; i < n && is_good; i++)
		is_good = set_subkeys(seal, keys[i], &seal->keys[seal->n_keys++]);
	if (!is_good) {
		sm_seal_end(seal);
		return SM_EXHAUSTED;
	}
	*ret = seal;
	return SM_OK;
}

void sm_seal_end(struct sm_seal *seal)
{
	if (!seal)
		return;
	EVP_KDF_CTX_free(seal->kdf);
	EVP_MAC_CTX_free(seal->mac);
	EVP_CIPHER_free(seal->cipher);
	EVP_CIPHER_CTX_free(seal->cipher_context);
	sm_seal_wipe(seal, sizeof(*seal));
	free(seal);
}

uint32_t sm_seal_n_keys(const struct sm_seal *seal)
{
	return seal->n_keys;
}

static void write_hex(const uint8_t *bytes, size_t size, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret[2 * size] = '\0';
}

void sm_seal_identity(struct sm_seal *seal, char ret[9])
{
	write_hex(seal->keys[0].identity, sizeof(seal->keys[0].identity), ret);
}

enum sm_status sm_seal_name(struct sm_seal *seal, uint32_t which, const void *subject, size_t size,
                            char ret[SM_SEAL_NAME_SIZE + 1])
{
	const OSSL_PARAM params[2] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
	                              OSSL_PARAM_construct_end()};
	uint8_t code[32];
	size_t code_size;

	if (EVP_MAC_init(seal->mac, seal->keys[which].names, SUBKEY_SIZE, params) != 1 ||
	    EVP_MAC_update(seal->mac, subject, size) != 1 || EVP_MAC_final(seal->mac, code, &code_size, sizeof(code)) != 1)
		return SM_EXHAUSTED;
	write_hex(code, SM_SEAL_NAME_SIZE / 2, ret);
	return SM_OK;
}

/* ---- values */

struct once {
	uint8_t key[SUBKEY_SIZE], nonce[NONCE_SIZE];
};

static bool begin_cipher(struct sm_seal *seal, uint32_t which, const uint8_t *salt, const char *name, int is_closing)
{
	struct once once;
	int size;
	bool is_good = derive(seal->kdf, seal->keys[which].values, salt, SM_SEAL_SALT_SIZE, "value", (uint8_t *)&once,
	                      sizeof(once)) &&
	               EVP_CipherInit_ex2(seal->cipher_context, seal->cipher, once.key, once.nonce, is_closing, NULL) == 1 &&
	               EVP_CipherUpdate(seal->cipher_context, NULL, &size, (const uint8_t *)name, (int)strlen(name)) == 1;

	sm_seal_wipe(&once, sizeof(once));
	return is_good;
}

static OSSL_PARAM tag_param(void *tag)
{
	return OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, TAG_SIZE);
}

enum sm_status sm_seal_close(struct sm_seal *seal, const char *name, const uint8_t salt[SM_SEAL_SALT_SIZE], const void *text,
                             size_t size, void *ret)
{
	uint8_t *bytes = ret, *sealed = bytes + 1 + SM_SEAL_SALT_SIZE;
	OSSL_PARAM tag[2] = {tag_param(sealed + size), OSSL_PARAM_construct_end()};
	int got = 0, rest = 0;

	bytes[0] = SEAL_VERSION;
	memcpy(bytes + 1, salt, SM_SEAL_SALT_SIZE);
	if (!begin_cipher(seal, 0, salt, name, 1) ||
	    EVP_CipherUpdate(seal->cipher_context, sealed, &got, text, (int)size) != 1 ||
	    EVP_CipherFinal_ex(seal->cipher_context, sealed + got, &rest) != 1 ||
	    EVP_CIPHER_CTX_get_params(seal->cipher_context, tag) != 1 || (size_t)(got + rest) != size)
		return SM_EXHAUSTED;
	return SM_OK;
}

static bool opens(struct sm_seal *seal, uint32_t which, const char *name, const uint8_t *bytes, size_t size, uint8_t *ret)
{
	const uint8_t *sealed = bytes + 1 + SM_SEAL_SALT_SIZE;
	uint8_t expected[TAG_SIZE];
	const OSSL_PARAM tag[2] = {tag_param(expected), OSSL_PARAM_construct_end()};
	int got = 0, rest = 0;

	memcpy(expected, sealed + size, TAG_SIZE);
	return begin_cipher(seal, which, bytes + 1, name, 0) && EVP_CIPHER_CTX_set_params(seal->cipher_context, tag) == 1 &&
	       EVP_CipherUpdate(seal->cipher_context, ret, &got, sealed, (int)size) == 1 &&
	       EVP_CipherFinal_ex(seal->cipher_context, ret + got, &rest) == 1;
}

enum sm_status sm_seal_open(struct sm_seal *seal, const char *name, const void *bytes, size_t size, void *ret, size_t *ret_size)
{
	if (size < SM_SEAL_OVERHEAD || size > INT32_MAX || ((const uint8_t *)bytes)[0] != SEAL_VERSION)
		return SM_CORRUPT;
	size -= SM_SEAL_OVERHEAD;
	for (uint32_t i = 0; i < seal->n_keys; i++) {
		if (!opens(seal, i, name, bytes, size, ret))
			continue;
		*ret_size = size;
		return SM_OK;
	}
	sm_seal_wipe(ret, size); /* what was deciphered before its tag was found wrong */
	return SM_CORRUPT;
}
