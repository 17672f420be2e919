/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh disable and enable: write a drop-in with `enabled = no`, and remove it. Every process follows within about a
 * second. */
#include "cli/commands.h"
#include "cli/talk.h"
#include "cli/terms.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX 1024
#define PATH_SIZE 512
#define NO_SECTION "no [domain] or [service] of this name is configured; srvmesh show-config lists them"

static bool fail(const char *path, const char *why)
{
	fprintf(stderr, "srvmesh: %s: %s\n", path, why);
	return false;
}

static const char *subject(const char *domain)
{
	return domain ? domain : "all names";
}

/* The name in the form used in sections, and the path of our drop-in for it. */
static bool name_dropin(const char *domain, struct sm_name *ret_name, char path[PATH_SIZE])
{
	ret_name->length = 0;
	ret_name->text[0] = '\0';
	if (secure_getenv("SRVMESH_CONF"))
		return fail(secure_getenv("SRVMESH_CONF"), "SRVMESH_CONF replaces all other files: write enabled = no into it");
	if (domain && sm_name_parse(domain, strlen(domain), ret_name) != SM_OK)
		return fail(domain, "not a domain name; expected the name of a [domain NAME] or [service NAME]");
	snprintf(path, PATH_SIZE, domain ? "%s/disabled-%s.conf" : "%s/disabled.conf", SM_CONF_DROPINS, ret_name->text);
	return true;
}

static bool has_section(const struct sm_conf *conf, enum sm_section_kind kind, const struct sm_name *name)
{
	for (uint32_t i = 0; i < conf->n_pieces; i++)
		for (uint32_t k = 0; k < conf->pieces[i].n_sections; k++)
			if (conf->pieces[i].sections[k].kind == kind &&
			    strcmp(conf->pieces[i].sections[k].name.text, name->text) == 0)
				return true;
	return false;
}

static bool is_section(const struct sm_conf *conf, const struct sm_name *name)
{
	return name->length == 0 || has_section(conf, SM_SECTION_DOMAIN, name) || has_section(conf, SM_SECTION_SERVICE, name);
}

static void add_section(char text[TEXT_MAX], const char *kind, const char *name)
{
	size_t used = strlen(text);

	snprintf(text + used, TEXT_MAX - used, "[%s%s%s]\nenabled = no\n", kind, name[0] ? " " : "", name);
}

/* Makes the text of the drop-in; false: there is no section of that name to switch off. */
static bool write_text(const struct sm_conf *conf, const struct sm_name *name, char text[TEXT_MAX])
{
	bool is_domain = has_section(conf, SM_SECTION_DOMAIN, name), is_service = has_section(conf, SM_SECTION_SERVICE, name);

	snprintf(text, TEXT_MAX, "# Written by srvmesh disable; srvmesh enable removes it.\n");
	if (name->length == 0)
		add_section(text, "resolver", "");
	if (name->length > 0 && is_domain)
		add_section(text, "domain", name->text);
	if (name->length > 0 && is_service)
		add_section(text, "service", name->text);
	return name->length == 0 || is_domain || is_service;
}

/* Writes the file completely or not at all. */
static bool put_file(const char *path, const char *text)
{
	char fresh[PATH_SIZE + 8];
	size_t size = strlen(text);
	int fd;

	if (mkdir(SM_CONF_DROPINS, 0755) == 0)
		(void)!chmod(SM_CONF_DROPINS, 0755); /* whatever the umask */
	else if (errno != EEXIST)
		return false;
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return false;
	if (fchmod(fd, 0644) == 0 && write(fd, text, size) == (ssize_t)size && fsync(fd) == 0 && rename(fresh, path) == 0)
		return close(fd) == 0;
	close(fd);
	unlink(fresh);
	return false;
}

static bool is_disabled(const struct sm_conf *conf, const struct sm_name *name)
{
	bool is_off = conf->rules.elsewhere.is_disabled;

	for (uint32_t i = 0; name->length > 0 && i < conf->rules.n_rules; i++)
		is_off |= conf->rules.rules[i].is_disabled && strcmp(conf->rules.rules[i].name.text, name->text) == 0;
	return is_off;
}

/* Is the name off now? A drop-in has no effect if there are more drop-ins than are read. */
static bool has_effect(const struct sm_name *name)
{
	struct sm_conf *conf = sm_talk_conf();
	bool is_good = is_disabled(conf, name);

	sm_conf_free(conf);
	return is_good;
}

static bool switch_off(const char *domain)
{
	char path[PATH_SIZE], text[TEXT_MAX];
	struct sm_conf *conf;
	struct sm_name name;
	bool is_known;

	if (!name_dropin(domain, &name, path))
		return false;
	conf = sm_talk_conf();
	is_known = write_text(conf, &name, text);
	sm_conf_free(conf);
	if (!is_known)
		return fail(name.text, NO_SECTION);
	if (!put_file(path, text))
		return fail(path, strerror(errno));
	if (!has_effect(&name))
		return fail(path, "written, but not read by programs: srvmesh check-config says why");
	if (!sm_terms.is_quiet)
		printf("%s: disabled by %s; running programs follow within two seconds\n", subject(domain), path);
	return true;
}

static bool is_off(const struct sm_piece *piece, const struct sm_setting *setting, const struct sm_name *name)
{
	const struct sm_section *section = &piece->sections[setting->section];

	if (!sm_key_is_switch(setting->key) || strcmp(setting->value, "no") != 0)
		return false;
	return section->kind == SM_SECTION_RESOLVER ||
	       (name->length > 0 && sm_name_under(name->text, name->length, &section->name));
}

/* Names the other files that also switch the name off. */
static bool name_others(const struct sm_conf *conf, const struct sm_name *name)
{
	if (!is_disabled(conf, name))
		return true;
	for (uint32_t i = 0; i < conf->n_pieces; i++) {
		const struct sm_piece *piece = &conf->pieces[i];

		for (uint32_t k = 0; k < piece->n_settings; k++) {
			if (is_off(piece, &piece->settings[k], name))
				fprintf(stderr, "srvmesh: still disabled by %s:%u: enabled = no\n", piece->path,
				        piece->settings[k].line);
		}
	}
	return false;
}

static bool switch_on(const char *domain)
{
	struct sm_conf *conf;
	char path[PATH_SIZE];
	struct sm_name name;
	bool is_on, was_ours;

	if (!name_dropin(domain, &name, path))
		return false;
	was_ours = unlink(path) == 0;
	if (!was_ours && errno != ENOENT)
		return fail(path, strerror(errno));
	conf = sm_talk_conf();
	if (!was_ours && !is_section(conf, &name)) {
		sm_conf_free(conf);
		return fail(name.text, NO_SECTION);
	}
	is_on = name_others(conf, &name);
	sm_conf_free(conf);
	if (is_on && !sm_terms.is_quiet)
		printf("%s: enabled; running programs follow within two seconds\n", subject(domain));
	return is_on;
}

static enum exit_code run_disable(const struct sm_call *call)
{
	return switch_off(call->n_words > 0 ? call->words[0] : NULL) ? EXIT_GOOD : EXIT_NO;
}

static enum exit_code run_enable(const struct sm_call *call)
{
	return switch_on(call->n_words > 0 ? call->words[0] : NULL) ? EXIT_GOOD : EXIT_NO;
}

const struct sm_command sm_command_disable = {
	"disable", "[DOMAIN]", "switch off all names, or those of DOMAIN", false, 0, 1, SM_COMPLETE_SECTIONS, NULL, run_disable,
};

const struct sm_command sm_command_enable = {
	"enable", "[DOMAIN]", "switch them on again", false, 0, 1, SM_COMPLETE_SECTIONS, NULL, run_enable,
};
