/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/secrets.h"

#include "daemon/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool complain(const char *key, const char *path, const char *why)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s %s", key, path, why);
	sm_log(SM_LOG_ERROR, "answers are not shared: a file of [shared] cannot be used", "error", text, NULL);
	return false;
}

bool sm_secrets_read(const struct sm_shared_conf *conf, struct sm_secrets *ret)
{
	const struct sm_secret_reader reader = {geteuid(), getegid()};
	const char *why;

	memset(ret, 0, sizeof(*ret));
	for (uint32_t i = 0; i < conf->n_keys; i++)
		if (sm_secret_key(conf->keys[i], &reader, ret->keys[i], &why) != SM_OK)
			return complain("key", conf->keys[i], why);
	if (conf->password[0] != '\0' && sm_secret_text(conf->password, &reader, ret->password, &why) != SM_OK)
		return complain("password", conf->password, why);
	if (conf->n_keys > 0)
		return true;
	sm_log(SM_LOG_ERROR, "answers are not shared: [shared] names no key", NULL);
	return false;
}
