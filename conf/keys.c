/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The key table. Defaults are text, which the parsers of the administrator's values take. What that comes to stands beside it,
 * where it is a number, so that no process has to parse them: a test compares both. */
#include "conf/keys.h"

#include "conf/value.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define ANYWHERE (SM_SECTION_RESOLVER | SM_SECTION_DOMAIN | SM_SECTION_SERVICE)
#define NAMED (SM_SECTION_DOMAIN | SM_SECTION_SERVICE)

/* Up to CHOICE, what is stored is one number. */
enum kind { DURATION, SIZE, COUNT, RATIO, PERCENT, CHOICE, SWITCH, SERVERS, TEMPLATES, LABEL, NAMES, PAIRS, PATH,
            ROADS, DOOR, FILES, FILE_OR_NONE, WORD };

/* One line of the processor's cache, and no pointer that a loader would have to set: each process reads all of them. */
struct sm_key {
	char name[16];
	char fallback[30]; /* the default */
	enum kind kind : 8;
	unsigned sections : 8;
	uint32_t low, high;    /* bounds of numbers, in the unit in which they are stored */
	uint32_t usual;        /* the default, if it is a number or a choice: each process sets them all */
	uint16_t offset;       /* of a uint32_t, or of the first member that the kind sets */
	uint8_t choices;       /* the index of the choice is stored */
	bool is_manner : 1;    /* affects how answers are obtained and given out, not their contents */
	bool may_be_empty : 1;
};
_Static_assert(sizeof(struct sm_key) == 64, "a line of the cache");

#define RULE(field) .offset = offsetof(struct sm_rule, field)
#define HOST(field) .offset = offsetof(struct sm_host_conf, field)
#define SHARED(field) .offset = offsetof(struct sm_host_conf, shared.field)
#define MS_PER_MINUTE 60000
#define UNIX "unix:"
#define TLS "tls://"
#define REDIS_PORT 6379
#define METRICS_PORT 9853
#define MS_PER_DAY 86400000
#define MONTH (30ULL * MS_PER_DAY)
#define A_DURATION(range) "a duration such as 500ms, 2s, 5m, 1h or 1d, " range
#define ONE_MS_TO_A_MINUTE A_DURATION("from 1ms to 1m")
#define A_PATH "an absolute path of at most 100 bytes, without // . or .."
#define SOME_PAIRS "key=value pairs, such as version=2 zone=@/etc/srvmesh.zone, at most "
#define ZERO_TO_30_DAYS A_DURATION("from 0 to 30d")

/* The words to choose from, with a NUL behind each. */
enum choices { NO_CHOICE, FAMILIES, ANSWERS, FALLBACKS, TRANSPORTS, GLUES, ELSEWHERES,
               FILTER_FALLBACKS, SOURCES, HEALTHS, NO_YES, YES_NO, LEVELS, FORMATS };

static const char choices[][64] = {
	[FAMILIES] = "auto\0any\0ipv4\0ipv6\0prefer-ipv4\0prefer-ipv6\0",
	[ANSWERS] = "ordered\0one\0all\0",
	[FALLBACKS] = "address\0none\0",
	[TRANSPORTS] = "udp\0tcp\0",
	[GLUES] = "complete\0never\0",
	[ELSEWHERES] = "ask\0never\0",
	[FILTER_FALLBACKS] = "all\0none\0",
	[SOURCES] = "target\0owner\0",
	[HEALTHS] = "off\0lazy\0tcp\0",
	[NO_YES] = "no\0yes\0",
	[YES_NO] = "yes\0no\0",
	[LEVELS] = "error\0warning\0info\0debug\0",
	[FORMATS] = "logfmt\0json\0",
};

/* In the order of the sample configuration. */
#define KEYS(KEY) \
	KEY("enabled", "yes", "yes or no", SWITCH, ANYWHERE, .choices = YES_NO, RULE(is_disabled), .is_manner = true) \
	KEY("servers", "", \
	    "IP addresses with optional ports, such as 127.0.0.1:8600, [::1]:53 or [fe80::1%eth0]:53, at most 8", \
	    SERVERS, ANYWHERE, RULE(servers), .may_be_empty = true) \
	KEY("timeout", "500ms", ONE_MS_TO_A_MINUTE, DURATION, ANYWHERE, 1, MS_PER_MINUTE, .usual = 500, RULE(timeout_ms), \
	    .is_manner = true) \
	KEY("attempts", "3", "a number from 1 to 16", COUNT, ANYWHERE, 1, 16, .usual = 3, RULE(attempts), .is_manner = true) \
	KEY("backoff", "2.0", "a factor from 1.0 to 10.0", RATIO, ANYWHERE, 1000, 10000, \
	    .usual = 2000, RULE(backoff_permille), \
	    .is_manner = true) \
	KEY("deadline", "3s", ONE_MS_TO_A_MINUTE, DURATION, ANYWHERE, 1, MS_PER_MINUTE, .usual = 3000, RULE(deadline_ms), \
	    .is_manner = true) \
	KEY("family", "auto", "auto, any, ipv4, ipv6, prefer-ipv4 or prefer-ipv6", CHOICE, ANYWHERE, .choices = FAMILIES, \
	    RULE(family)) \
	KEY("transport", "udp", "udp or tcp", CHOICE, ANYWHERE, .choices = TRANSPORTS, RULE(transport)) \
	KEY("glue", "complete", "complete or never", CHOICE, ANYWHERE, .choices = GLUES, RULE(glue)) \
	KEY("answers", "ordered", "ordered, one or all", CHOICE, ANYWHERE, .choices = ANSWERS, RULE(answers)) \
	KEY("max_answers", "8", "a number from 1 to 64", COUNT, ANYWHERE, 1, SM_ANSWERS_MAX, .usual = 8, RULE(max_answers), \
	    .is_manner = true) \
	KEY("fallback", "address", "address or none", CHOICE, ANYWHERE, .choices = FALLBACKS, RULE(fallback)) \
	KEY("elsewhere", "ask", "ask or never", CHOICE, ANYWHERE, .choices = ELSEWHERES, RULE(elsewhere)) \
	KEY("port", "", "a port from 1 to 65535, or nothing", COUNT, ANYWHERE, 1, UINT16_MAX, RULE(port), \
	    .may_be_empty = true) \
	KEY("min_ttl", "1s", ZERO_TO_30_DAYS, DURATION, ANYWHERE, 0, MONTH, .usual = 1000, RULE(min_ttl_ms)) \
	KEY("max_ttl", "1h", ZERO_TO_30_DAYS, DURATION, ANYWHERE, 0, MONTH, .usual = 3600000, RULE(max_ttl_ms)) \
	KEY("negative_ttl", "10s", ZERO_TO_30_DAYS, DURATION, ANYWHERE, 0, MONTH, .usual = 10000, RULE(negative_ttl_ms)) \
	KEY("failure_ttl", "1s", A_DURATION("from 0 to 5m"), DURATION, ANYWHERE, 0, 5 * MS_PER_MINUTE, \
	    .usual = 1000, RULE(failure_ttl_ms), .is_manner = true) \
	KEY("stale", "1d", ZERO_TO_30_DAYS, DURATION, ANYWHERE, 0, MONTH, \
	    .usual = MS_PER_DAY, RULE(stale_ms), .is_manner = true) \
	KEY("stale_after", "500ms", ONE_MS_TO_A_MINUTE, DURATION, ANYWHERE, 1, MS_PER_MINUTE, \
	    .usual = 500, RULE(stale_after_ms), \
	    .is_manner = true) \
	KEY("filter", "", SOME_PAIRS "16", PAIRS, ANYWHERE, .high = SM_PAIRS_MAX, RULE(filter.text), .may_be_empty = true) \
	KEY("prefer", "", SOME_PAIRS "7", PAIRS, ANYWHERE, .high = SM_PREFER_MAX, RULE(prefer.text), .may_be_empty = true) \
	KEY("filter_fallback", "all", "all or none", CHOICE, ANYWHERE, .choices = FILTER_FALLBACKS, \
	    RULE(filter_fallback), .is_manner = true) \
	KEY("metadata", "target", "target or owner", CHOICE, ANYWHERE, .choices = SOURCES, RULE(metadata)) \
	KEY("health", "off", "off, lazy or tcp", CHOICE, ANYWHERE, .choices = HEALTHS, RULE(health), .is_manner = true) \
	KEY("health_interval", "10s", A_DURATION("from 1s to 1h"), DURATION, ANYWHERE, 1000, 60 * MS_PER_MINUTE, \
	    .usual = 10000, RULE(health_interval_ms), .is_manner = true) \
	KEY("health_timeout", "1s", A_DURATION("from 400ms to 1m"), DURATION, ANYWHERE, 400, MS_PER_MINUTE, \
	    .usual = 1000, RULE(health_timeout_ms), .is_manner = true) \
	KEY("health_fall", "2", "a number from 1 to 100", COUNT, ANYWHERE, 1, 100, \
	    .usual = 2, RULE(health_fall), .is_manner = true) \
	KEY("health_rise", "1", "a number from 1 to 100", COUNT, ANYWHERE, 1, 100, \
	    .usual = 1, RULE(health_rise), .is_manner = true) \
	KEY("health_panic", "50%", "a percentage from 0% to 100%", PERCENT, ANYWHERE, 0, 100, \
	    .usual = 50, RULE(health_panic_percent), \
	    .is_manner = true) \
	KEY("directory", "/run/srvmesh", A_PATH, PATH, SM_SECTION_CACHE, HOST(directory)) \
	KEY("size", "64M", "a size such as 64M or 1G, from 1M to 64G", SIZE, SM_SECTION_CACHE, 1 << 10, 1 << 26, \
	    .usual = 64 << 10, HOST(size_kib)) \
	KEY("persist", "yes", "yes or no", CHOICE, SM_SECTION_CACHE, .choices = NO_YES, .usual = 1, HOST(is_persistent)) \
	KEY("memory_entries", "256", "a number from 0 to 65536", COUNT, SM_SECTION_CACHE, 0, 65536, \
	    .usual = 256, HOST(memory_entries)) \
	KEY("embedded", "yes", "yes or no", CHOICE, SM_SECTION_CACHE, .choices = NO_YES, .usual = 1, HOST(is_embedded)) \
	KEY("socket", "/run/srvmesh/socket", A_PATH, PATH, SM_SECTION_DAEMON, HOST(socket)) \
	KEY("max_clients", "4096", "a number from 1 to 65536", COUNT, SM_SECTION_DAEMON, 1, 65536, \
	    .usual = 4096, HOST(max_clients)) \
	KEY("max_jobs", "4096", "a number from 1 to 65536", COUNT, SM_SECTION_DAEMON, 1, 65536, \
	    .usual = 4096, HOST(max_jobs)) \
	KEY("quota", "25%", "a percentage from 1% to 100%", PERCENT, SM_SECTION_DAEMON, 1, 100, \
	    .usual = 25, HOST(quota_percent)) \
	KEY("log_level", "info", "error, warning, info or debug", CHOICE, SM_SECTION_DAEMON, .choices = LEVELS, \
	    .usual = SM_LOG_INFO, HOST(log_level)) \
	KEY("log_format", "logfmt", "logfmt or json", CHOICE, SM_SECTION_DAEMON, .choices = FORMATS, HOST(log_format)) \
	KEY("metrics", "", \
	    "an address of loopback with an optional port, such as 127.0.0.1:9853, or a local socket such as " \
	    "unix:/run/srvmesh/metrics", \
	    DOOR, SM_SECTION_DAEMON, HOST(metrics), .may_be_empty = true) \
	KEY("servers", "", \
	    "addresses with optional ports, such as 10.0.0.9:6379 or [fd00::9]:6379, or a local socket such as " \
	    "unix:/run/redis/redis.sock, at most 4", \
	    ROADS, SM_SECTION_SHARED, .may_be_empty = true) \
	KEY("username", "", "a word of letters, digits, and - _ . : of at most 64 bytes", WORD, SM_SECTION_SHARED, \
	    SHARED(username), .may_be_empty = true) \
	KEY("password", "", A_PATH ", of a file with the password", FILE_OR_NONE, SM_SECTION_SHARED, SHARED(password), \
	    .may_be_empty = true) \
	KEY("key", "", "the paths of one or two files that srvmesh shared-key has made", FILES, SM_SECTION_SHARED, \
	    .may_be_empty = true) \
	KEY("write", "yes", "yes or no", CHOICE, SM_SECTION_SHARED, .choices = YES_NO, SHARED(is_read_only)) \
	KEY("head_start", "10ms", A_DURATION("from 0 to 1s"), DURATION, SM_SECTION_SHARED, 0, 1000, \
	    .usual = 10, SHARED(head_start_ms)) \
	KEY("timeout", "100ms", A_DURATION("from 1ms to 10s"), DURATION, SM_SECTION_SHARED, 1, 10000, \
	    .usual = 100, SHARED(timeout_ms)) \
	KEY("namespace", "srvmesh1", "a word of letters, digits, and - _ . : of at most 64 bytes", WORD, \
	    SM_SECTION_SHARED, SHARED(namespace)) \
	KEY("view", "", "a word of letters, digits, and - _ . : of at most 64 bytes", WORD, SM_SECTION_SHARED, \
	    SHARED(view), .may_be_empty = true) \
	KEY("srv", "_{service}._{proto}.{domain}", \
	    "templates of SRV owners, such as _{service}._{proto}.{domain}, {name} or _{first}._{proto}.{rest}.{domain}, " \
	    "at most 8", \
	    TEMPLATES, NAMED, RULE(templates)) \
	KEY("proto", "tcp", "a protocol label, such as tcp or udp", LABEL, NAMED, RULE(proto)) \
	KEY("except", "", "names below the domain, whole, such as ad.corp.example", NAMES, SM_SECTION_DOMAIN, \
	    .is_manner = true, .may_be_empty = true) \
	KEY("search", "no", "no or yes", CHOICE, SM_SECTION_DOMAIN, .choices = NO_YES, RULE(is_searched), \
	    .is_manner = true)

#define AS_KEY(name, fallback, expected, ...) {name, fallback, __VA_ARGS__},
#define AS_EXPECTED(name, fallback, expected, ...) expected,
#define FITS(name, fallback, expected, ...) \
	_Static_assert(sizeof(name) <= 16 && sizeof(fallback) <= 30 && sizeof(expected) <= 160, "each has its NUL");

KEYS(FITS)

_Alignas(64) static const struct sm_key keys[] = {KEYS(AS_KEY)};
/* What only complaints need stands apart. */
static const char expected[][160] = {KEYS(AS_EXPECTED)};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

const struct sm_key *sm_key_at(size_t index)
{
	return index < N_KEYS ? &keys[index] : NULL;
}

const struct sm_key *sm_key_find(const char *name, enum sm_section_kind section)
{
	const struct sm_key *found = NULL;

	for (size_t i = 0; i < N_KEYS; i++)
		if (keys[i].name[0] == name[0] && strcmp(keys[i].name, name) == 0 &&
		    (!found || sm_key_belongs(&keys[i], section)))
			found = &keys[i];
	return found;
}

/* The edit distance of two words (Levenshtein), for words of up to 31 characters. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[32], size = (unsigned)strlen(b);

	for (unsigned j = 0; j <= size; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= size; j++) {
			unsigned replaced = diagonal + (a[i - 1] != b[j - 1]), least = row[j] + 1;

			diagonal = row[j];
			if (row[j - 1] + 1 < least)
				least = row[j - 1] + 1;
			row[j] = replaced < least ? replaced : least;
		}
	}
	return row[size];
}

const struct sm_key *sm_key_nearest(const char *name)
{
	const struct sm_key *nearest = NULL;
	unsigned least = 4; /* with more than three edits it is a different word */

	for (size_t i = 0; i < N_KEYS; i++) {
		unsigned edits = distance(name, keys[i].name);

		if (edits < least && edits < strlen(keys[i].name)) {
			least = edits;
			nearest = &keys[i];
		}
	}
	return nearest;
}

const char *sm_key_name(const struct sm_key *key)
{
	return key->name;
}

const char *sm_key_default(const struct sm_key *key)
{
	return key->fallback;
}

const char *sm_key_expected(const struct sm_key *key)
{
	return expected[key - keys];
}

const char *sm_key_remedy(const struct sm_key *key, const char *value, char text[SM_REMEDY_MAX])
{
	char word[SM_VALUE_SERVER_MAX + 1], address[INET6_ADDRSTRLEN];
	struct sm_server server;

	text[0] = '\0';
	if (key->kind == ROADS && strstr(value, TLS))
		snprintf(text, SM_REMEDY_MAX, "; " TLS " is not supported yet: take a tunnel, or a local socket");
	while (key->kind == SERVERS && sm_value_word(&value, word, sizeof(word)) == SM_OK) {
		if (!sm_value_is_ambiguous(word, &server))
			continue;
		inet_ntop(AF_INET6, server.address.bytes, address, sizeof(address));
		snprintf(text, SM_REMEDY_MAX, "; write [%s]:%u for a port, or [%s]", address, server.port, word);
		break;
	}
	return text;
}

bool sm_key_is_switch(const struct sm_key *key)
{
	return key->kind == SWITCH;
}

bool sm_key_is_secret(const struct sm_key *key)
{
	return strcmp(key->name, "password") == 0 || strcmp(key->name, "key") == 0;
}

bool sm_key_is_servers(const struct sm_key *key)
{
	return key->kind == SERVERS;
}

bool sm_key_is_pairs(const struct sm_key *key)
{
	return key->kind == PAIRS;
}

bool sm_key_is_excepts(const struct sm_key *key)
{
	return key->kind == NAMES;
}

bool sm_key_shapes_answers(const struct sm_key *key)
{
	return (key->sections & SM_SECTION_DOMAIN) && !key->is_manner;
}

bool sm_key_belongs(const struct sm_key *key, enum sm_section_kind section)
{
	return key->sections & section;
}

static enum sm_status choice_of(const struct sm_key *key, const char *value, uint64_t *ret)
{
	const char *word = choices[key->choices];

	for (uint64_t i = 0; *word; i++, word += strlen(word) + 1) {
		if (strcmp(word, value) == 0) {
			*ret = i;
			return SM_OK;
		}
	}
	return SM_INVALID;
}

static enum sm_status kib_of(const char *value, uint64_t *ret)
{
	enum sm_status status = sm_value_size(value, ret);

	*ret /= 1024;
	return status;
}

/* The kinds of values that are stored as one number. */
static enum sm_status number_of(const struct sm_key *key, const char *value, uint64_t *ret)
{
	switch (key->kind) {
	case DURATION:
		return sm_value_duration(value, ret);
	case SIZE:
		return kib_of(value, ret);
	case COUNT:
		return sm_value_count(value, ret);
	case RATIO:
		return sm_value_ratio(value, ret);
	case PERCENT:
		return sm_value_percent(value, ret);
	case CHOICE:
	case SWITCH:
		return choice_of(key, value, ret);
	case SERVERS:
	case TEMPLATES:
	case LABEL:
	case NAMES:
	case PAIRS:
	case PATH:
	case ROADS:
	case DOOR:
	case FILES:
	case FILE_OR_NONE:
	case WORD:
		break;
	}
	return SM_INVALID;
}

static enum sm_status bounded_number(const struct sm_key *key, const char *value, uint64_t *ret)
{
	uint64_t number = 0;

	if (value[0] != '\0' && number_of(key, value, &number) != SM_OK)
		return SM_INVALID;
	if (value[0] != '\0' && !key->choices && (number < key->low || number > key->high))
		return SM_INVALID;
	*ret = number;
	return SM_OK;
}

static bool is_number(const struct sm_key *key)
{
	return key->kind <= CHOICE;
}

static void store_number(const struct sm_key *key, uint32_t number, void *base)
{
	memcpy((char *)base + key->offset, &number, sizeof(number));
}

static void *base_of(const struct sm_key *key, struct sm_rule *rule, struct sm_host_conf *host)
{
	return key->sections & ANYWHERE ? (void *)rule : (void *)host;
}

static enum sm_status apply_number(const struct sm_key *key, const char *value, void *base)
{
	uint64_t number;

	if (bounded_number(key, value, &number) != SM_OK)
		return SM_INVALID;
	store_number(key, (uint32_t)number, base);
	return SM_OK;
}

static enum sm_status apply_switch(const struct sm_key *key, const char *value, struct sm_rule *rule)
{
	uint64_t is_off;

	if (choice_of(key, value, &is_off) != SM_OK)
		return SM_INVALID;
	rule->is_disabled |= is_off;
	return SM_OK;
}

static enum sm_status apply_servers(const char *value, struct sm_rule *rule)
{
	struct sm_server servers[SM_SERVERS_MAX];
	char word[SM_VALUE_SERVER_MAX + 1];
	uint32_t n = 0;

	for (;;) {
		enum sm_status status = sm_value_word(&value, word, sizeof(word));

		if (status == SM_MISS)
			break;
		if (status != SM_OK || n == SM_SERVERS_MAX || sm_value_server(word, &servers[n]) != SM_OK)
			return SM_INVALID;
		n++;
	}
	memcpy(rule->servers, servers, n * sizeof(servers[0]));
	rule->n_servers = n;
	return SM_OK;
}

static void set_templates(struct sm_rule *rule, const char *value, uint32_t n)
{
	rule->templates = value;
	rule->n_templates = n;
}

static enum sm_status apply_templates(const char *value, struct sm_rule *rule)
{
	const char *at = value;
	uint32_t n = 0;

	for (;; n++) {
		char word[SM_NAME_MAX + 1];
		enum sm_status status = sm_value_word(&at, word, sizeof(word));

		if (status == SM_MISS)
			break;
		if (status != SM_OK || n == SM_TEMPLATES_MAX || sm_value_template(word) != SM_OK)
			return SM_INVALID;
	}
	if (n == 0)
		return SM_INVALID;
	set_templates(rule, value, n);
	return SM_OK;
}

static enum sm_status apply_label(const char *value, struct sm_rule *rule)
{
	struct sm_name label;

	if (sm_name_parse(value, strlen(value), &label) != SM_OK || strchr(value, '.') || value[0] == '_')
		return SM_INVALID;
	memcpy(rule->proto, label.text, label.length + 1U);
	return SM_OK;
}

/* Checks them; where they are kept is conf/build.c's. */
static enum sm_status check_names(const char *value)
{
	struct sm_name name;
	enum sm_status status;

	while ((status = sm_value_name(&value, &name)) == SM_OK)
		continue;
	return status == SM_MISS ? SM_OK : SM_INVALID;
}

static enum sm_status apply_path(const struct sm_key *key, const char *value, struct sm_host_conf *host)
{
	if (sm_value_path(value) != SM_OK)
		return SM_INVALID;
	memcpy((char *)host + key->offset, value, strlen(value) + 1);
	return SM_OK;
}

/* A path, or a word, or nothing. */
static enum sm_status apply_text(const struct sm_key *key, const char *value, struct sm_host_conf *host)
{
	if (value[0] == '\0') {
		((char *)host)[key->offset] = '\0';
		return SM_OK;
	}
	if (key->kind == WORD && sm_value_identifier(value, SM_WORD_MAX) != SM_OK)
		return SM_INVALID;
	if (key->kind == WORD)
		memcpy((char *)host + key->offset, value, strlen(value) + 1);
	return key->kind == WORD ? SM_OK : apply_path(key, value, host);
}

static enum sm_status road_of(const char *word, uint16_t port, struct sm_road *ret)
{
	bool is_local = strncmp(word, UNIX, strlen(UNIX)) == 0;

	*ret = (struct sm_road){.path = ""};
	if (!is_local)
		return sm_value_server_with(word, port, &ret->server);
	if (sm_value_path(word + strlen(UNIX)) != SM_OK)
		return SM_INVALID;
	memcpy(ret->path, word + strlen(UNIX), strlen(word + strlen(UNIX)) + 1);
	return SM_OK;
}

static enum sm_status apply_roads(const char *value, struct sm_shared_conf *shared)
{
	struct sm_road roads[SM_ROADS_MAX];
	char word[sizeof(UNIX) + SM_PATH_MAX];
	enum sm_status status;
	uint32_t n = 0;

	while ((status = sm_value_word(&value, word, sizeof(word))) == SM_OK)
		if (n == SM_ROADS_MAX || road_of(word, REDIS_PORT, &roads[n++]) != SM_OK)
			return SM_INVALID;
	if (status != SM_MISS)
		return SM_INVALID;
	memcpy(shared->roads, roads, n * sizeof(roads[0]));
	shared->n_roads = n;
	return SM_OK;
}

static bool is_loopback(const struct sm_address *address)
{
	static const uint8_t ipv6[16] = {[15] = 1};

	return address->family == SM_IPV4 ? address->bytes[0] == 127 : memcmp(address->bytes, ipv6, sizeof(ipv6)) == 0;
}

/* Whoever reaches it reads it: so it is for this host alone. */
static enum sm_status apply_door(const char *value, struct sm_road *ret)
{
	struct sm_road door = {.path = ""};

	if (value[0] != '\0' && road_of(value, METRICS_PORT, &door) != SM_OK)
		return SM_INVALID;
	if (value[0] != '\0' && door.path[0] == '\0' && !is_loopback(&door.server.address))
		return SM_INVALID;
	*ret = door;
	return SM_OK;
}

static enum sm_status apply_files(const char *value, struct sm_shared_conf *shared)
{
	char paths[SM_SECRETS_MAX][SM_PATH_MAX + 1], word[SM_PATH_MAX + 1];
	enum sm_status status;
	uint32_t n = 0;

	for (; (status = sm_value_word(&value, word, sizeof(word))) == SM_OK; n++) {
		if (n == SM_SECRETS_MAX || sm_value_path(word) != SM_OK)
			return SM_INVALID;
		memcpy(paths[n], word, sizeof(word));
	}
	if (status != SM_MISS)
		return SM_INVALID;
	memcpy(shared->keys, paths, n * sizeof(paths[0]));
	shared->n_keys = n;
	return SM_OK;
}

/* Checks them, and keeps the text. */
static enum sm_status apply_pairs(const struct sm_key *key, const char *value, struct sm_rule *rule)
{
	const char *text = value;
	struct sm_pair pair;
	uint32_t n = 0;
	enum sm_status status;

	while ((status = sm_value_pair(&text, &pair)) == SM_OK)
		n++;
	if (status != SM_MISS || n > key->high)
		return SM_INVALID;
	memcpy((char *)rule + key->offset, &value, sizeof(value));
	return SM_OK;
}

enum sm_status sm_key_apply(const struct sm_key *key, const char *value, struct sm_rule *rule,
                            struct sm_host_conf *host)
{
	if (value[0] == '\0' && !key->may_be_empty)
		return SM_INVALID;
	switch (key->kind) {
	case SERVERS:
		return apply_servers(value, rule);
	case TEMPLATES:
		return apply_templates(value, rule);
	case LABEL:
		return apply_label(value, rule);
	case NAMES:
		return check_names(value);
	case PAIRS:
		return apply_pairs(key, value, rule);
	case PATH:
		return apply_path(key, value, host);
	case DOOR:
		return apply_door(value, &host->metrics);
	case ROADS:
		return apply_roads(value, &host->shared);
	case FILES:
		return apply_files(value, &host->shared);
	case FILE_OR_NONE:
	case WORD:
		return apply_text(key, value, host);
	case DURATION:
	case SIZE:
	case COUNT:
	case RATIO:
	case PERCENT:
	case CHOICE:
		return apply_number(key, value, base_of(key, rule, host));
	case SWITCH:
		return apply_switch(key, value, rule);
	}
	return SM_INVALID;
}

void sm_keys_defaults(struct sm_rule *ret_rule, struct sm_host_conf *ret_host)
{
	memset(ret_rule, 0, sizeof(*ret_rule));
	memset(ret_host, 0, sizeof(*ret_host));
	for (size_t i = 0; i < N_KEYS; i++) {
		if (is_number(&keys[i]))
			store_number(&keys[i], keys[i].usual, base_of(&keys[i], ret_rule, ret_host));
		else if (keys[i].kind == TEMPLATES)
			set_templates(ret_rule, keys[i].fallback, 1);
		else /* a test checks that every default is accepted, and comes to the same */
			(void)!sm_key_apply(&keys[i], keys[i].fallback, ret_rule, ret_host);
	}
}
