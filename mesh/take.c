/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/take.h"

#include "mesh/srvset.h"

#include <string.h>

/* ---- hosts and targets */

static uint16_t find_host(const struct sm_expand *expand, const char *name, uint32_t hash)
{
	for (uint16_t i = 0; i < expand->n_hosts; i++)
		if (expand->hosts[i].hash == hash && strcmp(expand->hosts[i].name, name) == 0)
			return i;
	return SM_NO_HOST;
}

uint16_t sm_take_host(struct sm_expand *expand, const char *name)
{
	uint32_t hash = sm_name_hash(name);
	uint16_t known = find_host(expand, name, hash);
	struct sm_expand_host *hosts;

	if (known != SM_NO_HOST)
		return known;
	name = sm_arena_text(expand->arena, name, strlen(name));
	hosts = sm_arena_room(expand->arena, expand->hosts, expand->n_hosts, &expand->hosts_room, sizeof(*hosts));
	if (!name || !hosts)
		return SM_NO_HOST;
	expand->hosts = hosts;
	hosts[expand->n_hosts] = (struct sm_expand_host){
		.name = name,
		.hash = hash,
		.ttl_s = UINT32_MAX,
		.negative_ttl_s = UINT32_MAX,
		.metadata.negative_ttl_s = UINT32_MAX,
		.first_address = SM_NO_ADDRESS,
		.last_address = SM_NO_ADDRESS,
	};
	return (uint16_t)expand->n_hosts++;
}

void sm_take_target(struct sm_expand *expand, const struct sm_target *target)
{
	uint16_t host = sm_take_host(expand, target->name);
	struct sm_expand_target *targets =
		sm_arena_room(expand->arena, expand->targets, expand->n_targets, &expand->targets_room, sizeof(*targets));

	if (host == SM_NO_HOST || !targets) {
		expand->is_cut = true;
		return;
	}
	expand->targets = targets;
	targets += expand->n_targets++;
	targets->is = *target;
	targets->is.name = expand->hosts[host].name;
	targets->host = host;
	expand->hosts[host].is_used = true;
}

static bool has_address(const struct sm_expand *expand, uint16_t host, const struct sm_address *address)
{
	for (uint32_t i = expand->hosts[host].first_address; i != SM_NO_ADDRESS; i = expand->addresses[i].next)
		if (memcmp(&expand->addresses[i].is, address, sizeof(*address)) == 0)
			return true;
	return false;
}

static void add_address(struct sm_expand *expand, uint16_t host, const struct sm_address *address)
{
	struct sm_expand_address *addresses = NULL, fresh = {.is = *address, .next = SM_NO_ADDRESS};
	struct sm_expand_host *of = &expand->hosts[host];

	if (has_address(expand, host, &fresh.is))
		return;
	if (expand->n_addresses < SM_ADDRESSES_MAX)
		addresses = sm_arena_room(expand->arena, expand->addresses, expand->n_addresses, &expand->addresses_room,
		                          sizeof(*addresses));
	if (!addresses) {
		of->cut_families |= fresh.is.family;
		return;
	}
	expand->addresses = addresses;
	addresses[expand->n_addresses] = fresh;
	if (of->last_address == SM_NO_ADDRESS)
		of->first_address = expand->n_addresses;
	else
		addresses[of->last_address].next = expand->n_addresses;
	of->last_address = expand->n_addresses++;
	of->families |= fresh.is.family;
}

static void add_record(struct sm_expand *expand, uint16_t host, const struct sm_dns_record *record)
{
	struct sm_address address = {.family = sm_family_of(record->type)};

	memcpy(address.bytes, record->address, record->type == SM_RR_A ? 4 : 16);
	sm_expand_lower(&expand->hosts[host].ttl_s, record->ttl_s);
	add_address(expand, host, &address);
}

static void add_strings(struct sm_expand *expand, struct sm_expand_metadata *to, uint32_t *ttl_s,
                        const struct sm_dns_record *record)
{
	size_t whole = sm_metadata_whole(record->strings, record->strings_size, (size_t)SM_METADATA_MAX - to->size);

	to->is_known = true;
	sm_expand_lower(ttl_s, record->ttl_s);
	if (!to->strings && whole > 0)
		to->strings = sm_arena_take(expand->arena, SM_METADATA_MAX, 1);
	if (!to->strings)
		whole = 0;
	to->is_cut |= whole < record->strings_size;
	if (whole > 0)
		memcpy(to->strings + to->size, record->strings, whole);
	to->size += (uint16_t)whole;
}

/* ---- records */

/* The SRV records of `owner` that count, as targets; their number in *ret_n. NULL: no memory. */
static struct sm_target *read_targets(struct sm_expand *expand, const struct sm_reply *reply, const char *owner, uint32_t *ret_n)
{
	struct sm_target *targets =
		sm_arena_take(expand->arena, reply->n_records * sizeof(*targets), _Alignof(struct sm_target));
	uint32_t n = 0;

	for (uint32_t i = 0; targets && i < reply->n_records; i++) {
		const struct sm_dns_record *srv = &reply->records[i];

		if (!sm_reply_is_answer(srv, owner, SM_RR_SRV))
			continue;
		sm_expand_lower(&expand->ttl_s, srv->ttl_s);
		if (!srv->target)
			expand->is_cut = true;
		else if (expand->rule->port && srv->port != expand->rule->port && srv->target[0] != '\0')
			expand->has_other_ports = true;
		else if (srv->target[0] != '\0')
			targets[n++] = (struct sm_target){.name = srv->target, .priority = srv->priority,
			                                  .weight = srv->weight, .port = srv->port};
	}
	*ret_n = n;
	return targets;
}

void sm_take_targets(struct sm_expand *expand, const struct sm_reply *reply, const char *owner)
{
	uint32_t n, kept;
	struct sm_target *targets = read_targets(expand, reply, owner, &n);

	if (!targets) {
		expand->is_cut = true;
		return;
	}
	n = sm_srvset_order(targets, n);
	kept = sm_srvset_cut(targets, n, SM_TARGETS_MAX, expand->means.seed);
	expand->n_cut = (uint16_t)(n - kept + reply->is_cut);
	for (uint32_t i = 0; i < kept; i++)
		sm_take_target(expand, &targets[i]);
	expand->is_denied = expand->n_targets == 0 && !expand->is_cut && !expand->has_other_ports;
}

/* Glue is taken where the servers that sent it are those to ask for it. */
static bool has_good_glue(struct sm_expand *expand, uint32_t number, struct sm_expand_host *host)
{
	if (!host->is_glue_judged)
		host->has_good_glue = expand->means.believes(expand->means.context, number, host->name);
	host->is_glue_judged = true;
	return host->has_good_glue;
}

/* A host's addresses of the wanted families, and its metadata. */
static void take_host_glue(struct sm_expand *expand, uint32_t number, const struct sm_dns_record *record)
{
	uint16_t host = find_host(expand, record->owner, sm_name_hash(record->owner));

	if (host == SM_NO_HOST || !has_good_glue(expand, number, &expand->hosts[host]))
		return;
	if (record->type == SM_RR_TXT)
		add_strings(expand, &expand->hosts[host].metadata, &expand->hosts[host].ttl_s, record);
	else
		add_record(expand, host, record);
}

static bool is_wanted_metadata(const struct sm_expand *expand, const struct sm_dns_record *record)
{
	return record->type == SM_RR_TXT && sm_rule_wants_metadata(expand->rule);
}

void sm_take_glue(struct sm_expand *expand, uint32_t number, const struct sm_reply *reply)
{
	bool is_of_owner = expand->rule->metadata == SM_METADATA_OF_OWNER;

	for (uint32_t i = 0; i < reply->n_records; i++) {
		const struct sm_dns_record *record = &reply->records[i];
		bool is_metadata = is_wanted_metadata(expand, record);

		if (!record->is_additional)
			continue;
		if (is_metadata && is_of_owner && expand->owner && strcmp(record->owner, expand->owner) == 0)
			add_strings(expand, &expand->metadata, &expand->ttl_s, record);
		else if ((is_metadata && !is_of_owner) ||
		         (sm_family_of(record->type) & sm_expand_wanted_families(expand)))
			take_host_glue(expand, number, record);
	}
}

void sm_take_metadata(struct sm_expand *expand, const struct sm_reply *reply, const char *owner, uint16_t host)
{
	bool is_host = host != SM_NO_HOST;

	for (uint32_t i = 0; i < reply->n_records; i++)
		if (sm_reply_is_answer(&reply->records[i], owner, SM_RR_TXT))
			add_strings(expand, is_host ? &expand->hosts[host].metadata : &expand->metadata,
			            is_host ? &expand->hosts[host].ttl_s : &expand->ttl_s, &reply->records[i]);
}

void sm_take_addresses(struct sm_expand *expand, const struct sm_reply *reply, const char *owner,
                           enum sm_rr_type type, uint16_t host)
{
	for (uint32_t i = 0; i < reply->n_records; i++)
		if (sm_reply_is_answer(&reply->records[i], owner, type))
			add_record(expand, host, &reply->records[i]);
	if (reply->is_cut)
		expand->hosts[host].cut_families |= sm_family_of(type);
}

/* ---- what was known before */

static struct sm_expand_metadata metadata_of_old(const struct sm_answer *old, const struct sm_target *target)
{
	if (target->metadata_size == 0)
		return (struct sm_expand_metadata){.is_known = !old->is_metadata_unknown, .negative_ttl_s = UINT32_MAX};
	return (struct sm_expand_metadata){
		.is_known = true, /* so that it is not asked for: there is no room behind these strings */
		.is_cut = old->is_metadata_cut,
		.size = target->metadata_size,
		.strings = (uint8_t *)target->metadata,
		.negative_ttl_s = UINT32_MAX,
	};
}

static void take_old_target(struct sm_expand *expand, const struct sm_answer *old, const struct sm_target *target)
{
	uint16_t host;

	sm_take_target(expand, &(struct sm_target){.name = target->name, .priority = target->priority,
	                                           .weight = target->weight, .port = target->port});
	host = find_host(expand, target->name, sm_name_hash(target->name));
	if (host == SM_NO_HOST)
		return;
	if (expand->rule->metadata == SM_METADATA_OF_OWNER)
		expand->metadata = metadata_of_old(old, target);
	else
		expand->hosts[host].metadata = metadata_of_old(old, target);
}

bool sm_take_old_targets(struct sm_expand *expand)
{
	if (!expand->means.old || expand->old || expand->n_targets > 0)
		return false;
	expand->old = expand->means.old(expand->means.context);
	for (uint32_t i = 0; expand->old && i < expand->old->n_targets; i++)
		take_old_target(expand, expand->old, &expand->old->targets[i]);
	return expand->old;
}

bool sm_take_old_addresses(struct sm_expand *expand, enum sm_rr_type type, uint16_t host)
{
	const struct sm_answer *old = expand->old;
	bool has_any = false;

	for (uint32_t i = 0; old && i < old->n_targets; i++) {
		const struct sm_target *target = &old->targets[i];

		if (strcmp(target->name, expand->hosts[host].name) != 0)
			continue;
		for (uint32_t k = 0; k < target->n_addresses; k++)
			if (old->addresses[target->first_address + k].family == sm_family_of(type)) {
				add_address(expand, host, &old->addresses[target->first_address + k]);
				has_any = true;
			}
	}
	return has_any;
}
