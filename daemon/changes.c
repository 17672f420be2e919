/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/changes.h"

#include "base/scope.h"
#include "daemon/log.h"
#include "mesh/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 8
#define LIST_SIZE (SHOWN_MAX * SM_TEXT_ENDPOINT_MAX + 16)

struct endpoint {
	struct sm_address address;
	uint16_t port;
};

struct endpoints {
	uint32_t n;
	struct endpoint *list; /* owned */
};

/* What has come, or gone. */
struct difference {
	uint32_t n;
	size_t used;
	char text[LIST_SIZE];
};

static int compare(const void *a, const void *b)
{
	const struct endpoint *left = a, *right = b;
	int order = memcmp(&left->address, &right->address, sizeof(left->address));

	return order ? order : (int)left->port - (int)right->port;
}

/* Each endpoint of these families once, in order. false: no memory. */
static bool gather(const struct sm_answer *answer, uint8_t families, struct endpoints *ret)
{
	size_t most = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < answer->n_targets; i++)
		most += answer->targets[i].n_addresses;
	ret->n = 0;
	ret->list = calloc(most + 1, sizeof(*ret->list));
	if (!ret->list)
		return false;
	for (uint32_t i = 0; i < answer->n_targets; i++)
		for (uint32_t k = 0; k < answer->targets[i].n_addresses; k++) {
			const struct sm_address *address = &answer->addresses[answer->targets[i].first_address + k];

			if (address->family & families)
				ret->list[ret->n++] = (struct endpoint){*address, answer->targets[i].port};
		}
	qsort(ret->list, ret->n, sizeof(*ret->list), compare);
	for (uint32_t i = 0; i < ret->n; i++)
		if (n == 0 || compare(&ret->list[n - 1], &ret->list[i]) != 0)
			ret->list[n++] = ret->list[i];
	ret->n = n;
	return true;
}

static void add(struct difference *difference, const struct endpoint *endpoint)
{
	char text[SM_TEXT_ENDPOINT_MAX];

	if (difference->n++ >= SHOWN_MAX)
		return;
	sm_text_endpoint(&endpoint->address, "", endpoint->port, text);
	difference->used += (size_t)snprintf(difference->text + difference->used, LIST_SIZE - difference->used, "%s%s",
	                                     difference->used ? "," : "", text);
}

static void close_list(struct difference *difference)
{
	if (difference->n > SHOWN_MAX)
		snprintf(difference->text + difference->used, LIST_SIZE - difference->used, ",+%u", difference->n - SHOWN_MAX);
	else if (difference->n == 0)
		snprintf(difference->text, LIST_SIZE, "-");
}

static void compare_all(const struct endpoints *before, const struct endpoints *now, struct difference *added,
                        struct difference *removed)
{
	uint32_t i = 0, k = 0;

	while (i < before->n || k < now->n) {
		int order = i == before->n ? 1 : k == now->n ? -1 : compare(&before->list[i], &now->list[k]);

		if (order < 0)
			add(removed, &before->list[i]);
		if (order > 0)
			add(added, &now->list[k]);
		i += order <= 0;
		k += order >= 0;
	}
	close_list(added);
	close_list(removed);
}

static void tell(const struct sm_name *name, const struct sm_answer *answer, const struct difference *added,
                 const struct difference *removed)
{
	char server[SM_TEXT_ENDPOINT_MAX];

	sm_text_origin(answer->origin, answer->origin_size, server);
	sm_log_rarely(SM_LOG_INFO, "answer changed", "name", name->text, "added", added->text, "removed", removed->text, "server",
	              server, NULL);
}

/* What is not whole says nothing of what is missing. */
static uint8_t known_families(const struct sm_answer *answer)
{
	if (answer->kind != SM_ANSWER_ADDRESSES)
		return SM_IPV4_AND_IPV6;
	return SM_IPV4_AND_IPV6 & (uint8_t)~(answer->unasked_families | answer->uncertain_families | answer->unawaited_families);
}

static bool is_same_list(const struct sm_answer *a, const struct sm_answer *b)
{
	if (a->n_addresses != b->n_addresses || a->n_targets != b->n_targets)
		return false;
	for (uint32_t i = 0; i < a->n_targets; i++)
		if (a->targets[i].port != b->targets[i].port || a->targets[i].first_address != b->targets[i].first_address ||
		    a->targets[i].n_addresses != b->targets[i].n_addresses)
			return false;
	return memcmp(a->addresses, b->addresses, a->n_addresses * sizeof(a->addresses[0])) == 0;
}

bool sm_changes_note(struct sm_owner *owner, const struct sm_name *name, const struct sm_answer *answer)
{
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	struct difference added = {.n = 0}, removed = {.n = 0};
	struct endpoints before_list = {.n = 0}, now_list = {.n = 0};
	struct sm_answer before;
	struct sm_times times;
	const void *bytes;
	size_t size;
	uint8_t families;

	if (answer->kind == SM_ANSWER_FAILURE || sm_owner_get(owner, name, &bytes, &size) != SM_OK ||
	    sm_record_decode(name, bytes, size, &arena, &before, &times) != SM_OK || before.kind != SM_ANSWER_ADDRESSES)
		return false;
	if (sm_answer_is_cut(answer) || sm_answer_is_cut(&before) || is_same_list(&before, answer))
		return false;
	families = known_families(answer) & known_families(&before);
	if (gather(&before, families, &before_list) && gather(answer, families, &now_list))
		compare_all(&before_list, &now_list, &added, &removed);
	free(before_list.list);
	free(now_list.list);
	if (added.n + removed.n == 0)
		return false;
	tell(name, answer, &added, &removed);
	return true;
}
