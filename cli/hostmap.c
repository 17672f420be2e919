/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/hostmap.h"

#include "base/scope.h"
#include "cache/scan.h"
#include "cli/memory.h"

#define FIRST_SIZE 16384

enum sm_status sm_hostmap_open(const struct sm_conf *conf, struct sm_mapped *ret)
{
	const struct sm_host_conf *host = &conf->host;

	if (host->directory[0] == '\0')
		return SM_MISS;
	return sm_reader_map(host->directory, secure_getenv("SRVMESH_CONF") != NULL, ret);
}

const char *sm_hostmap_why_not(enum sm_status status)
{
	switch (status) {
	case SM_MISS:
		return "there is no host map: no srvmeshd has run, or the configuration names another directory";
	case SM_REFUSED:
		return "the host map is not trusted: another user can write it, or a directory above it";
	case SM_CORRUPT:
		return "the host map is of another release, boot or time namespace, or damaged";
	case SM_OK: case SM_FULL: case SM_INVALID: case SM_SILENT: case SM_EXHAUSTED:
		break;
	}
	return "out of memory or descriptors";
}

static void grow(void **bytes, size_t *room, size_t size)
{
	*bytes = sm_memory(realloc(*bytes, size));
	*room = size;
}

bool sm_hostmap_each(const struct sm_mapped *mapped,
                     void (*hear)(void *context, const struct sm_name *name, const void *record, size_t size), void *context,
                     size_t max)
{
	size_t room = FIRST_SIZE, size;
	SM_SCOPE_FREE void *bytes = sm_memory(malloc(room));
	struct sm_name at, next;

	for (size_t n = 0; n < max;) {
		enum sm_status status = sm_scan_next(mapped, n ? &at : NULL, &next, bytes, room, &size);

		if (status == SM_FULL) {
			grow(&bytes, &room, size * 2);
			continue;
		}
		if (status != SM_OK)
			return status == SM_MISS;
		hear(context, &next, bytes, size);
		at = next;
		n++;
	}
	return true;
}

enum sm_status sm_hostmap_get(const struct sm_mapped *mapped, const struct sm_name *name, void **ret, size_t *ret_size)
{
	uint8_t key[SM_MAP_KEY_MAX];
	size_t key_size = sm_map_key(SM_MAP_SERVICE, name, key), room = FIRST_SIZE;
	void *bytes = sm_memory(malloc(room));
	enum sm_status status;

	while ((status = sm_reader_get(mapped, key, key_size, bytes, room, ret_size)) == SM_FULL)
		grow(&bytes, &room, *ret_size * 2);
	if (status == SM_OK) {
		*ret = bytes;
		return SM_OK;
	}
	free(bytes);
	return status;
}
