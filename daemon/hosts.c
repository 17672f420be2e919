/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/hosts.h"

#include "base/clock.h"

#include <search.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 16384
#define BYTES_MAX 8388608
#define MESSAGE_MAX 4096 /* of a host with some hundred addresses */

struct host {
	struct sm_name key; /* the first member: by it the tree is sorted */
	uint64_t rule_key;
	int64_t heard_ns, until_ns;
	size_t size;
	bool is_alias;
	uint8_t message[];
};

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct sm_name *)a)->text, ((const struct sm_name *)b)->text);
}

/* The family, and the name. SM_INVALID: too long. */
static enum sm_status make_key(const struct sm_question *question, struct sm_name *ret)
{
	size_t length = strlen(question->name);

	if (length + 2 > SM_NAME_MAX)
		return SM_INVALID;
	ret->length = (uint8_t)(length + 2);
	ret->text[0] = question->type == SM_RR_A ? '4' : '6';
	ret->text[1] = '.';
	memcpy(ret->text + 2, question->name, length + 1);
	return SM_OK;
}

static struct host *find(const struct sm_hosts *hosts, const struct sm_name *key)
{
	struct host **found = tfind(key, &hosts->by_key, compare);

	return found ? *found : NULL;
}

static void forget(struct sm_hosts *hosts, const struct sm_name *key)
{
	struct host *host = find(hosts, key);

	sm_ledger_remove(hosts->ledger, key);
	if (!host)
		return;
	tdelete(key, &hosts->by_key, compare);
	free(host);
}

void sm_hosts_start(struct sm_hosts *hosts, uint32_t quota_percent)
{
	*hosts = (struct sm_hosts){.quota_percent = quota_percent};
	if (sm_ledger_open(BYTES_MAX, ENTRIES_MAX, quota_percent, &hosts->ledger) != SM_OK)
		hosts->ledger = NULL;
}

void sm_hosts_stop(struct sm_hosts *hosts)
{
	tdestroy(hosts->by_key, free);
	hosts->by_key = NULL;
	sm_ledger_close(hosts->ledger);
	hosts->ledger = NULL;
}

void sm_hosts_empty(struct sm_hosts *hosts)
{
	sm_hosts_stop(hosts);
	sm_hosts_start(hosts, hosts->quota_percent);
}

bool sm_hosts_recall(struct sm_hosts *hosts, const struct sm_question *question, const struct sm_rule *rule, bool ahead,
                     int64_t now_ns, struct sm_remembered *ret)
{
	const struct host *host;
	struct sm_name key;
	int64_t left_ns;

	if (!hosts->ledger || make_key(question, &key) != SM_OK)
		return false;
	host = find(hosts, &key);
	if (!host || host->rule_key != rule->key)
		return false;
	left_ns = host->until_ns - now_ns;
	if (left_ns <= (host->until_ns - host->heard_ns) / (ahead ? 2 : 10))
		return false;
	*ret = (struct sm_remembered){host->message, host->size, (uint32_t)((now_ns - host->heard_ns) / SM_NS_PER_S),
	                              host->is_alias};
	return true;
}

/* Room for one more at the expense of this uid. */
static bool make_room(struct sm_hosts *hosts, uid_t uid, uint32_t cost, int64_t now_ns)
{
	struct sm_name victim;
	bool is_quota;
	enum sm_status status;

	while ((status = sm_ledger_victim(hosts->ledger, uid, cost, now_ns, &victim, &is_quota)) == SM_OK)
		forget(hosts, &victim);
	return status == SM_MISS;
}

static void keep(struct sm_hosts *hosts, struct host *host, const struct sm_ledger_entry *entry)
{
	if (!tsearch(&host->key, &hosts->by_key, compare))
		free(host);
	else if (sm_ledger_put(hosts->ledger, &host->key, entry) != SM_OK)
		forget(hosts, &host->key);
}

void sm_hosts_remember(struct sm_hosts *hosts, const struct sm_question *question, const struct sm_rule *rule, uid_t uid,
                       const struct sm_remembered *message, uint32_t ttl_s, int64_t now_ns)
{
	struct sm_ledger_entry entry = {
		.uid = uid,
		.other = SM_LEDGER_NOBODY,
		.cost = (uint32_t)(sizeof(struct host) + message->size),
		.expires_ns = now_ns + ttl_s * SM_NS_PER_S,
	};
	struct sm_name key;
	struct host *host;

	if (!hosts->ledger || message->size > MESSAGE_MAX || make_key(question, &key) != SM_OK)
		return;
	forget(hosts, &key);
	if (!make_room(hosts, uid, entry.cost, now_ns))
		return;
	host = malloc(sizeof(*host) + message->size);
	if (!host)
		return;
	*host = (struct host){.key = key, .rule_key = rule->key, .heard_ns = now_ns, .until_ns = entry.expires_ns,
	                      .size = message->size, .is_alias = message->is_alias};
	memcpy(host->message, message->bytes, message->size);
	keep(hosts, host, &entry);
}
