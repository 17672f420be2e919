/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one table of configuration keys: where each may stand, what it takes, its default, where it goes. */
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
};

enum sm_log_level { SM_LOG_ERROR, SM_LOG_WARNING, SM_LOG_INFO, SM_LOG_DEBUG };
enum sm_log_format { SM_LOG_LOGFMT, SM_LOG_JSON };

/* What [cache] and [daemon] say. */
struct sm_host_conf {
	char directory[SM_PATH_MAX + 1]; /* empty: none, by a configuration of the caller's own that names none */
	uint32_t size_kib;
	uint32_t memory_entries;
	uint32_t is_embedded; /* 0 or 1 */

	char socket[SM_PATH_MAX + 1]; /* empty: none, as above */
	uint32_t max_clients;
	uint32_t max_jobs;
	uint32_t quota_percent;
	enum sm_log_level log_level;
	enum sm_log_format log_format;
};

struct sm_key;

/* The rows in the order of the sample configuration; NULL behind the last. */
const struct sm_key *sm_key_at(size_t index);
/* NULL: there is no such key. */
const struct sm_key *sm_key_find(const char *name);
/* The known key that looks most like `name`; NULL if none does. */
const struct sm_key *sm_key_nearest(const char *name);

const char *sm_key_name(const struct sm_key *key);
const char *sm_key_default(const struct sm_key *key);
/* What the key takes, to go behind "expected". */
const char *sm_key_expected(const struct sm_key *key);
/* What may have been meant by a value that is not valid, to go behind what is expected; "": nothing comes to mind. */
#define SM_REMEDY_MAX 96
const char *sm_key_remedy(const struct sm_key *key, const char *value, char text[SM_REMEDY_MAX]);
/* Does the key switch names off? Its "no" holds wherever it stands, and whatever comes later. */
bool sm_key_is_switch(const struct sm_key *key);
/* Does the key say where questions go? */
bool sm_key_is_servers(const struct sm_key *key);
/* Is an answer that was kept before the key was changed another one now? */
bool sm_key_shapes_answers(const struct sm_key *key);
bool sm_key_belongs(const struct sm_key *key, enum sm_section_kind section);

/* Sets what the key sets: something of `rule` or of `host`. SM_INVALID: not what is expected. SM_REFUSED: a valid value, but
 * the work behind this key is not there yet, and so only its default is accepted. Nothing is changed then. */
enum sm_status sm_key_apply(const struct sm_key *key, const char *value, struct sm_rule *rule,
                            struct sm_host_conf *host) SM_MUST_CHECK;

/* Every key's default. */
void sm_keys_defaults(struct sm_rule *ret_rule, struct sm_host_conf *ret_host);
