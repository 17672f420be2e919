/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of all configuration keys: allowed sections, allowed values, the default, and where the value is stored. */
#pragma once

#include "base/status.h"
#include "conf/value.h"
#include "mesh/rule.h"

enum sm_section_kind {
	SM_SECTION_RESOLVER = 1,
	SM_SECTION_CACHE = 2,
	SM_SECTION_DAEMON = 4,
	SM_SECTION_DOMAIN = 8,
	SM_SECTION_SERVICE = 16,
	SM_SECTION_SHARED = 32,
};

enum sm_log_level { SM_LOG_ERROR, SM_LOG_WARNING, SM_LOG_INFO, SM_LOG_DEBUG };
enum sm_log_format { SM_LOG_LOGFMT, SM_LOG_JSON };

#define SM_ROADS_MAX 4
#define SM_SECRETS_MAX 2
#define SM_WORD_MAX 64

/* Where a store listens: at a local socket, or at an address. */
struct sm_road {
	char path[SM_PATH_MAX + 1]; /* empty: `server` */
	struct sm_server server;
};

/* The settings of [shared]. Files of secrets are named, and not read: processes read this, too. */
struct sm_shared_conf {
	uint32_t n_roads; /* 0: there is no tier */
	struct sm_road roads[SM_ROADS_MAX];
	char username[SM_WORD_MAX + 1];
	char password[SM_PATH_MAX + 1]; /* a file; empty: none */
	uint32_t n_keys;
	char keys[SM_SECRETS_MAX][SM_PATH_MAX + 1]; /* files; the first seals */
	uint32_t is_read_only;                      /* 0 or 1 */
	uint32_t head_start_ms;
	uint32_t timeout_ms;
	char namespace[SM_WORD_MAX + 1];
	char view[SM_WORD_MAX + 1]; /* empty: the servers in force */
};

/* The settings of [cache], [daemon] and [shared]. */
struct sm_host_conf {
	char directory[SM_PATH_MAX + 1]; /* empty: none, because a private configuration names none */
	uint32_t size_kib;
	uint32_t memory_entries;
	uint32_t is_embedded; /* 0 or 1 */
	uint32_t is_persistent; /* 0 or 1 */

	char socket[SM_PATH_MAX + 1]; /* empty: none, as above */
	uint32_t max_clients;
	uint32_t max_jobs;
	uint32_t quota_percent;
	enum sm_log_level log_level;
	enum sm_log_format log_format;
	struct sm_road metrics; /* where scrapers are served; port 0 and no path: nowhere */

	struct sm_shared_conf shared;
};

struct sm_key;

/* The keys in the order of the sample configuration; NULL after the last. */
const struct sm_key *sm_key_at(size_t index);
/* The key of this name; where sections have different ones, that of `section`. NULL: there is no such key. */
const struct sm_key *sm_key_find(const char *name, enum sm_section_kind section);
/* The known key that is most similar to `name`; NULL: none is similar. */
const struct sm_key *sm_key_nearest(const char *name);

const char *sm_key_name(const struct sm_key *key);
const char *sm_key_default(const struct sm_key *key);
/* The values that the key takes, as text to follow the word "expected". */
const char *sm_key_expected(const struct sm_key *key);
/* A suggestion what an invalid value may have meant, as text to follow sm_key_expected; "": there is none. */
#define SM_REMEDY_MAX 160
const char *sm_key_remedy(const struct sm_key *key, const char *value, char text[SM_REMEDY_MAX]);
/* Does the key switch names off? Its "no" applies in whichever file it is, and no later file can override it. */
bool sm_key_is_switch(const struct sm_key *key);
/* Does the key name a file of secrets? Its value is not quoted: it may be the secret itself, by mistake. */
bool sm_key_is_secret(const struct sm_key *key);
/* Does the key name the servers to ask? */
bool sm_key_is_servers(const struct sm_key *key);
/* Is its value a list of pairs? */
bool sm_key_is_pairs(const struct sm_key *key);
/* Does the key name what is not ours below a domain? */
bool sm_key_is_excepts(const struct sm_key *key);
/* Does a change of this key change answers, so that kept answers are no longer right? */
bool sm_key_shapes_answers(const struct sm_key *key);
bool sm_key_belongs(const struct sm_key *key, enum sm_section_kind section);

/* Stores the value in `rule` or in `host`. SM_INVALID: not an allowed value; nothing is changed then. Of pairs only the text is
 * stored, which must live as long as the rule; conf/pairs.c reads it. */
enum sm_status sm_key_apply(const struct sm_key *key, const char *value, struct sm_rule *rule,
                            struct sm_host_conf *host) SM_MUST_CHECK;

/* Sets every key to its default. */
void sm_keys_defaults(struct sm_rule *ret_rule, struct sm_host_conf *ret_host);
