/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/sockaddr.h"

#include <net/if.h>
#include <stdlib.h>
#include <string.h>

enum sm_status sm_sockaddr_local(const char *path, const char *suffix, struct sockaddr_un *ret)
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

socklen_t sm_sockaddr_inet(bool is_ipv6, const uint8_t *bytes, const char *zone, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (!is_ipv6) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, bytes, sizeof(in->sin_addr));
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	in6->sin6_scope_id = zone[0] != '\0' ? sm_sockaddr_scope(zone) : 0;
	memcpy(&in6->sin6_addr, bytes, sizeof(in6->sin6_addr));
	return sizeof(*in6);
}

uint32_t sm_sockaddr_scope(const char *zone)
{
	char *end;
	unsigned long number = strtoul(zone, &end, 10);

	return *end == '\0' && number <= UINT32_MAX ? (uint32_t)number : if_nametoindex(zone);
}
