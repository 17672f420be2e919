/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The secrets of [shared], read from the files that it names. */
#pragma once

#include "conf/secret.h"
#include "tier/seal.h"

struct sm_secrets {
	uint8_t keys[SM_SEAL_KEYS_MAX][SM_SEAL_KEY_SIZE];
	char password[SM_SECRET_MAX + 1]; /* "": none */
};

/* false: one cannot be read, as the log says, or there is no key. *ret is to be wiped in any case. */
bool sm_secrets_read(const struct sm_shared_conf *conf, struct sm_secrets *ret);
