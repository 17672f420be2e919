/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration: reads files and returns one immutable value. srvmesh.conf(5).
 *
 * A key of [resolver] may also be in [domain NAME] and [service NAME]; the most specific section wins. Drop-ins are
 * read after the file and override it. Without a [domain] or [service] no name is ours.
 *
 * An error leads to "try again", never to a question to the wrong servers. A file with an error is left out as a
 * whole; the other files apply. The names of a section that is only in such files are still ours, but it has no
 * server to ask. The same holds for a section that may have got its servers from such a file: if a file, or a header
 * in it, cannot be read, that is every section without servers. */
#pragma once

#include "base/status.h"
#include "conf/complaints.h"
#include "conf/keys.h"
#include "conf/piece.h"
#include "conf/watch.h"
#include "mesh/rank.h"
#include "mesh/rule.h"

#include <stdatomic.h>

#define SM_CONF_FILE "/etc/srvmesh.conf"
#define SM_CONF_DROPINS "/etc/srvmesh.conf.d"
#define SM_CONF_RESOLV "/etc/resolv.conf"
#define SM_CONF_GAI "/etc/gai.conf"

struct sm_conf_sources {
	const char *file;
	bool must_exist;     /* the file was named explicitly: it is an error if it is missing */
	const char *dropins; /* NULL: none */
	const char *resolv;  /* the source of servers if no key names any */
	const char *gai;     /* gai.conf: how glibc sorts addresses */
	bool is_conf_private;     /* the caller's own: host map and daemon are used only if it names them */
	bool waits;          /* resolv.conf is not read as long as no rule of a name needs it; see struct sm_late */
};

/* What a lookup needs only where it asks DNS, and then seldom. */
struct sm_late {
	struct sm_policies policies; /* the tables by which glibc sorts on this host, of gai.conf */
	struct sm_rule elsewhere;    /* rules.elsewhere, with the servers of the host if it has none of its own */
	struct sm_watch watch;
};

struct sm_conf {
	uint64_t fingerprint; /* of the settings that affect answers; not of resolv.conf */
	/* A file was left out: the fingerprint is not that of the intended configuration, and must not cause answers
	 * to be thrown away. */
	bool is_incomplete;
	bool has_unread;  /* a file exists but cannot be read: the names that it makes ours are not known */
	bool has_unknown; /* the same, or a file was not looked at: the servers that it names are not known */
	struct sm_host_conf host;
	uint32_t n_excepts;
	struct sm_name *excepts; /* of all rules */
	struct sm_pair *pairs;   /* of all filters and preferences */
	uint32_t n_pieces; /* the contents of each file, in order */
	struct sm_piece *pieces;
	char *gai, *resolv; /* paths */
	dev_t root_device;  /* of "/", where these are */
	ino_t root_inode;
	_Atomic(struct sm_late *) late; /* NULL: nobody has needed it yet */
	struct sm_rules rules;
};

/* The sources of this process: `named` (SRVMESH_CONF) replaces the file and the drop-ins; NULL: the default ones. */
struct sm_conf_sources sm_conf_sources(const char *named);

/* `old` is the configuration in force before, or NULL: if a file has an error now, its old contents are used again.
 * `complaints` gets every error. The caller owns *ret and releases it with sm_conf_free. SM_EXHAUSTED: something is
 * lacking in this process or at the moment (memory, a free descriptor, or a file is half written): a later try may
 * succeed; `watch` is empty then. Else it holds the files that were decisive, and is the caller's to end. */
enum sm_status sm_conf_load(const struct sm_conf_sources *sources, const struct sm_conf *old, struct sm_watch *watch,
                            struct sm_complaints *complaints, struct sm_conf **ret) SM_MUST_CHECK;
void sm_conf_free(struct sm_conf *conf);

/* Read when it is first needed; it is the configuration's, and for any thread. After a chroot the files are not read: then there
 * are glibc's own tables, and no servers. NULL: something is lacking, as above. */
const struct sm_late *sm_conf_late(struct sm_conf *conf);
const struct sm_policies *sm_conf_policies(struct sm_conf *conf);

/* sm_watch_look at all files that have been read for this configuration. `conf` may be NULL. */
enum sm_watch_state sm_conf_look(const struct sm_conf *conf, struct sm_watch *watch, int64_t now_ns);
