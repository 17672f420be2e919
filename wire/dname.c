/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/dname.h"

#include "mesh/name.h"

#include <stdio.h>
#include <string.h>

#define CHAIN_MAX 16

/* The length of what stands before the owner, without the dot; 0: the name is not below it. */
static size_t length_before(const char *name, const char *owner)
{
	size_t length = strlen(name), of_owner = strlen(owner);

	if (of_owner == 0)
		return length; /* the root */
	if (length < of_owner + 2 || name[length - of_owner - 1] != '.' || strcmp(name + length - of_owner, owner) != 0)
		return 0;
	return length - of_owner - 1;
}

/* NULL: too long, or no memory. */
static const char *join(struct sm_arena *arena, const char *name, size_t before, const char *target)
{
	char text[2 * SM_NAME_MAX + 2];
	int length = snprintf(text, sizeof(text), "%.*s%s%s", (int)before, name, target[0] ? "." : "", target);

	return length <= SM_NAME_MAX ? sm_arena_text(arena, text, (size_t)length) : NULL;
}

/* Turns the DNAME above the name into the CNAME that it stands for; NULL: there is none. */
static const struct sm_dns_record *make_alias(struct sm_reply *reply, const char *name, struct sm_arena *arena)
{
	for (uint32_t i = 0; i < reply->n_records; i++) {
		struct sm_dns_record *record = &reply->records[i];
		size_t before = record->type == SM_RR_DNAME && !record->is_additional ? length_before(name, record->owner) : 0;

		if (before == 0 || !record->target)
			continue;
		record->type = SM_RR_CNAME;
		record->owner = name;
		record->target = join(arena, name, before, record->target);
		return record;
	}
	return NULL;
}

void sm_dname_expand(struct sm_reply *reply, const char *name, enum sm_rr_type type, struct sm_arena *arena)
{
	for (int i = 0; name && i < CHAIN_MAX && !sm_reply_find(reply, name, type); i++) {
		const struct sm_dns_record *alias = sm_reply_find(reply, name, SM_RR_CNAME);

		if (!alias)
			alias = make_alias(reply, name, arena);
		name = alias ? alias->target : NULL;
	}
}
