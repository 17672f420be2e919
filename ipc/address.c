/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ipc/address.h"

#include <string.h>
#include <sys/socket.h>

enum sm_status sm_address_of(const char *path, const char *suffix, struct sockaddr_un *ret)
{
	size_t length = strlen(path), suffix_length = strlen(suffix);

	if (length == 0 || length + suffix_length >= sizeof(ret->sun_path))
		return SM_FULL;
	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	memcpy(ret->sun_path, path, length);
	memcpy(ret->sun_path + length, suffix, suffix_length);
	return SM_OK;
}
