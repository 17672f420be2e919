/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/show.h"

#include <string.h>

/* The last setting of the section counts, and of a switch any "no". false: the section does not have the key. */
static bool take(const struct sm_conf *conf, enum sm_section_kind kind, const char *name, const struct sm_key *key,
                 struct sm_shown *ret)
{
	bool is_found = false, is_off = false;

	for (uint32_t i = 0; i < conf->n_pieces; i++) {
		const struct sm_piece *piece = &conf->pieces[i];

		for (uint32_t k = 0; k < piece->n_settings; k++) {
			const struct sm_setting *setting = &piece->settings[k];
			const struct sm_section *section = &piece->sections[setting->section];

			if (setting->key != key || section->kind != kind || strcmp(section->name.text, name) != 0 || is_off ||
			    (piece->is_left_out && !sm_key_is_switch(key)))
				continue;
			*ret = (struct sm_shown){setting->value, piece->path, setting->line};
			is_off = sm_key_is_switch(key) && strcmp(setting->value, "no") == 0;
			is_found = true;
		}
	}
	return is_found;
}

/* The name of the [domain] that a [service] lies in; NULL: in none. */
static const char *domain_of(const struct sm_conf *conf, const struct sm_name *service)
{
	const struct sm_rule *best = NULL;

	for (uint32_t i = 0; i < conf->rules.n_rules; i++) {
		const struct sm_rule *rule = &conf->rules.rules[i];

		if (!rule->is_exact && sm_name_under(service->text, service->length, &rule->name) &&
		    (!best || rule->name.length > best->name.length))
			best = rule;
	}
	return best ? best->name.text : NULL;
}

static bool is_off(const struct sm_key *key, const struct sm_shown *shown)
{
	return sm_key_is_switch(key) && strcmp(shown->value, "no") == 0;
}

struct sm_shown sm_show_value(const struct sm_conf *conf, enum sm_section_kind kind, const struct sm_name *name,
                              const struct sm_key *key)
{
	struct sm_shown shown = {.value = sm_key_default(key)};
	const char *domain = kind == SM_SECTION_SERVICE ? domain_of(conf, name) : NULL;
	bool inherits = (kind == SM_SECTION_SERVICE || kind == SM_SECTION_DOMAIN) && sm_key_belongs(key, SM_SECTION_RESOLVER);

	if (inherits)
		take(conf, SM_SECTION_RESOLVER, "", key, &shown);
	if (domain && !is_off(key, &shown) && sm_key_belongs(key, SM_SECTION_DOMAIN))
		take(conf, SM_SECTION_DOMAIN, domain, key, &shown);
	if (!is_off(key, &shown))
		take(conf, kind, name ? name->text : "", key, &shown);
	return shown;
}
