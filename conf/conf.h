/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration: files in, one immutable value out, or one error and nothing. srvmesh.conf(5).
 *
 * A key of [resolver] may stand in [domain NAME] and [service NAME], and the most specific wins. Drop-ins come after the
 * file and override it. Without any [domain] or [service] the built-in [domain mesh] stands. */
#pragma once

#include "base/status.h"
#include "conf/keys.h"
#include "conf/watch.h"
#include "mesh/rule.h"

#define SM_CONF_FILE "/etc/srvmesh.conf"
#define SM_CONF_DROPINS "/etc/srvmesh.conf.d"
#define SM_CONF_RESOLV "/etc/resolv.conf"
#define SM_CONF_GAI "/etc/gai.conf"

#define SM_SECTIONS_MAX 1024

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
	struct sm_host_conf host;
};

/* FILE:LINE: KEY: what is wrong; what was expected. */
struct sm_conf_error {
	char text[768];
};

/* The sources of this process: `named` (SRVMESH_CONF) replaces file and drop-ins; NULL for the usual ones. */
struct sm_conf_sources sm_conf_sources(const char *named);

/* SM_OK: *ret is the caller's, to be released by sm_conf_free. SM_INVALID: `error` says why. SM_MEMORY. In every case
 * `watch` holds the files that decided. */
enum sm_status sm_conf_load(const struct sm_conf_sources *sources, struct sm_watch *watch, struct sm_conf **ret,
                            struct sm_conf_error *error) SM_MUST_CHECK;
void sm_conf_free(struct sm_conf *conf);
