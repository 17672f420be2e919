/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration: files in, one immutable value out. srvmesh.conf(5).
 *
 * A key of [resolver] may stand in [domain NAME] and [service NAME], and the most specific wins. Drop-ins come after the
 * file and override it. Without a [domain] or [service] no name is ours.
 *
 * What fails here fails towards "try again", never towards another's DNS: a file with an error is left out as a whole, and
 * the others hold. A section that only such files have is ours all the same, and has no server to ask; neither has one that
 * may have got its servers from there: where a file, or a header in it, cannot be read, that is any without servers. */
#pragma once

#include "base/status.h"
#include "conf/complaints.h"
#include "conf/keys.h"
#include "conf/piece.h"
#include "conf/watch.h"
#include "mesh/rule.h"

#define SM_CONF_FILE "/etc/srvmesh.conf"
#define SM_CONF_DROPINS "/etc/srvmesh.conf.d"
#define SM_CONF_RESOLV "/etc/resolv.conf"
#define SM_CONF_GAI "/etc/gai.conf"

struct sm_conf_sources {
	const char *file;
	bool must_exist;     /* a file that was named: its absence is an error */
	const char *dropins; /* NULL: none */
	const char *resolv;  /* where servers come from that no key names */
	const char *gai;     /* how glibc sorts addresses */
	bool is_private;     /* the caller's own: it has a host map and a daemon only where it names them */
};

struct sm_conf {
	struct sm_rules rules;
	uint64_t fingerprint; /* of what the files say that shapes answers; not of resolv.conf */
	/* A file was left out: the fingerprint is not that of what is meant, and nothing is to be thrown away for it. */
	bool is_incomplete;
	bool has_unread;  /* a file is there that cannot be read: which names it makes ours is not known */
	bool has_unknown; /* the same, or a file was not looked at: which servers it names is not known */
	struct sm_host_conf host;
	uint32_t n_pieces; /* what each file said, in their order */
	struct sm_piece *pieces;
};

/* The sources of this process: `named` (SRVMESH_CONF) replaces file and drop-ins; NULL for the usual ones. */
struct sm_conf_sources sm_conf_sources(const char *named);

/* `old` is what was in force before, or NULL: of a file that has an error now it still gives what it had. `complaints` hears
 * all that is wrong. *ret is the caller's, to be released by sm_conf_free.
 * SM_MEMORY: this process or this moment lacks something (memory, a free descriptor, a file half written): another time
 * may be better. In every case `watch` holds the files that decided. */
enum sm_status sm_conf_load(const struct sm_conf_sources *sources, const struct sm_conf *old, struct sm_watch *watch,
                            struct sm_complaints *complaints, struct sm_conf **ret) SM_MUST_CHECK;
void sm_conf_free(struct sm_conf *conf);
