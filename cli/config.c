/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh check-config, srvmesh show-config: what is wrong, and what each section comes to. */
#include "cli/config.h"

#include "cli/commands.h"
#include "cli/memory.h"
#include "cli/shared.h"
#include "cli/sheet.h"
#include "cli/talk.h"
#include "cli/terms.h"
#include "conf/show.h"
#include "mesh/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- checking */

static void keep_complaint(void *context, enum sm_complaint kind, const char *text)
{
	struct sm_config_check *check = context;

	if (check->n < SM_CONFIG_COMPLAINTS_MAX)
		check->complaints[check->n++] = (struct sm_config_complaint){kind, sm_memory(strdup(text))};
}

void sm_config_check(const char *named, struct sm_config_check *ret)
{
	const struct sm_conf_sources sources = sm_conf_sources(named);

	sm_config_check_sources(&sources, ret);
}

void sm_config_check_sources(const struct sm_conf_sources *sources, struct sm_config_check *ret)
{
	struct sm_complaints complaints = {.hear = keep_complaint, .context = ret};
	struct sm_watch watch;

	*ret = (struct sm_config_check){.sources = *sources};
	if (sm_conf_load(&ret->sources, NULL, &watch, &complaints, &ret->conf) != SM_OK)
		sm_no_memory();
	sm_watch_end(&watch);
	sm_shared_check(&ret->conf->host.shared, &complaints, ret->sources.file);
	ret->n_errors = complaints.n_errors;
}

void sm_config_clear(struct sm_config_check *check)
{
	for (uint32_t i = 0; i < check->n; i++)
		free(check->complaints[i].text);
	sm_conf_free(check->conf);
}

/* ---- check-config */

static void print_server(const struct sm_server *server)
{
	char text[SM_TEXT_ENDPOINT_MAX];

	sm_text_server(server, text);
	printf(" %s", text);
}

/* What leaves targets out. */
static void print_choosing(const struct sm_rule *rule)
{
	static const char *const healths[] = {"off", "lazy", "tcp"};

	if (rule->filter.n > 0)
		printf(", filter %s", rule->filter.text);
	if (rule->prefer.n > 0)
		printf(", prefer %s", rule->prefer.text);
	if (rule->health != SM_HEALTH_OFF)
		printf(", health %s", healths[rule->health]);
}

static void print_rule(const struct sm_rule *rule)
{
	char template[SM_NAME_MAX + 1];

	printf("%s %s: SRV", rule->is_exact ? "service" : "domain", rule->name.text);
	for (uint32_t i = 0; sm_rule_template(rule, i, template); i++)
		printf(" %s", template);
	printf(rule->is_torn ? ", servers unknown because of the errors above: try again" : ", servers");
	for (uint32_t i = 0; i < rule->n_servers; i++)
		print_server(&rule->servers[i]);
	printf(", deadline %ums", rule->deadline_ms);
	print_choosing(rule);
	puts(rule->is_disabled ? ", disabled" : "");
}

static void print_shared(const struct sm_shared_conf *shared)
{
	if (shared->n_roads == 0)
		return;
	fputs("shared:", stdout);
	for (uint32_t i = 0; i < shared->n_roads; i++) {
		if (shared->roads[i].path[0] != '\0')
			printf(" unix:%s", shared->roads[i].path);
		else
			print_server(&shared->roads[i].server);
	}
	for (uint32_t i = 0; i < shared->n_keys; i++)
		printf(", key %s", shared->keys[i]);
	printf(", view %s\n", shared->view[0] != '\0' ? shared->view : "of the servers");
}

static void print_checked(const struct sm_config_check *check, bool is_named)
{
	const struct sm_conf *conf = check->conf;

	for (uint32_t i = 0; i < conf->rules.n_rules && !sm_terms.is_quiet; i++)
		print_rule(&conf->rules.rules[i]);
	if (!sm_terms.is_quiet)
		print_shared(&conf->host.shared);
	if (conf->n_pieces == 0 && !is_named)
		fprintf(stderr, "srvmesh: there is no configuration, neither %s nor a file in %s: no name is ours\n",
		        check->sources.file, check->sources.dropins);
	else if (conf->rules.n_rules == 0)
		fprintf(stderr, "srvmesh: %s: no name is ours; expected a [domain NAME] or [service NAME]\n",
		        check->sources.file);
	if (check->n_errors == 0 && conf->rules.n_rules > 0 && !sm_terms.is_quiet)
		printf("%s: good\n", check->sources.file);
	else if (conf->rules.n_rules > 0 && check->n_errors > 0)
		printf("%s: %u error%s; a file with an error is left out, others apply\n", check->sources.file, check->n_errors,
		       check->n_errors == 1 ? "" : "s");
}

static void write_rule(const struct sm_rule *rule, struct sm_json *json)
{
	char template[SM_NAME_MAX + 1];

	sm_json_begin_object(json, NULL);
	sm_json_text(json, "kind", rule->is_exact ? "service" : "domain");
	sm_json_text(json, "name", rule->name.text);
	sm_json_text(json, "file", rule->path);
	sm_json_number(json, "line", rule->line);
	sm_json_begin_array(json, "srv");
	for (uint32_t i = 0; sm_rule_template(rule, i, template); i++)
		sm_json_text(json, NULL, template);
	sm_json_end_array(json);
	sm_json_begin_array(json, "servers");
	for (uint32_t i = 0; i < rule->n_servers; i++) {
		char text[SM_TEXT_ENDPOINT_MAX];

		sm_text_server(&rule->servers[i], text);
		sm_json_text(json, NULL, text);
	}
	sm_json_end_array(json);
	sm_json_bool(json, "disabled", rule->is_disabled);
	sm_json_end_object(json);
}

static void write_checked(const struct sm_config_check *check, bool is_good)
{
	struct sm_json json = sm_sheet_json();

	sm_json_begin_object(&json, NULL);
	sm_json_text(&json, "file", check->sources.file);
	sm_json_bool(&json, "good", is_good);
	sm_json_number(&json, "errors", check->n_errors);
	sm_json_begin_array(&json, "complaints");
	for (uint32_t i = 0; i < check->n; i++) {
		sm_json_begin_object(&json, NULL);
		sm_json_text(&json, "kind", check->complaints[i].kind == SM_COMPLAINT_WARNING ? "warning" : "error");
		sm_json_text(&json, "text", check->complaints[i].text);
		sm_json_end_object(&json);
	}
	sm_json_end_array(&json);
	sm_json_begin_array(&json, "sections");
	for (uint32_t i = 0; i < check->conf->rules.n_rules; i++)
		write_rule(&check->conf->rules.rules[i], &json);
	sm_json_end_array(&json);
	sm_json_end_object(&json);
	sm_json_end(&json);
}

static enum exit_code run_check(const struct sm_call *call)
{
	const char *named = call->n_words > 0 ? call->words[0] : secure_getenv("SRVMESH_CONF");
	struct sm_config_check check;
	bool is_good;

	sm_config_check(named, &check);
	is_good = check.n_errors == 0 && check.conf->rules.n_rules > 0;
	for (uint32_t i = 0; i < check.n && sm_terms.json == SM_TERMS_TEXT; i++)
		fprintf(stderr, "srvmesh: %s%s\n", check.complaints[i].kind == SM_COMPLAINT_WARNING ? "warning: " : "",
		        check.complaints[i].text);
	if (sm_terms.json != SM_TERMS_TEXT)
		write_checked(&check, is_good);
	else
		print_checked(&check, named);
	sm_config_clear(&check);
	return fflush(stdout) == 0 && is_good ? EXIT_GOOD : EXIT_NO;
}

const struct sm_command sm_command_check_config = {
	"check-config", "[FILE]", "what is wrong with the configuration", false, 0, 1, SM_COMPLETE_FILES, NULL, run_check,
};

/* ---- show-config */

enum { SECTION, KEY, VALUE, FILE_NAME, LINE, FROM, N_COLUMNS };

static const struct sm_column columns[N_COLUMNS] = {
	[SECTION] = {"SECTION", "section", SM_COLUMN_TEXT, false}, [KEY] = {"KEY", "key", SM_COLUMN_TEXT, false},
	[VALUE] = {"VALUE", "value", SM_COLUMN_TEXT, true},        [FILE_NAME] = {NULL, "file", SM_COLUMN_TEXT, false},
	[LINE] = {NULL, "line", SM_COLUMN_NUMBER, false},          [FROM] = {"FROM", NULL, SM_COLUMN_TEXT, false},
};

static const char *kind_word(enum sm_section_kind kind)
{
	switch (kind) {
	case SM_SECTION_RESOLVER:
		return "resolver";
	case SM_SECTION_CACHE:
		return "cache";
	case SM_SECTION_DAEMON:
		return "daemon";
	case SM_SECTION_SHARED:
		return "shared";
	case SM_SECTION_DOMAIN:
		return "domain";
	case SM_SECTION_SERVICE:
		break;
	}
	return "service";
}

/* The servers that are asked where no key names any. */
static void write_servers(const struct sm_rule *rule, char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (uint32_t i = 0; rule && i < rule->n_servers && used < size; i++) {
		char text[SM_TEXT_ENDPOINT_MAX];

		sm_text_server(&rule->servers[i], text);
		used += (size_t)snprintf(ret + used, size - used, "%s%s", i ? " " : "", text);
	}
}

static void add_key(struct sm_sheet *sheet, const struct sm_conf *conf, enum sm_section_kind kind, const struct sm_rule *rule,
                    const struct sm_key *key)
{
	struct sm_shown shown = sm_show_value(conf, kind, rule && rule != &conf->rules.elsewhere ? &rule->name : NULL, key);
	char section[SM_NAME_MAX + 16], from[512] = "default", servers[SM_SERVERS_MAX * SM_TEXT_ENDPOINT_MAX];
	bool is_of_host = sm_key_is_servers(key) && !shown.path && kind != SM_SECTION_SHARED;

	snprintf(section, sizeof(section), rule && rule != &conf->rules.elsewhere ? "%s %s" : "%s", kind_word(kind),
	         rule ? rule->name.text : "");
	if (shown.path)
		snprintf(from, sizeof(from), "%s:%u", shown.path, shown.line);
	else if (is_of_host)
		snprintf(from, sizeof(from), "%s", SM_CONF_RESOLV);
	write_servers(rule, servers, sizeof(servers));
	const struct sm_cell cells[N_COLUMNS] = {
		[SECTION] = sm_cell_text(section),
		[KEY] = sm_cell_text(sm_key_name(key)),
		[VALUE] = sm_cell_text(is_of_host ? servers : shown.value),
		[FILE_NAME] = sm_cell_text(shown.path),
		[LINE] = {.number = shown.line, .is_known = shown.path},
		[FROM] = sm_cell_text(from),
	};

	sm_sheet_row(sheet, cells);
}

static void add_section(struct sm_sheet *sheet, const struct sm_conf *conf, enum sm_section_kind kind, const struct sm_rule *rule)
{
	const struct sm_key *key;

	for (size_t i = 0; (key = sm_key_at(i)); i++)
		if (sm_key_belongs(key, kind))
			add_key(sheet, conf, kind, rule, key);
}

static void add_all(struct sm_sheet *sheet, const struct sm_conf *conf)
{
	add_section(sheet, conf, SM_SECTION_RESOLVER, &conf->rules.elsewhere);
	add_section(sheet, conf, SM_SECTION_CACHE, NULL);
	add_section(sheet, conf, SM_SECTION_DAEMON, NULL);
	add_section(sheet, conf, SM_SECTION_SHARED, NULL);
	for (uint32_t i = 0; i < conf->rules.n_rules; i++)
		add_section(sheet, conf, conf->rules.rules[i].is_exact ? SM_SECTION_SERVICE : SM_SECTION_DOMAIN,
		            &conf->rules.rules[i]);
}

static enum exit_code show(struct sm_sheet *sheet, const struct sm_conf *conf, const char *name)
{
	const struct sm_rule *rule = name ? sm_rules_match(&conf->rules, name, strlen(name)) : NULL;

	if (name && !rule) {
		fprintf(stderr, "srvmesh: %s: not a name of ours: no [domain] or [service] has it\n", name);
		return EXIT_NO;
	}
	if (rule)
		add_section(sheet, conf, rule->is_exact ? SM_SECTION_SERVICE : SM_SECTION_DOMAIN, rule);
	else
		add_all(sheet, conf);
	return sm_sheet_show(sheet) ? EXIT_GOOD : EXIT_NO;
}

static enum exit_code run_show(const struct sm_call *call)
{
	struct sm_conf *conf = sm_talk_conf();
	struct sm_sheet *sheet = sm_sheet_open(columns, N_COLUMNS);
	enum exit_code code = show(sheet, conf, call->n_words > 0 ? call->words[0] : NULL);

	if (conf->has_unread) {
		fputs("srvmesh: a file of the configuration cannot be read: there may be more (srvmesh check-config)\n", stderr);
		code = EXIT_NO;
	}
	sm_sheet_close(sheet);
	sm_conf_free(conf);
	return code;
}

const struct sm_command sm_command_show_config = {
	"show-config", "[NAME]", "what each section comes to, or that of NAME", false, 0, 1, SM_COMPLETE_NAMES, NULL, run_show,
};
