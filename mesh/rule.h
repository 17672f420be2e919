/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the configuration says about a name: a rule applies to a suffix or to one exact name, and the most specific rule
 * wins. Values; a rule set is immutable once it is built, so any thread may read it. */
#pragma once

#include "mesh/answer.h"
#include "mesh/metadata.h"
#include "mesh/name.h"
#include "mesh/rank.h"

#define SM_SERVERS_MAX 8   /* more servers than can be tried within a deadline are useless */
#define SM_TEMPLATES_MAX 8 /* each costs one more round trip */
#define SM_ANSWERS_MAX 64  /* addresses returned to a program; glibc calls connect for each */

enum sm_family_policy {
	SM_FAMILY_AUTO,
	SM_FAMILY_ANY,
	SM_FAMILY_IPV4,
	SM_FAMILY_IPV6,
	SM_FAMILY_PREFER_IPV4,
	SM_FAMILY_PREFER_IPV6,
};

enum sm_answers {
	SM_ANSWERS_ORDERED,
	SM_ANSWERS_ONE,
	SM_ANSWERS_ALL,
};

enum sm_fallback {
	SM_FALLBACK_ADDRESS,
	SM_FALLBACK_NONE,
};

enum sm_elsewhere {
	SM_ELSEWHERE_ASK,
	SM_ELSEWHERE_NEVER,
};

enum sm_glue {
	SM_GLUE_COMPLETE, /* addresses that come with the SRV records are used, and are enough where this host reaches them */
	SM_GLUE_NEVER,    /* all addresses are asked for */
};

enum sm_filter_fallback {
	SM_FILTER_FALLBACK_ALL,
	SM_FILTER_FALLBACK_NONE,
};

enum sm_metadata_source {
	SM_METADATA_OF_TARGET,
	SM_METADATA_OF_OWNER,
};

enum sm_health_mode {
	SM_HEALTH_OFF,
	SM_HEALTH_LAZY, /* probes follow a doubt */
	SM_HEALTH_TCP,  /* probes come at intervals, too */
};

/* Pairs as they are written, and as they are read; both owned by the configuration. */
struct sm_pairs {
	const char *text;
	uint32_t n;
	const struct sm_pair *pairs;
};

enum sm_transport_kind {
	SM_TRANSPORT_UDP, /* and TCP where an answer is truncated */
	SM_TRANSPORT_TCP,
};

#define SM_ZONE_MAX 15 /* bytes of an interface's name (IF_NAMESIZE) */

struct sm_server {
	struct sm_address address;
	char zone[SM_ZONE_MAX + 1]; /* the interface of a link-local address (RFC 4007), by name or number; "": none */
	uint16_t port;
	bool is_stream; /* asked by TCP alone */
};

/* The same address and port? */
bool sm_server_is_at(const struct sm_server *a, const struct sm_server *b);
/* And asked in the same way? */
bool sm_server_equals(const struct sm_server *a, const struct sm_server *b);

struct sm_rule {
	struct sm_name name;   /* the suffix, or the exact name */
	struct sm_name domain; /* what {domain} stands for */
	const char *path;      /* the file that has its section first, owned by the configuration; NULL: it has none */
	uint32_t line;
	bool is_exact;         /* a [service] section */
	bool is_disabled;      /* switched off: the name is not ours */
	uint64_t key;          /* fingerprint: the upper half of what its answers are about, the lower one of all that shapes
	                        * them, the servers included; 0: not known */
	bool is_torn;          /* the text that names its servers cannot be read: it has none, and none is asked */

	uint32_t n_templates;
	const char *templates; /* as they are written, with blanks or commas between; owned by the configuration */
	char proto[SM_LABEL_MAX + 1]; /* what {proto} stands for */
	enum sm_fallback fallback;
	enum sm_elsewhere elsewhere;
	enum sm_glue glue;
	uint32_t is_searched; /* 0 or 1: names are completed by the search list */
	uint32_t n_excepts;
	const struct sm_name *excepts; /* suffixes that are not ours; owned by the configuration */

	uint32_t n_servers;
	struct sm_server servers[SM_SERVERS_MAX];
	enum sm_transport_kind transport; /* as it is written; what counts is is_stream of each server */
	uint32_t timeout_ms;
	uint32_t attempts;
	uint32_t backoff_permille; /* 2000: each further try waits twice as long */
	uint32_t deadline_ms;

	enum sm_family_policy family;
	enum sm_answers answers;
	uint32_t max_answers;
	uint32_t port; /* 0: any */

	struct sm_pairs filter; /* what a target must have, */
	struct sm_pairs prefer; /* and should have, the most important first */
	uint64_t pairs_key;     /* of these pairs; 0: there are none */
	enum sm_filter_fallback filter_fallback;
	enum sm_metadata_source metadata;

	enum sm_health_mode health;
	uint32_t health_interval_ms;
	uint32_t health_timeout_ms;
	uint32_t health_fall;
	uint32_t health_rise;
	uint32_t health_panic_percent;

	uint32_t min_ttl_ms;
	uint32_t max_ttl_ms;
	uint32_t negative_ttl_ms;
	uint32_t failure_ttl_ms;
	uint32_t stale_ms; /* 0: never */
	uint32_t stale_after_ms;
};

#define SM_SEARCH_MAX 32 /* domains of a search list */

/* By which short names are completed (resolv.conf(5)). */
struct sm_search {
	uint32_t ndots; /* a name with so many dots is not short */
	uint32_t n_domains;
	struct sm_name domains[SM_SEARCH_MAX];
};

struct sm_rules {
	struct sm_rule elsewhere; /* for the addresses of targets to which no rule applies */
	uint32_t n_rules;
	struct sm_rule *rules;       /* sorted by sm_rules_sort */
	struct sm_search *search;    /* NULL: no rule is searched */
};

/* Is it one of those that the rule names? */
bool sm_rule_has_server(const struct sm_rule *rule, const struct sm_server *server);

/* Most specific first: longer names before shorter ones, exact before suffix. */
void sm_rules_sort(struct sm_rules *rules);

/* The most specific rule for `text`; NULL: not one of our names, or excepted by that rule. `text` need not be a valid name. */
const struct sm_rule *sm_rules_match(const struct sm_rules *rules, const char *text, size_t length);

/* What a change of the configuration makes of an answer that was made under the rule with this key. */
enum sm_standing_of {
	SM_OF_RULE,       /* it is this rule's */
	SM_OF_OLDER_RULE, /* it may serve where no server can say better */
	SM_OF_OTHER_RULE, /* it is about something else */
};
static inline enum sm_standing_of sm_rule_standing(const struct sm_rule *rule, uint64_t key)
{
	if (key == rule->key)
		return SM_OF_RULE;
	return key == 0 || key >> 32 == rule->key >> 32 ? SM_OF_OLDER_RULE : SM_OF_OTHER_RULE;
}

/* The template of this index. false: there is none. */
bool sm_rule_template(const struct sm_rule *rule, uint32_t index, char ret[SM_NAME_MAX + 1]);

/* The SRV owner that results from `name` and template `index`. A name that is itself an SRV owner has one template:
 * itself. SM_MISS: no such template. SM_INVALID: the result is no valid name (for instance {service} of the suffix
 * itself), or a placeholder has nothing to stand for. */
enum sm_status sm_rule_owner(const struct sm_rule *rule, const struct sm_name *name, uint32_t index,
                             struct sm_name *ret) SM_MUST_CHECK;

/* Completes a short name, which no rule matches, by the search list: from domain *index on, the first that gives a name
 * whose rule is searched. *index becomes that of the next domain. NULL: there is none; the name is not ours. */
const struct sm_rule *sm_rules_search(const struct sm_rules *rules, const char *text, size_t length, uint32_t *index,
                                      struct sm_name *ret);

/* The families that the policy allows to ask for. */
uint8_t sm_rule_families(const struct sm_rule *rule);
/* The one family that the policy demands, or prefers; 0: none. */
static inline uint8_t sm_rule_preferred_family(const struct sm_rule *rule)
{
	switch (rule->family) {
	case SM_FAMILY_IPV4:
	case SM_FAMILY_PREFER_IPV4:
		return SM_IPV4;
	case SM_FAMILY_IPV6:
	case SM_FAMILY_PREFER_IPV6:
		return SM_IPV6;
	case SM_FAMILY_AUTO:
	case SM_FAMILY_ANY:
		break;
	}
	return 0;
}

/* Is metadata needed to choose? */
static inline bool sm_rule_wants_metadata(const struct sm_rule *rule)
{
	return rule->pairs_key != 0;
}

/* May servers of `rule` speak for names of `other`, because each of them is one of its servers, too? */
bool sm_rule_speaks_for(const struct sm_rule *rule, const struct sm_rule *other);
