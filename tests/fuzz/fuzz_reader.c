/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cache/reader.h"
#include "cache/scan.h"
#include "tests/fuzz/fuzz.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SHIFT 12
#define NAMES_MAX 4096 /* more than a file of the largest input holds */

static void get(const struct sm_mapped *mapped, enum sm_map_kind kind, const char *text)
{
	static uint8_t value[65536];
	uint8_t key[SM_MAP_KEY_MAX];
	struct sm_name name;
	size_t size = 0;

	HOLDS(sm_name_parse(text, strlen(text), &name) == SM_OK);
	if (sm_reader_get(mapped, key, sm_map_key(kind, &name, key), value, sizeof(value), &size) == SM_OK)
		HOLDS(size <= sizeof(value));
}

/* The bytes of a host map, whatever they are: nothing beyond them is read, and every walk ends. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static uint8_t record[65536];
	struct sm_mapped mapped = {.bytes = bytes, .length = size, .page_shift = PAGE_SHIFT};
	struct sm_name name, *after = NULL;
	size_t record_size;

	atomic_init(&mapped.size, size);
	get(&mapped, SM_MAP_SERVICE, "api.mesh");
	get(&mapped, SM_MAP_SERVICE, "n7.mesh");
	get(&mapped, SM_MAP_HOST, "api.mesh");
	for (int n = 0; sm_scan_next(&mapped, after, &name, record, sizeof(record), &record_size) == SM_OK; n++) {
		HOLDS(n < NAMES_MAX && name.length < sizeof(name.text));
		after = &name;
	}
	return 0;
}
