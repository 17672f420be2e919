/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The format of the host map, which srvmeshd writes with liblmdb and every process reads with cache/reader.
 *
 * One file in one directory, an LMDB environment (MDB_NOSUBDIR) of data format 1, with everything in its main database:
 *
 *   key                              value
 *   u8 SM_MAP_HOST                   the kernel's boot id, 36 bytes of text; then the network namespace of srvmeshd, in
 *                                    which ranks hold, as text (cache/namespace.h)
 *   u8 SM_MAP_SERVERS                what srvmeshd knows of servers (resolve/table.h)
 *   u8 SM_MAP_RULES                  the rules under which the answers were made (daemon/epochs.h)
 *   u8 SM_MAP_CLOCKS                 i64 by how many ns srvmeshd's wall clock is ahead of its time since boot
 *   u8 SM_MAP_SERVICE, folded name   a record (mesh/record.h)
 *
 * Only the owner writes the file. It is never shortened; to replace it, the owner removes it and creates another. */
#pragma once

#include "mesh/name.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SM_MAP_FILE "cache.v2.mdb"        /* of SM_FORMAT_2: a major has a file of its own (mesh/format.h) */
#define SM_MAP_FILE_BEFORE "cache.v1.mdb" /* of SM_FORMAT_1: removed by the owner at its start */
#define SM_MAP_KEY_MAX (1 + SM_NAME_MAX)
#define SM_MAP_PATH_MAX (100 + sizeof("/" SM_MAP_FILE)) /* the directory's limit is SM_PATH_MAX of conf/value.h */

/* The first byte of a key. A kind that is not known is another release's: its value is nothing to go by. */
enum sm_map_kind {
	SM_MAP_HOST = 0,
	SM_MAP_SERVICE = 1,
	SM_MAP_SERVERS = 3, /* 2 was a fingerprint of the whole configuration */
	SM_MAP_RULES = 4,
	SM_MAP_CLOCKS = 5,
};

#define SM_CLOCKS_APART_NS 100000000ULL /* two readings of the same clocks differ by less */

#define SM_BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"
#define SM_BOOT_ID_SIZE 36

/* The one maker of keys: of a kind and a name, or NULL where the kind has but one key. Returns the size. */
static inline size_t sm_map_key(enum sm_map_kind kind, const struct sm_name *name, uint8_t ret[SM_MAP_KEY_MAX])
{
	ret[0] = (uint8_t)kind;
	if (!name)
		return 1;
	memcpy(ret + 1, name->text, name->length);
	return 1 + (size_t)name->length;
}

/* LMDB data format 1 on 64-bit machines (lmdb 0.9: mdb.c, "Page structures" and "Meta Page"), in the machine's byte
 * order. A page is `page size` bytes at page number × page size; pages 0 and 1 are meta pages.
 *
 *   page   0 u64 page number   10 u16 flags   12 u16 lower, u16 upper (overflow: u32 number of pages)   16 ...
 *   meta  16 u32 magic, u32 version   40 two databases of 48 bytes (free pages, main)   136 u64 last page, u64 txnid
 *   database   0 u32 page size (of the first)   6 u16 depth   40 u64 root
 *   tree pages   16 u16 offset of each node, up to `lower`; the nodes from `upper` on
 *   node   0 u16 low, u16 high, u16 flags, u16 key size   8 key, then data
 *   node of a branch: child = low | high << 16 | flags << 32, and the first node's key counts as below all others
 *   node of a leaf: data size = low | high << 16; flags 1: the data is the u64 number of an overflow page */
#define SM_MAP_MAGIC 0xBEEFC0DEU
#define SM_MAP_VERSION 1
#define SM_MAP_PAGE_MIN 512U
#define SM_MAP_PAGE_MAX 32768U
#define SM_MAP_LEVELS_MAX 8

#define SM_PAGE_NUMBER 0
#define SM_PAGE_FLAGS 10
#define SM_PAGE_LOWER 12
#define SM_PAGE_UPPER 14
#define SM_PAGE_COUNT 12
#define SM_PAGE_HEAD 16

#define SM_PAGE_BRANCH 0x01
#define SM_PAGE_LEAF 0x02
#define SM_PAGE_OVERFLOW 0x04
#define SM_PAGE_META 0x08

#define SM_META_MAGIC 16
#define SM_META_VERSION 20
#define SM_META_PAGE_SIZE 40
#define SM_META_DEPTH 94
#define SM_META_ROOT 128
#define SM_META_TXNID 144

#define SM_NODE_HEAD 8
#define SM_NODE_FLAGS 4
#define SM_NODE_KEY_SIZE 6
#define SM_NODE_IS_BIG 0x01
