/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes over srvmeshd's sockets: one request a connection (SOCK_SEQPACKET), hints as datagrams. Pure.
 *
 *   0 u32 magic   4 u8 format   5 u8 kind   6 u8 part, u8 parts   8 body, little endian
 *
 * Format 2: the bodies of all parts together are fields, each at most once: u16 tag, u32 length, and so many bytes. A tag
 * that is not known is passed over.
 *
 *   lookup, hint   1 u32 milliseconds that the client will wait   2 u8 families   3 name
 *                  8 u8 why this process has passed over the map or srvmeshd [0: it has not]
 *   flush          6 pattern (mesh/pattern.h)   7 u8: 1, all hosts; 0, this one [0]
 *   monitor        9 u32 how many events of the past to begin with [0]
 *   log level      10 u8 the new one [none: it stays]
 *   record         4 a record (mesh/record.h)
 *   text, event    5 UTF-8
 *
 * Format 1: one part, with 0 for part and parts.
 *
 *   lookup, hint   u32 milliseconds that the client will wait, u8 families, u8 name length, name
 *   record, text   the record or text, and nothing else */
#pragma once

#include "base/status.h"
#include "mesh/format.h"
#include "mesh/pattern.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the path of the socket for hints has more than that of the other. */
#define SM_HINT_SUFFIX ".hint"

enum sm_frame_kind {
	/* requests */
	SM_FRAME_LOOKUP = 1,
	SM_FRAME_HINT = 2,   /* renew this name, it is in use */
	SM_FRAME_STATUS = 3, /* the daemon's counters, as text */
	SM_FRAME_HEALTH = 4, /* what it knows of targets, as text (daemon/targets.h) */
	SM_FRAME_FLUSH = 5,  /* names are to be asked for again; answered by text (daemon/flush.h) */
	SM_FRAME_SERVERS = 6, /* of the servers, as text (daemon/telling.h) */
	SM_FRAME_METRICS = 7, /* as text, in the older format of Prometheus (daemon/metrics.h) */
	SM_FRAME_MONITOR = 8, /* answered by events, until one side ends the connection; of format 2 alone, as are all below */
	SM_FRAME_LOG_LEVEL = 9, /* answered by text, as the next one */
	SM_FRAME_RELOAD = 10,
	SM_FRAME_OPENMETRICS = 11, /* as SM_FRAME_METRICS */
	/* replies */
	SM_FRAME_RECORD = 16, /* fresh, or stale and the best there is */
	SM_FRAME_WORKING = 17, /* not the final reply: the daemon is running, the name takes time */
	SM_FRAME_NOT_OURS = 18, /* the daemon's configuration does not have this name */
	SM_FRAME_BUSY = 19, /* a limit is reached; or the daemon itself lacks something */
	SM_FRAME_TEXT = 20,
	SM_FRAME_EVENT = 21, /* not the final reply: something has happened (daemon/monitor.h) */
};

#define SM_FRAME_HEAD 8
#define SM_FRAME_FIELD_HEAD 6
#define SM_REQUEST_MAX (SM_FRAME_HEAD + 4 * SM_FRAME_FIELD_HEAD + 4 + 1 + 1 + SM_NAME_MAX)
#define SM_REQUEST_ROOM 1024 /* for a request with fields of a newer release */

/* One message of SOCK_SEQPACKET ends at some 212,000 bytes (net.core.wmem_default). */
#ifndef SM_FRAME_PART
#define SM_FRAME_PART 131072U /* bytes of a body that travel in one frame */
#endif
#define SM_FRAME_PARTS_MAX 255U
#define SM_REPLY_MAX (4U << 20) /* bytes of a body in all its parts: above the largest record, 32 parts */

/* Why a process has passed over the host map or srvmeshd. */
enum sm_bypass {
	SM_BYPASS_NONE,
	SM_BYPASS_MAP_UNTRUSTED,  /* of another owner, or others can write it or a directory above it */
	SM_BYPASS_MAP_VERSION,    /* of another format, boot or time namespace, or damaged */
	SM_BYPASS_CONFIG_DIFFERS, /* srvmeshd's configuration does not have a name that the process's has */
	SM_BYPASS_SOCKET_REFUSED, /* nobody listens, or the system forbids it */
	SM_BYPASS_SILENT,
	SM_BYPASS_SOCKET_UNTRUSTED, /* its directory is as that of an untrusted map, or another user listens there */
	SM_BYPASS_KINDS,
};

#define SM_LEVEL_STAYS UINT8_MAX

struct sm_request {
	enum sm_format format;
	enum sm_frame_kind kind;
	uint32_t wait_ms;
	uint8_t families; /* enum sm_families */
	uint8_t bypass; /* enum sm_bypass, of a lookup or hint */
	uint8_t level;  /* of a log level; SM_LEVEL_STAYS: it is only asked for */
	uint32_t n_last; /* of a monitor */
	bool is_everywhere; /* of a flush */
	struct sm_name name; /* of a flush, a pattern */
};

/* Returns the size. Requests for text have no body. */
size_t sm_frame_encode_request(const struct sm_request *request, uint8_t ret[SM_REQUEST_MAX]);
/* SM_CORRUPT: no such frame. */
enum sm_status sm_frame_decode_request(const void *bytes, size_t size, struct sm_request *ret) SM_MUST_CHECK;

/* A reply: `content` is the record or text, and is borrowed; NULL for the other kinds. */
struct sm_frame_reply {
	enum sm_format format;
	enum sm_frame_kind kind;
	const void *content;
	size_t size;
};

/* How many frames a reply takes. */
uint32_t sm_frame_parts(const struct sm_frame_reply *reply);
/* What stands before the content in frame `part`: written to `ret`, its size returned. *ret_content and *ret_size: the
 * piece of the content behind it. */
size_t sm_frame_encode_part(const struct sm_frame_reply *reply, uint32_t part, uint8_t ret[SM_FRAME_HEAD + SM_FRAME_FIELD_HEAD],
                            const void **ret_content, size_t *ret_size);

/* The head of a reply's frame. */
struct sm_frame_head {
	enum sm_format format;
	enum sm_frame_kind kind;
	uint32_t part, n_parts;
};

/* The head of a frame of a reply in either format; its part of the body is what is behind SM_FRAME_HEAD. */
enum sm_status sm_frame_decode_head(const void *bytes, size_t size, struct sm_frame_head *ret) SM_MUST_CHECK;
/* The content in the body of a reply, all parts put together. SM_CORRUPT: it has none, or is not whole. */
enum sm_status sm_frame_content(const struct sm_frame_head *head, const void *body, size_t size, const void **ret,
                                size_t *ret_size) SM_MUST_CHECK;
