/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fills glibc's structures from an arena over glibc's buffer. */
#include "nss_srvmesh/fill.h"

#include "base/arena.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

static size_t address_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

static void set_tuple(struct gaih_addrtuple *tuple, char *name, const struct sm_address *address)
{
	tuple->next = NULL;
	tuple->name = name; /* never NULL in the first tuple: AI_CANONNAME dereferences it */
	tuple->family = address->family == SM_IPV4 ? AF_INET : AF_INET6;
	memset(tuple->addr, 0, sizeof(tuple->addr));
	memcpy(tuple->addr, address->bytes, address_size(tuple->family));
	tuple->scopeid = 0;
}

enum sm_status sm_fill_tuples(const struct sm_found *found, struct gaih_addrtuple **pat, char *buffer, size_t size)
{
	struct sm_arena arena = sm_arena_of(buffer, size);
	uint32_t n = found->choice.n_addresses, own = *pat ? 1 : 0;
	struct gaih_addrtuple *tuples =
		sm_arena_take(&arena, (n - own) * sizeof(*tuples), _Alignof(struct gaih_addrtuple));
	const struct sm_name *canonical = found->canonical.length > 0 ? &found->canonical : &found->name;
	char *name = sm_arena_text(&arena, canonical->text, canonical->length);
	struct gaih_addrtuple **link = pat;

	if (arena.failed)
		return SM_FULL;
	for (uint32_t i = 0; i < n; i++) {
		struct gaih_addrtuple *tuple = i < own ? *pat : &tuples[i - own];

		set_tuple(tuple, name, &found->choice.addresses[i]);
		*link = tuple;
		link = &tuple->next;
	}
	return SM_OK;
}

enum sm_status sm_fill_hostent(const struct sm_found *found, int family, struct hostent *result, char *buffer,
                               size_t size)
{
	struct sm_arena arena = sm_arena_of(buffer, size);
	uint32_t n = found->choice.n_addresses, n_aliases = found->canonical.length > 0;
	size_t length = address_size(family);
	char **list = sm_arena_take(&arena, (n + 1) * sizeof(*list), _Alignof(char *));
	char **aliases = sm_arena_take(&arena, (n_aliases + 1) * sizeof(*aliases), _Alignof(char *));
	char *bytes = sm_arena_take(&arena, n * length, 4);
	char *asked = sm_arena_text(&arena, found->name.text, found->name.length), *name = asked;

	if (n_aliases > 0)
		name = sm_arena_text(&arena, found->canonical.text, found->canonical.length);
	if (arena.failed)
		return SM_FULL;
	for (uint32_t i = 0; i < n; i++) {
		list[i] = bytes + i * length;
		memcpy(list[i], found->choice.addresses[i].bytes, length);
	}
	list[n] = NULL;
	if (n_aliases > 0)
		aliases[0] = asked;
	aliases[n_aliases] = NULL;
	*result = (struct hostent){
		.h_name = name,
		.h_aliases = aliases,
		.h_addrtype = family,
		.h_length = (int)length,
		.h_addr_list = list,
	};
	return SM_OK;
}

enum sm_status sm_fill_servent(const struct sm_found_service *found, struct servent *result, char *buffer, size_t size)
{
	struct sm_arena arena = sm_arena_of(buffer, size);
	char **aliases = sm_arena_take(&arena, sizeof(*aliases), _Alignof(char *));
	char *name = sm_arena_text(&arena, found->name.text, found->name.length);
	char *proto = sm_arena_text(&arena, found->proto, strlen(found->proto));

	if (arena.failed)
		return SM_FULL;
	aliases[0] = NULL;
	*result = (struct servent){
		.s_name = name,
		.s_aliases = aliases,
		.s_port = htons(found->port),
		.s_proto = proto,
	};
	return SM_OK;
}
