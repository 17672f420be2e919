/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking srvmeshd, at the socket that the configuration names, and reading its tables: lines of fields behind tabs. */
#pragma once

#include "cli/exit.h"
#include "conf/conf.h"
#include "ipc/client.h"

/* The configuration as every process reads it, without complaints; the files are those of SRVMESH_CONF or of the host. To be
 * freed by sm_conf_free. */
struct sm_conf *sm_talk_conf(void);

/* srvmeshd's socket, as every process looks at it (cache/trust.h). SM_REFUSED: there is none. SM_INVALID: it cannot be
 * trusted. */
enum sm_status sm_talk_socket(const struct sm_conf *conf, struct sm_client_socket *ret) SM_MUST_CHECK;
/* Says on stderr that it cannot be trusted. */
void sm_talk_tell_distrust(const struct sm_conf *conf);

/* The text of a reply, with a NUL, to be freed; NULL: there is none, *ret says why, and unless `is_quiet` it is printed. */
char *sm_talk_ask(const struct sm_conf *conf, const struct sm_request *request, bool is_quiet, enum exit_code *ret);
/* The same with the configuration of this host, or the one that the user names; without a reply it prints why. */
char *sm_talk_request(const struct sm_request *request, enum exit_code *ret);
/* The same for a kind of request that has no body. */
char *sm_talk_kind(enum sm_frame_kind kind, enum exit_code *ret);

/* The value of a line "key=value"; "" where there is none. */
void sm_talk_value(const char *text, const char *key, char *ret, size_t size);

/* Splits the next line of *rest, in place, into exactly n fields. false: there is none. Lines with fewer fields are passed over;
 * further fields of a newer daemon are cut off. */
bool sm_talk_line(char **rest, const char *fields[], size_t n);
