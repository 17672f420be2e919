/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Merging and building. */
#include "conf/build.h"

#include "base/scope.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* A section, merged from all files that have it. */
struct merged {
	enum sm_section_kind kind;
	struct sm_name name;
	const char *path; /* where it first occurs, */
	uint32_t line;
	bool is_said;        /* by a file that is used */
	bool is_torn;        /* by a file that was left out */
	const char *excepts; /* the last that is written; NULL: none */
	uint32_t excepts_line;
	const char *excepts_path;
	bool has_servers;    /* its own `servers` key says where questions go, even if to the host's servers */
};

struct merging {
	struct sm_conf *conf;
	struct sm_complaints *complaints;
	uint32_t n;
	struct merged *sections;
	bool is_resolver_torn;     /* not all settings of [resolver] are known, */
	bool has_resolver_servers; /* but its servers are */
	bool has_unknown;          /* any section may have settings that are not known */
};

static struct merged *find_section(const struct merging *merging, const struct sm_section *section)
{
	for (uint32_t i = 0; i < merging->n; i++)
		if (merging->sections[i].kind == section->kind &&
		    strcmp(merging->sections[i].name.text, section->name.text) == 0)
			return &merging->sections[i];
	return NULL;
}

static void note_setting(struct merged *merged, const struct sm_piece *piece, const struct sm_setting *setting)
{
	merged->has_servers |= sm_key_is_servers(setting->key);
	if (!sm_key_is_excepts(setting->key))
		return;
	merged->excepts = setting->value;
	merged->excepts_path = piece->path;
	merged->excepts_line = setting->line;
}

static void merge_piece(struct merging *merging, const struct sm_piece *piece)
{
	for (uint32_t i = 0; i < piece->n_sections; i++) {
		const struct sm_section *section = &piece->sections[i];
		struct merged *merged = find_section(merging, section);

		if (!merged && merging->n == SM_SECTIONS_MAX) {
			sm_complain(merging->complaints, SM_COMPLAINT_ERROR, piece->path, section->line,
			            "more than %d sections in all files together; this one is left out", SM_SECTIONS_MAX);
			merging->conf->is_incomplete = merging->has_unknown = true;
			continue;
		}
		if (!merged) {
			merged = &merging->sections[merging->n++];
			*merged = (struct merged){.kind = section->kind, .name = section->name, .path = piece->path,
			                          .line = section->line};
		}
		merged->is_said |= !piece->is_left_out;
		merged->is_torn |= piece->is_left_out && !piece->is_shadow;
		for (uint32_t k = 0; k < piece->n_settings && !piece->is_left_out; k++)
			if (piece->settings[k].section == i)
				note_setting(merged, piece, &piece->settings[k]);
	}
}

static bool counts(const struct sm_piece *piece, const struct sm_setting *setting)
{
	return !piece->is_left_out || sm_key_is_switch(setting->key);
}

/* Applies the settings of one section to the values so far. They were checked when they were read. */
static void apply(const struct merging *merging, const struct merged *merged, struct sm_rule *rule, struct sm_host_conf *host)
{
	for (uint32_t i = 0; i < merging->conf->n_pieces; i++) {
		const struct sm_piece *piece = &merging->conf->pieces[i];

		for (uint32_t k = 0; k < piece->n_settings; k++) {
			const struct sm_setting *setting = &piece->settings[k];
			const struct sm_section *section = &piece->sections[setting->section];
			enum sm_status status = SM_OK;

			if (counts(piece, setting) && section->kind == merged->kind &&
			    strcmp(section->name.text, merged->name.text) == 0)
				status = sm_key_apply(setting->key, setting->value, rule, host);
			(void)status;
		}
	}
}

/* Two files can each be valid but contradict each other: the larger of the two bounds then applies. */
static void check_rule(struct merging *merging, struct sm_rule *rule, const struct merged *merged)
{
	if (rule->min_ttl_ms <= rule->max_ttl_ms)
		return;
	sm_complain(merging->complaints, SM_COMPLAINT_ERROR, merged->path, merged->line,
	            "min_ttl: %ums is above max_ttl, %ums; expected min_ttl at most max_ttl in this section",
	            rule->min_ttl_ms, rule->max_ttl_ms);
	rule->max_ttl_ms = rule->min_ttl_ms;
}

static void apply_general(struct merging *merging)
{
	struct sm_rule *rule = &merging->conf->rules.elsewhere;
	static const enum sm_section_kind kinds[] = {SM_SECTION_RESOLVER, SM_SECTION_CACHE, SM_SECTION_DAEMON,
	                                             SM_SECTION_SHARED};

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		for (uint32_t i = 0; i < merging->n; i++) {
			struct merged *merged = &merging->sections[i];

			if (merged->kind != kinds[k])
				continue;
			apply(merging, merged, rule, &merging->conf->host);
			if (kinds[k] != SM_SECTION_RESOLVER)
				continue;
			merging->is_resolver_torn |= merged->is_torn;
			merging->has_resolver_servers = merged->has_servers;
			check_rule(merging, rule, merged);
		}
	}
}

static void tear(struct sm_rule *rule, bool is_torn)
{
	rule->is_torn = is_torn;
	if (is_torn)
		rule->n_servers = 0;
}

static struct sm_rule *add_rule(struct sm_conf *conf, const struct sm_rule *base, const struct merged *section)
{
	struct sm_rule *rule = &conf->rules.rules[conf->rules.n_rules++];

	*rule = *base;
	rule->name = section->name;
	rule->path = section->path;
	rule->line = section->line;
	return rule;
}

/* May the servers that a section inherits, or those of the host, be the wrong ones? They are right if its own key names
 * servers, or if no setting above it is missing. */
static bool has_lost_servers(const struct merging *merging, const struct merged *section, const struct merged *above)
{
	if (!section->is_said)
		return true;
	if (section->has_servers)
		return false;
	if (section->is_torn || merging->has_unknown)
		return true;
	if (above)
		return has_lost_servers(merging, above, NULL);
	return merging->is_resolver_torn && !merging->has_resolver_servers;
}

/* What is excepted lies below the domain; anything else is a mistake, and of no effect. */
static void add_excepts(struct merging *merging, const struct merged *section, struct sm_rule *rule)
{
	struct sm_conf *conf = merging->conf;
	const char *text = section->excepts;
	struct sm_name *name = &conf->excepts[conf->n_excepts];

	rule->excepts = name;
	while (text && sm_value_name(&text, name) == SM_OK) {
		if (name->length > rule->name.length && sm_name_under(name->text, name->length, &rule->name))
			name++;
		else
			sm_complain(merging->complaints, SM_COMPLAINT_ERROR, section->excepts_path, section->excepts_line,
			            "except: \"%s\" is not below the domain; expected a name that ends with .%s", name->text,
			            rule->name.text);
	}
	rule->n_excepts = (uint32_t)(name - rule->excepts);
	conf->n_excepts += rule->n_excepts;
}

static void build_domains(struct merging *merging)
{
	struct sm_conf *conf = merging->conf;

	for (uint32_t i = 0; i < merging->n; i++) {
		const struct merged *section = &merging->sections[i];
		struct sm_rule *rule;

		if (section->kind != SM_SECTION_DOMAIN)
			continue;
		rule = add_rule(conf, &conf->rules.elsewhere, section);
		rule->domain = section->name;
		rule->is_exact = false;
		apply(merging, section, rule, &conf->host);
		add_excepts(merging, section, rule);
		tear(rule, has_lost_servers(merging, section, NULL));
		check_rule(merging, rule, section);
	}
}

/* A service outside every domain has a domain of its own: {domain} is the part after its first label. */
static struct sm_name domain_of(const struct sm_name *name)
{
	const char *dot = strchr(name->text, '.');
	struct sm_name domain = *name;

	if (dot && sm_name_parse(dot + 1, strlen(dot + 1), &domain) != SM_OK)
		return *name;
	return domain;
}

static const struct merged *section_of(const struct merging *merging, const struct sm_rule *domain)
{
	const struct sm_section wanted = {.kind = SM_SECTION_DOMAIN, .name = domain->name};

	return find_section(merging, &wanted);
}

static void build_services(struct merging *merging)
{
	struct sm_conf *conf = merging->conf;

	for (uint32_t i = 0; i < merging->n; i++) {
		const struct merged *section = &merging->sections[i];
		const struct sm_rule *domain;
		struct sm_rule *rule;

		if (section->kind != SM_SECTION_SERVICE)
			continue;
		/* the services that are there already come behind the domains, and are of other names */
		domain = sm_rules_match(&conf->rules, section->name.text, section->name.length);
		rule = add_rule(conf, domain ? domain : &conf->rules.elsewhere, section);
		rule->is_exact = true;
		rule->n_excepts = 0; /* of the domain, not of this name */
		if (!domain)
			rule->domain = domain_of(&section->name);
		apply(merging, section, rule, &conf->host);
		tear(rule, has_lost_servers(merging, section, domain ? section_of(merging, domain) : NULL));
		check_rule(merging, rule, section);
	}
}

/* ---- the fingerprint */

static uint64_t add_text(uint64_t fingerprint, const char *text)
{
	return XXH3_64bits_withSeed(text, strlen(text) + 1, fingerprint);
}

static uint64_t add_name(uint64_t fingerprint, enum sm_section_kind kind, const struct sm_name *name)
{
	fingerprint = XXH3_64bits_withSeed(&kind, sizeof(kind), fingerprint);
	return add_text(fingerprint, name->text);
}

static uint64_t fingerprint_of(const struct merging *merging)
{
	uint64_t fingerprint = 0;

	for (uint32_t i = 0; i < merging->conf->n_pieces; i++) {
		const struct sm_piece *piece = &merging->conf->pieces[i];

		for (uint32_t k = 0; k < piece->n_settings; k++) {
			const struct sm_setting *setting = &piece->settings[k];
			const struct sm_section *section = &piece->sections[setting->section];

			if (piece->is_left_out || !sm_key_shapes_answers(setting->key))
				continue;
			fingerprint = add_name(fingerprint, section->kind, &section->name);
			fingerprint = add_text(add_text(fingerprint, sm_key_name(setting->key)), setting->value);
		}
	}
	for (uint32_t i = 0; i < merging->n; i++)
		/* a section without keys makes names ours too */
		if (merging->sections[i].is_said && merging->sections[i].name.length > 0)
			fingerprint = add_name(fingerprint, merging->sections[i].kind, &merging->sections[i].name);
	return fingerprint;
}

/* ---- the whole configuration */

static void build(struct merging *merging, bool is_conf_private)
{
	struct sm_conf *conf = merging->conf;

	merging->has_unknown = conf->has_unknown;
	for (uint32_t i = 0; i < conf->n_pieces; i++) {
		merge_piece(merging, &conf->pieces[i]);
		merging->has_unknown |= conf->pieces[i].has_unknown && !conf->pieces[i].is_shadow;
	}
	merging->is_resolver_torn = merging->has_unknown;
	sm_keys_defaults(&conf->rules.elsewhere, &conf->host);
	if (is_conf_private)
		conf->host.directory[0] = conf->host.socket[0] = '\0';
	apply_general(merging);
	tear(&conf->rules.elsewhere, merging->is_resolver_torn && !merging->has_resolver_servers);
	build_domains(merging);
	sm_rules_sort(&conf->rules);
	build_services(merging);
	sm_rules_sort(&conf->rules);
	conf->fingerprint = fingerprint_of(merging);
}

static size_t count_excepts(const struct sm_conf *conf)
{
	size_t n = 0;

	for (uint32_t i = 0; i < conf->n_pieces; i++)
		for (uint32_t k = 0; k < conf->pieces[i].n_settings; k++) {
			const char *text = conf->pieces[i].settings[k].value;
			struct sm_name name;

			while (sm_key_is_excepts(conf->pieces[i].settings[k].key) && sm_value_name(&text, &name) == SM_OK)
				n++;
		}
	return n;
}

enum sm_status sm_conf_build(struct sm_conf *conf, bool is_conf_private, struct sm_complaints *complaints)
{
	SM_SCOPE_FREE struct merged *sections = NULL;
	struct merging merging = {.conf = conf, .complaints = complaints};
	uint32_t n = 0, n_rules = 0;

	for (uint32_t i = 0; i < conf->n_pieces; i++) {
		n += conf->pieces[i].n_sections;
		for (uint32_t k = 0; k < conf->pieces[i].n_sections; k++)
			n_rules += conf->pieces[i].sections[k].kind & (SM_SECTION_DOMAIN | SM_SECTION_SERVICE) ? 1 : 0;
	}
	merging.sections = sections = malloc((n + 1) * sizeof(*sections)); /* at most SM_SECTIONS_MAX of them are used */
	conf->rules.rules = malloc(n_rules * sizeof(struct sm_rule) + 1);
	conf->excepts = malloc((count_excepts(conf) + 1) * sizeof(*conf->excepts)); /* and one to read into */
	if (!sections || !conf->rules.rules || !conf->excepts)
		return SM_EXHAUSTED;
	build(&merging, is_conf_private);
	return SM_OK;
}
