/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "find/view.h"

#include "base/clock.h"
#include "cache/namespace.h"
#include "resolve/source.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LEARN_AGAIN_NS (10 * SM_NS_PER_S) /* the addresses of a container */

void sm_view_free(struct sm_view *view)
{
	if (!view)
		return;
	sm_reader_unmap(&view->mapped);
	free(view);
}

static bool is_of_other_namespace(const struct sm_view *view)
{
	char own[SM_NAMESPACE_MAX], of_map[SM_BOOT_ID_SIZE + SM_NAMESPACE_MAX];
	size_t own_size = sm_namespace_read(own), size;
	uint8_t key[SM_MAP_KEY_MAX];

	return own_size > 0 &&
	       sm_reader_get(&view->mapped, key, sm_map_key(SM_MAP_HOST, NULL, key), of_map, sizeof(of_map), &size) == SM_OK &&
	       size > SM_BOOT_ID_SIZE &&
	       (size - SM_BOOT_ID_SIZE != own_size || memcmp(own, of_map + SM_BOOT_ID_SIZE, own_size) != 0);
}

static uint32_t own_families(void)
{
	struct sm_network *network;
	uint32_t families;

	if (sm_network_learn(&network) != SM_OK)
		return SM_IPV4_AND_IPV6;
	families = sm_network_families(network);
	sm_network_free(network);
	return families;
}

static void look_at_namespace(struct sm_view *view, int64_t now_ns)
{
	uint32_t families = atomic_load_explicit(&view->other_families, memory_order_relaxed);
	int64_t learnt_ns = atomic_load_explicit(&view->learnt_ns, memory_order_relaxed);

	if (!is_of_other_namespace(view)) {
		atomic_store_explicit(&view->other_families, 0, memory_order_relaxed);
		return;
	}
	if (families && families != SM_VIEW_UNSEEN && now_ns - learnt_ns < LEARN_AGAIN_NS)
		return;
	atomic_store_explicit(&view->other_families, own_families(), memory_order_relaxed);
	atomic_store_explicit(&view->learnt_ns, now_ns, memory_order_relaxed);
}

void sm_view_look_again_at_namespace(struct sm_view *view, int64_t now_ns)
{
	if (view && atomic_load_explicit(&view->other_families, memory_order_relaxed) != SM_VIEW_UNSEEN)
		look_at_namespace(view, now_ns);
}

uint8_t sm_view_other_families(struct sm_view *view, int64_t now_ns)
{
	uint32_t families = atomic_load_explicit(&view->other_families, memory_order_relaxed);

	if (families != SM_VIEW_UNSEEN)
		return (uint8_t)families;
	look_at_namespace(view, now_ns);
	return (uint8_t)atomic_load_explicit(&view->other_families, memory_order_relaxed);
}

static enum sm_status map_view(const struct sm_generation *generation, struct sm_view *view)
{
	const struct sm_host_conf *host = &generation->conf->host;
	enum sm_status status = sm_reader_map(host->directory, generation->is_conf_private, &view->mapped);

	atomic_init(&view->other_families, SM_VIEW_UNSEEN);
	if (status == SM_REFUSED || status == SM_CORRUPT)
		sm_process_note_bypass(status == SM_REFUSED ? SM_BYPASS_MAP_UNTRUSTED : SM_BYPASS_MAP_VERSION);
	return status;
}

struct sm_view *sm_view_make(const struct sm_generation *generation)
{
	const struct sm_host_conf *host = &generation->conf->host;
	struct sm_view *view;

	if (host->directory[0] == '\0' || generation->conf->rules.elsewhere.is_disabled)
		return NULL; /* switched off: then the reader is not used either, and cannot do harm */
	view = calloc(1, sizeof(*view));
	if (view && map_view(generation, view) == SM_OK)
		return view;
	free(view);
	return NULL;
}
