/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading: collect the settings of all files, checking each where it stands; then build the rules from them, from the
 * general to the specific. */
#include "conf/conf.h"

#include "base/scope.h"
#include "conf/file.h"
#include "conf/ini.h"
#include "conf/resolvconf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define VALUE_MAX 4096
#define SETTINGS_MAX 8192

struct section {
	enum sm_section_kind kind;
	struct sm_name name; /* of [domain] and [service] */
	uint32_t file, line; /* where it stands first */
};

struct setting {
	const struct sm_key *key;
	char *value;
	uint32_t section, file, line;
};

struct loader {
	const struct sm_conf_sources *sources;
	struct sm_watch *watch;
	struct sm_conf_error *error;
	uint32_t n_files, n_sections, n_settings;
	char *files[SM_DROPINS_MAX + 1];
	struct section *sections;
	struct setting *settings;
	/* every setting is tried on these where it stands */
	struct sm_rule scratch_rule;
	struct sm_host_conf scratch_host;
};

struct sm_conf_sources sm_conf_sources(const char *named)
{
	return (struct sm_conf_sources){
		.file = named ? named : SM_CONF_FILE,
		.must_exist = named != NULL,
		.dropins = named ? NULL : SM_CONF_DROPINS,
		.resolv = SM_CONF_RESOLV,
		.gai = SM_CONF_GAI,
	};
}

/* Words of a line as they appear in an error, bounded. */
#define SHOWN(length) (int)((length) < 100 ? (length) : 100)

__attribute__((format(printf, 4, 5))) static enum sm_status fail(struct loader *loader, uint32_t file, uint32_t line,
                                                                  const char *format, ...)
{
	size_t size = sizeof(loader->error->text), used;
	va_list arguments;
	int n = line > 0 ? snprintf(loader->error->text, size, "%s:%u: ", loader->files[file], line)
	                 : snprintf(loader->error->text, size, "%s: ", loader->files[file]);

	used = n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
	va_start(arguments, format);
	vsnprintf(loader->error->text + used, size - used, format, arguments);
	va_end(arguments);
	return SM_INVALID;
}

/* Room for one more in an array that doubles. */
static enum sm_status grow(void **array, uint32_t n, size_t size)
{
	void *larger;

	if (n > 0 && (n & (n - 1)) != 0)
		return SM_OK;
	larger = realloc(*array, (n ? 2 * (size_t)n : 1) * size);
	if (!larger)
		return SM_MEMORY;
	*array = larger;
	return SM_OK;
}

static void clear(struct loader *loader)
{
	for (uint32_t i = 0; i < loader->n_settings; i++)
		free(loader->settings[i].value);
	for (uint32_t i = 0; i < loader->n_files; i++)
		free(loader->files[i]);
	free(loader->settings);
	free(loader->sections);
}

static bool same_text(const struct sm_ini_line *line, const char *word)
{
	return line->first_length == strlen(word) && memcmp(line->first, word, line->first_length) == 0;
}

static enum sm_status add_section(struct loader *loader, enum sm_section_kind kind, const struct sm_name *name,
                                  uint32_t line, uint32_t *ret)
{
	uint32_t file = loader->n_files - 1;

	for (uint32_t i = 0; i < loader->n_sections; i++) {
		if (loader->sections[i].kind == kind && strcmp(loader->sections[i].name.text, name->text) == 0) {
			*ret = i;
			return SM_OK;
		}
	}
	if (loader->n_sections == SM_SECTIONS_MAX)
		return fail(loader, file, line, "more than %d sections", SM_SECTIONS_MAX);
	if (grow((void **)&loader->sections, loader->n_sections, sizeof(struct section)) != SM_OK)
		return SM_MEMORY;
	loader->sections[loader->n_sections] = (struct section){.kind = kind, .name = *name, .file = file, .line = line};
	*ret = loader->n_sections++;
	return SM_OK;
}

static enum sm_status read_section(struct loader *loader, const struct sm_ini_line *line, uint32_t *ret)
{
	static const struct {
		const char *word;
		enum sm_section_kind kind;
		bool is_named;
	} known[] = {
		{"resolver", SM_SECTION_RESOLVER, false}, {"cache", SM_SECTION_CACHE, false},
		{"daemon", SM_SECTION_DAEMON, false},     {"domain", SM_SECTION_DOMAIN, true},
		{"service", SM_SECTION_SERVICE, true},
	};
	uint32_t file = loader->n_files - 1;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct sm_name name = {.length = 0};

		if (!same_text(line, known[i].word))
			continue;
		if (known[i].is_named && sm_name_parse(line->second, line->second_length, &name) != SM_OK)
			return fail(loader, file, line->line,
			            "[%s]: \"%.*s\" is not a domain name; expected letters, digits, hyphens, "
			            "underscores and dots, such as [%s mesh]",
			            known[i].word, SHOWN(line->second_length), line->second, known[i].word);
		if (!known[i].is_named && line->second_length > 0)
			return fail(loader, file, line->line, "[%s]: expected no name behind it, got \"%.*s\"",
			            known[i].word, SHOWN(line->second_length), line->second);
		return add_section(loader, known[i].kind, &name, line->line, ret);
	}
	return fail(loader, file, line->line,
	            "[%.*s]: no such section; expected [resolver], [cache], [daemon], [domain NAME] or [service NAME]",
	            SHOWN(line->first_length), line->first);
}

static const char *home_of(const struct sm_key *key)
{
	if (sm_key_belongs(key, SM_SECTION_RESOLVER))
		return "[resolver], [domain NAME] or [service NAME]";
	if (sm_key_belongs(key, SM_SECTION_DOMAIN))
		return "[domain NAME] or [service NAME]";
	return sm_key_belongs(key, SM_SECTION_CACHE) ? "[cache]" : "[daemon]";
}

/* The key of a line, at home in this section. */
static enum sm_status read_key(struct loader *loader, const struct sm_ini_line *line, enum sm_section_kind section,
                               const struct sm_key **ret)
{
	uint32_t file = loader->n_files - 1;
	const struct sm_key *nearest;
	char name[64];

	snprintf(name, sizeof(name), "%.*s", SHOWN(line->first_length), line->first);
	*ret = sm_key_find(name);
	if (!*ret) {
		nearest = sm_key_nearest(name);
		if (nearest)
			return fail(loader, file, line->line, "%s: no such key; did you mean %s?", name,
			            sm_key_name(nearest));
		return fail(loader, file, line->line, "%s: no such key; see srvmesh.conf(5)", name);
	}
	if (!sm_key_belongs(*ret, section))
		return fail(loader, file, line->line, "%s: not in this section; expected in %s", name, home_of(*ret));
	return SM_OK;
}

static enum sm_status check_value(struct loader *loader, uint32_t line, const struct sm_key *key, const char *value)
{
	uint32_t file = loader->n_files - 1;
	enum sm_status status = sm_key_apply(key, value, &loader->scratch_rule, &loader->scratch_host);

	if (status == SM_REFUSED)
		return fail(loader, file, line,
		            "%s: \"%.100s\" is not supported by this version yet; expected the default \"%s\"",
		            sm_key_name(key), value, sm_key_default(key));
	if (status != SM_OK)
		return fail(loader, file, line, "%s: \"%.100s\" is not valid; expected %s", sm_key_name(key), value,
		            sm_key_expected(key));
	return SM_OK;
}

static enum sm_status check_once(struct loader *loader, uint32_t line, const struct sm_key *key, uint32_t section)
{
	uint32_t file = loader->n_files - 1;

	for (uint32_t i = loader->n_settings; i > 0 && loader->settings[i - 1].file == file; i--) {
		const struct setting *other = &loader->settings[i - 1];

		if (other->key == key && other->section == section)
			return fail(loader, file, line, "%s: given twice; expected once, as in line %u", sm_key_name(key),
			            other->line);
	}
	return SM_OK;
}

static enum sm_status read_setting(struct loader *loader, const struct sm_ini_line *line, uint32_t section)
{
	SM_SCOPE_FREE char *value = NULL;
	uint32_t file = loader->n_files - 1;
	const struct sm_key *key;
	enum sm_status status = read_key(loader, line, loader->sections[section].kind, &key);

	if (status != SM_OK)
		return status;
	if (line->second_length > VALUE_MAX || memchr(line->second, '\0', line->second_length))
		return fail(loader, file, line->line, "%s: the value is not text of at most %d bytes; expected %s",
		            sm_key_name(key), VALUE_MAX, sm_key_expected(key));
	value = strndup(line->second, line->second_length);
	if (!value)
		return SM_MEMORY;
	status = check_value(loader, line->line, key, value);
	if (status == SM_OK)
		status = check_once(loader, line->line, key, section);
	if (status == SM_OK && loader->n_settings == SETTINGS_MAX)
		status = fail(loader, file, line->line, "more than %d keys in all", SETTINGS_MAX);
	if (status == SM_OK)
		status = grow((void **)&loader->settings, loader->n_settings, sizeof(struct setting));
	if (status != SM_OK)
		return status;
	loader->settings[loader->n_settings++] =
		(struct setting){.key = key, .value = value, .section = section, .file = file, .line = line->line};
	value = NULL;
	return SM_OK;
}

static enum sm_status read_text(struct loader *loader, const char *text, size_t size)
{
	struct sm_ini ini = sm_ini_of(text, size);
	uint32_t file = loader->n_files - 1, section = UINT32_MAX;

	for (;;) {
		struct sm_ini_line line = sm_ini_next(&ini);
		enum sm_status status = SM_OK;

		switch (line.kind) {
		case SM_INI_END:
			return SM_OK;
		case SM_INI_SECTION:
			status = read_section(loader, &line, &section);
			break;
		case SM_INI_KEY:
			if (section == UINT32_MAX)
				status = fail(loader, file, line.line, "%.*s: a key before any section; expected [resolver] "
				              "or another section above it", SHOWN(line.first_length), line.first);
			else
				status = read_setting(loader, &line, section);
			break;
		case SM_INI_OTHER:
			status = fail(loader, file, line.line, "\"%.*s\": expected a [section] or key = value",
			              SHOWN(line.first_length), line.first);
			break;
		}
		if (status != SM_OK)
			return status;
	}
}

static enum sm_status read_file(struct loader *loader, const char *path, bool must_exist)
{
	SM_SCOPE_FREE char *text = NULL;
	size_t size;
	enum sm_status status;

	sm_watch_add(loader->watch, path);
	loader->files[loader->n_files] = strdup(path);
	if (!loader->files[loader->n_files])
		return SM_MEMORY;
	loader->n_files++;
	status = sm_file_read(path, &text, &size);
	if (status == SM_MISS)
		return must_exist ? fail(loader, loader->n_files - 1, 0, "there is no such file") : SM_OK;
	if (status == SM_FULL)
		return fail(loader, loader->n_files - 1, 0, "larger than %u bytes", SM_FILE_MAX);
	if (status == SM_REFUSED)
		return fail(loader, loader->n_files - 1, 0, "cannot be read; expected a regular file with permission to read");
	return status == SM_OK ? read_text(loader, text, size) : status;
}

static enum sm_status read_dropins(struct loader *loader)
{
	SM_SCOPE_FREE struct sm_dropins *dropins = malloc(sizeof(*dropins));
	enum sm_status status;

	if (!dropins)
		return SM_MEMORY;
	sm_watch_add(loader->watch, loader->sources->dropins);
	status = sm_file_dropins(loader->sources->dropins, dropins);
	if (status == SM_FULL)
		return fail(loader, 0, 0, "more than %d drop-ins in %s", SM_DROPINS_MAX, loader->sources->dropins);
	if (status == SM_REFUSED)
		return fail(loader, 0, 0, "its drop-ins in %s cannot be listed", loader->sources->dropins);
	for (size_t i = 0; status == SM_OK && i < dropins->n; i++) {
		char path[SM_WATCH_PATH_MAX + NAME_MAX];

		snprintf(path, sizeof(path), "%s/%s", loader->sources->dropins, dropins->names[i]);
		status = read_file(loader, path, false); /* removed since it was listed: as if it had been before */
	}
	return status;
}

static enum sm_status read_all(struct loader *loader)
{
	enum sm_status status = read_file(loader, loader->sources->file, loader->sources->must_exist);

	if (status == SM_OK && loader->sources->dropins)
		status = read_dropins(loader);
	return status;
}

/* The settings of one section on top of what is there. They were checked when they were read. */
static void apply(const struct loader *loader, uint32_t section, struct sm_rule *rule, struct sm_host_conf *host)
{
	for (uint32_t i = 0; i < loader->n_settings; i++) {
		const struct setting *setting = &loader->settings[i];
		enum sm_status status = SM_OK;

		if (setting->section == section)
			status = sm_key_apply(setting->key, setting->value, rule, host);
		(void)status;
	}
}

/* Applies the one section of a kind that has no name; NULL: there is none. */
static const struct section *apply_only(const struct loader *loader, enum sm_section_kind kind, struct sm_rule *rule,
                                        struct sm_host_conf *host)
{
	for (uint32_t i = 0; i < loader->n_sections; i++) {
		if (loader->sections[i].kind != kind)
			continue;
		apply(loader, i, rule, host);
		return &loader->sections[i];
	}
	return NULL;
}

static enum sm_status check_rule(struct loader *loader, const struct sm_rule *rule, const struct section *section)
{
	if (rule->min_ttl_ms > rule->max_ttl_ms)
		return fail(loader, section ? section->file : 0, section ? section->line : 0,
		            "min_ttl: %ums is above max_ttl, %ums; expected min_ttl at most max_ttl in this section",
		            rule->min_ttl_ms, rule->max_ttl_ms);
	return SM_OK;
}

static struct sm_rule *add_rule(struct sm_conf *conf, const struct sm_rule *base, const struct sm_name *name)
{
	struct sm_rule *rule = &conf->rules.rules[conf->rules.n_rules++];

	*rule = *base;
	rule->name = *name;
	return rule;
}

static enum sm_status build_domains(struct loader *loader, struct sm_conf *conf)
{
	for (uint32_t i = 0; i < loader->n_sections; i++) {
		const struct section *section = &loader->sections[i];
		enum sm_status status;
		struct sm_rule *rule;

		if (section->kind != SM_SECTION_DOMAIN)
			continue;
		rule = add_rule(conf, &conf->rules.elsewhere, &section->name);
		rule->domain = section->name;
		rule->is_exact = false;
		apply(loader, i, rule, &conf->host);
		status = check_rule(loader, rule, section);
		if (status != SM_OK)
			return status;
	}
	return SM_OK;
}

/* A service outside every domain is its own: {domain} is what stands right of its first label. */
static struct sm_name domain_of(const struct sm_name *name)
{
	const char *dot = strchr(name->text, '.');
	struct sm_name domain = *name;

	if (dot && sm_name_parse(dot + 1, strlen(dot + 1), &domain) != SM_OK)
		return *name;
	return domain;
}

static enum sm_status build_services(struct loader *loader, struct sm_conf *conf)
{
	const struct sm_rules domains = {.n_rules = conf->rules.n_rules, .rules = conf->rules.rules};

	for (uint32_t i = 0; i < loader->n_sections; i++) {
		const struct section *section = &loader->sections[i];
		const struct sm_rule *domain;
		enum sm_status status;
		struct sm_rule *rule;

		if (section->kind != SM_SECTION_SERVICE)
			continue;
		domain = sm_rules_match(&domains, section->name.text, section->name.length);
		rule = add_rule(conf, domain ? domain : &conf->rules.elsewhere, &section->name);
		rule->is_exact = true;
		if (!domain)
			rule->domain = domain_of(&section->name);
		apply(loader, i, rule, &conf->host);
		status = check_rule(loader, rule, section);
		if (status != SM_OK)
			return status;
	}
	return SM_OK;
}

static bool is_empty_of_names(const struct loader *loader)
{
	for (uint32_t i = 0; i < loader->n_sections; i++)
		if (loader->sections[i].kind == SM_SECTION_DOMAIN || loader->sections[i].kind == SM_SECTION_SERVICE)
			return false;
	return true;
}

static enum sm_status build_rules(struct loader *loader, struct sm_conf *conf)
{
	static const struct sm_name mesh = {.length = 4, .text = "mesh"};
	const struct section *resolver;
	enum sm_status status;
	uint32_t section;

	sm_keys_defaults(&conf->rules.elsewhere, &conf->host);
	if (loader->sources->is_private)
		conf->host.directory[0] = conf->host.socket[0] = '\0';
	resolver = apply_only(loader, SM_SECTION_RESOLVER, &conf->rules.elsewhere, &conf->host);
	apply_only(loader, SM_SECTION_CACHE, &conf->rules.elsewhere, &conf->host);
	apply_only(loader, SM_SECTION_DAEMON, &conf->rules.elsewhere, &conf->host);
	status = check_rule(loader, &conf->rules.elsewhere, resolver);
	if (status != SM_OK)
		return status;
	if (is_empty_of_names(loader))
		status = add_section(loader, SM_SECTION_DOMAIN, &mesh, 0, &section);
	if (status == SM_OK)
		status = build_domains(loader, conf);
	sm_rules_sort(&conf->rules);
	if (status == SM_OK)
		status = build_services(loader, conf);
	sm_rules_sort(&conf->rules);
	return status;
}

static uint64_t add_text(uint64_t fingerprint, const char *text)
{
	return XXH3_64bits_withSeed(text, strlen(text) + 1, fingerprint);
}

static uint64_t add_name_of(uint64_t fingerprint, const struct section *section)
{
	fingerprint = XXH3_64bits_withSeed(&section->kind, sizeof(section->kind), fingerprint);
	return add_text(fingerprint, section->name.text);
}

static uint64_t fingerprint_of(const struct loader *loader)
{
	uint64_t fingerprint = 0;

	for (uint32_t i = 0; i < loader->n_settings; i++) {
		const struct setting *setting = &loader->settings[i];
		const struct section *section = &loader->sections[setting->section];

		if (!sm_key_shapes_answers(setting->key))
			continue;
		fingerprint = add_name_of(fingerprint, section);
		fingerprint = add_text(add_text(fingerprint, sm_key_name(setting->key)), setting->value);
	}
	for (uint32_t i = 0; i < loader->n_sections; i++)
		if (loader->sections[i].name.length > 0) /* one without keys makes names ours too */
			fingerprint = add_name_of(fingerprint, &loader->sections[i]);
	return fingerprint;
}

/* Rules that no key gave servers take those of resolv.conf, which is watched only if there are such rules. */
static enum sm_status add_servers(struct loader *loader, struct sm_conf *conf)
{
	SM_SCOPE_FREE char *text = NULL;
	bool is_needed = conf->rules.elsewhere.n_servers == 0;
	struct sm_rule host = {.n_servers = 0};
	size_t size;

	for (uint32_t i = 0; i < conf->rules.n_rules; i++)
		is_needed |= conf->rules.rules[i].n_servers == 0;
	if (!is_needed)
		return SM_OK;
	sm_watch_add(loader->watch, loader->sources->resolv);
	if (sm_file_read(loader->sources->resolv, &text, &size) == SM_MEMORY)
		return SM_MEMORY;
	sm_resolvconf_parse(text ? text : "", &host);
	for (uint32_t i = 0; i <= conf->rules.n_rules; i++) {
		struct sm_rule *rule = i < conf->rules.n_rules ? &conf->rules.rules[i] : &conf->rules.elsewhere;

		if (rule->n_servers > 0)
			continue;
		memcpy(rule->servers, host.servers, sizeof(host.servers));
		rule->n_servers = host.n_servers;
	}
	return SM_OK;
}

/* gai.conf is glibc's: what it cannot use of it is not our error to report. */
static enum sm_status add_policies(struct loader *loader, struct sm_conf *conf)
{
	SM_SCOPE_FREE char *text = NULL;
	enum sm_status status;
	size_t size;

	sm_watch_add(loader->watch, loader->sources->gai);
	if (sm_file_read(loader->sources->gai, &text, &size) == SM_MEMORY)
		return SM_MEMORY;
	status = sm_policies_parse(text ? text : "", &conf->rules.policies);
	return status == SM_FULL ? SM_OK : status;
}

static enum sm_status build(struct loader *loader, struct sm_conf **ret)
{
	struct sm_conf *conf = calloc(1, sizeof(*conf));
	enum sm_status status = SM_MEMORY;

	if (!conf)
		return SM_MEMORY;
	conf->rules.rules = calloc(loader->n_sections + 1, sizeof(struct sm_rule));
	if (conf->rules.rules)
		status = build_rules(loader, conf);
	conf->fingerprint = fingerprint_of(loader);
	if (status == SM_OK)
		status = add_servers(loader, conf);
	if (status == SM_OK)
		status = add_policies(loader, conf);
	if (status != SM_OK) {
		sm_conf_free(conf);
		return status;
	}
	*ret = conf;
	return SM_OK;
}

enum sm_status sm_conf_load(const struct sm_conf_sources *sources, struct sm_watch *watch, struct sm_conf **ret,
                            struct sm_conf_error *error)
{
	struct loader *loader = calloc(1, sizeof(*loader));
	enum sm_status status;

	watch->n = 0;
	if (!loader)
		return SM_MEMORY;
	loader->sources = sources;
	loader->watch = watch;
	loader->error = error;
	sm_keys_defaults(&loader->scratch_rule, &loader->scratch_host);
	status = read_all(loader);
	if (status == SM_OK)
		status = build(loader, ret);
	clear(loader);
	free(loader);
	return status;
}

void sm_conf_free(struct sm_conf *conf)
{
	if (!conf)
		return;
	free(conf->rules.rules);
	free(conf);
}
