/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/text.h"

#include "mesh/origin.h"

#include <arpa/inet.h>
#include <stdio.h>

void sm_text_address(const struct sm_address *address, char ret[SM_TEXT_ADDRESS_MAX])
{
	ret[0] = '\0';
	inet_ntop(address->family == SM_IPV6 ? AF_INET6 : AF_INET, address->bytes, ret, SM_TEXT_ADDRESS_MAX);
}

void sm_text_endpoint(const struct sm_address *address, const char *zone, uint16_t port, char ret[SM_TEXT_ENDPOINT_MAX])
{
	char text[SM_TEXT_ADDRESS_MAX];

	sm_text_address(address, text);
	snprintf(ret, SM_TEXT_ENDPOINT_MAX, address->family == SM_IPV6 ? "[%s%s%s]:%u" : "%s%s%s:%u", text, zone[0] ? "%" : "",
	         zone, port);
}

void sm_text_server(const struct sm_server *server, char ret[SM_TEXT_ENDPOINT_MAX])
{
	sm_text_endpoint(&server->address, server->zone, server->port, ret);
}

void sm_text_origin(const uint8_t *bytes, size_t size, char ret[SM_TEXT_ENDPOINT_MAX])
{
	struct sm_origin origin;

	if (bytes && sm_origin_unpack(bytes, size, &origin) == SM_OK)
		sm_text_server(&origin.server, ret);
	else
		snprintf(ret, SM_TEXT_ENDPOINT_MAX, "-");
}
