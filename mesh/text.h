/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses as text, for people. Pure. */
#pragma once

#include "mesh/rule.h"

#define SM_TEXT_ADDRESS_MAX 46 /* of inet_ntop */
#define SM_TEXT_ENDPOINT_MAX 80

/* "127.0.0.1", "::1". */
void sm_text_address(const struct sm_address *address, char ret[SM_TEXT_ADDRESS_MAX]);
/* "127.0.0.1:53", "[::1]:53", "[fe80::1%eth0]:53"; `zone` "": none. */
void sm_text_endpoint(const struct sm_address *address, const char *zone, uint16_t port, char ret[SM_TEXT_ENDPOINT_MAX]);
void sm_text_server(const struct sm_server *server, char ret[SM_TEXT_ENDPOINT_MAX]);
/* The server of a packed origin (mesh/origin.h), which may be NULL; "-": it is not known. */
void sm_text_origin(const uint8_t *bytes, size_t size, char ret[SM_TEXT_ENDPOINT_MAX]);
