/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One file, line by line. Reading goes on after an error: the following lines may have more errors, and sections
 * that must be known. */
#include "conf/piece.h"

#include "base/scope.h"
#include "conf/ini.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 4096
#define FIRST_ROOM 4 /* a power of two */
#define ERRORS_MAX 20 /* reported for one file: a file that is no configuration at all has one in every line */
#define NO_SECTION UINT32_MAX
#define PASSED_OVER (UINT32_MAX - 1) /* after a header that does not start a section */

struct reading {
	struct sm_piece *piece;
	struct sm_complaints *complaints;
	uint32_t n_errors, section;
	/* every setting is applied to these to check it */
	struct sm_rule rule;
	struct sm_host_conf host;
};

/* The length of a word as shown in an error, bounded. */
#define SHOWN(length) (int)((length) < 100 ? (length) : 100)

#define COMPLAIN(reading, line, ...)                                                                                     \
	do {                                                                                                             \
		if (has_room_for_error(reading))                                                                         \
			sm_complain((reading)->complaints, SM_COMPLAINT_ERROR, (reading)->piece->path, line, __VA_ARGS__); \
	} while (0)

/* The same for a header: the section that it starts is not known. */
#define COMPLAIN_UNKNOWN(reading, line, ...)                    \
	do {                                                    \
		(reading)->piece->has_unknown = true;           \
		COMPLAIN(reading, line, __VA_ARGS__);           \
	} while (0)

static bool has_room_for_error(struct reading *reading)
{
	reading->piece->is_left_out = true;
	if (reading->n_errors++ < ERRORS_MAX)
		return true;
	if (reading->n_errors == ERRORS_MAX + 1)
		sm_complain(reading->complaints, SM_COMPLAINT_ERROR, reading->piece->path, 0, "and more errors than these %d",
		            ERRORS_MAX);
	return false;
}

/* Room for one more in an array that begins with the sections of a usual file, and doubles. */
static enum sm_status grow(void **array, uint32_t n, size_t size)
{
	void *larger;

	if (n > 0 && (n < FIRST_ROOM || (n & (n - 1)) != 0))
		return SM_OK;
	larger = realloc(*array, (n ? 2 * (size_t)n : FIRST_ROOM) * size);
	if (!larger)
		return SM_EXHAUSTED;
	*array = larger;
	return SM_OK;
}

/* ---- sections */

static bool same_text(const struct sm_ini_line *line, const char *word)
{
	return line->first_length == strlen(word) && memcmp(line->first, word, line->first_length) == 0;
}

static enum sm_status add_section(struct reading *reading, enum sm_section_kind kind, const struct sm_name *name,
                                  uint32_t line)
{
	struct sm_piece *piece = reading->piece;

	for (uint32_t i = 0; i < piece->n_sections; i++) {
		if (piece->sections[i].kind == kind && strcmp(piece->sections[i].name.text, name->text) == 0) {
			reading->section = i;
			return SM_OK;
		}
	}
	if (piece->n_sections == SM_SECTIONS_MAX) {
		COMPLAIN_UNKNOWN(reading, line, "more than %d sections", SM_SECTIONS_MAX);
		return SM_OK;
	}
	if (grow((void **)&piece->sections, piece->n_sections, sizeof(struct sm_section)) != SM_OK)
		return SM_EXHAUSTED;
	piece->sections[piece->n_sections] = (struct sm_section){.kind = kind, .name = *name, .line = line};
	reading->section = piece->n_sections++;
	return SM_OK;
}

static enum sm_status read_section(struct reading *reading, const struct sm_ini_line *line)
{
	static const struct {
		const char *word;
		enum sm_section_kind kind;
		bool is_named;
	} known[] = {
		{"resolver", SM_SECTION_RESOLVER, false}, {"cache", SM_SECTION_CACHE, false},
		{"daemon", SM_SECTION_DAEMON, false},     {"shared", SM_SECTION_SHARED, false},
		{"domain", SM_SECTION_DOMAIN, true},      {"service", SM_SECTION_SERVICE, true},
	};

	reading->section = PASSED_OVER;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct sm_name name = {.length = 0};

		if (!same_text(line, known[i].word))
			continue;
		if (known[i].is_named && sm_name_parse(line->second, line->second_length, &name) != SM_OK)
			COMPLAIN_UNKNOWN(reading, line->line,
			         "[%s]: \"%.*s\" is not a domain name; expected letters, digits, hyphens, "
			         "underscores and dots, such as [%s mesh]",
			         known[i].word, SHOWN(line->second_length), line->second, known[i].word);
		else if (!known[i].is_named && line->second_length > 0)
			COMPLAIN(reading, line->line, "[%s]: expected no name behind it, got \"%.*s\"", known[i].word,
			         SHOWN(line->second_length), line->second);
		else
			return add_section(reading, known[i].kind, &name, line->line);
		return SM_OK;
	}
	COMPLAIN_UNKNOWN(reading, line->line,
	         "[%.*s]: no such section; expected [resolver], [cache], [daemon], [shared], [domain NAME] or "
	         "[service NAME]",
	         SHOWN(line->first_length), line->first);
	return SM_OK;
}

/* ---- settings */

static const char *home_of(const struct sm_key *key)
{
	if (sm_key_belongs(key, SM_SECTION_RESOLVER))
		return "[resolver], [domain NAME] or [service NAME]";
	if (sm_key_belongs(key, SM_SECTION_SERVICE))
		return "[domain NAME] or [service NAME]";
	if (sm_key_belongs(key, SM_SECTION_DOMAIN))
		return "[domain NAME]";
	if (sm_key_belongs(key, SM_SECTION_SHARED))
		return "[shared]";
	return sm_key_belongs(key, SM_SECTION_CACHE) ? "[cache]" : "[daemon]";
}

/* The key of a line, if it is allowed in this section; NULL: the line is not used. "?key" is a key that another version
 * may not know. */
static const struct sm_key *read_key(struct reading *reading, const struct sm_ini_line *line)
{
	bool is_optional = line->first[0] == '?';
	size_t length = line->first_length - is_optional;
	const struct sm_key *key, *nearest;
	char name[64];

	length = length < sizeof(name) ? length : sizeof(name) - 1;
	memcpy(name, line->first + is_optional, length);
	name[length] = '\0';
	key = sm_key_find(name, reading->piece->sections[reading->section].kind);
	if (key && sm_key_belongs(key, reading->piece->sections[reading->section].kind))
		return key;
	nearest = sm_key_nearest(name);
	if (key)
		COMPLAIN(reading, line->line, "%s: not in this section; expected in %s", name, home_of(key));
	else if (!is_optional && nearest)
		COMPLAIN(reading, line->line, "%s: no such key; did you mean %s?", name, sm_key_name(nearest));
	else if (!is_optional)
		COMPLAIN(reading, line->line, "%s: no such key; see srvmesh.conf(5)", name);
	return NULL;
}

static bool is_good_value(struct reading *reading, uint32_t line, const struct sm_key *key, const char *value)
{
	char remedy[SM_REMEDY_MAX];
	enum sm_status status = sm_key_apply(key, value, &reading->rule, &reading->host);

	if (status != SM_OK && sm_key_is_secret(key))
		COMPLAIN(reading, line, "%s: the value is not valid; expected %s", sm_key_name(key), sm_key_expected(key));
	else if (status != SM_OK)
		COMPLAIN(reading, line, "%s: \"%.100s\" is not valid; expected %s%s", sm_key_name(key), value,
		         sm_key_expected(key), sm_key_remedy(key, value, remedy));
	return status == SM_OK;
}

static bool is_first_of_its_kind(struct reading *reading, uint32_t line, const struct sm_key *key)
{
	const struct sm_piece *piece = reading->piece;

	for (uint32_t i = 0; i < piece->n_settings; i++) {
		const struct sm_setting *other = &piece->settings[i];

		if (other->key != key || other->section != reading->section)
			continue;
		COMPLAIN(reading, line, "%s: given twice; expected once, as in line %u", sm_key_name(key), other->line);
		return false;
	}
	return true;
}

static enum sm_status add_setting(struct reading *reading, uint32_t line, const struct sm_key *key, char *value)
{
	struct sm_piece *piece = reading->piece;

	if (grow((void **)&piece->settings, piece->n_settings, sizeof(struct sm_setting)) != SM_OK)
		return SM_EXHAUSTED;
	piece->settings[piece->n_settings++] =
		(struct sm_setting){.key = key, .value = value, .section = reading->section, .line = line};
	return SM_OK;
}

static enum sm_status read_setting(struct reading *reading, const struct sm_ini_line *line)
{
	SM_SCOPE_FREE char *value = NULL;
	const struct sm_key *key = read_key(reading, line);
	enum sm_status status;

	if (!key)
		return SM_OK;
	if (line->second_length > VALUE_MAX || memchr(line->second, '\0', line->second_length)) {
		COMPLAIN(reading, line->line, "%s: the value is not text of at most %d bytes; expected %s", sm_key_name(key),
		         VALUE_MAX, sm_key_expected(key));
		return SM_OK;
	}
	value = strndup(line->second, line->second_length);
	if (!value)
		return SM_EXHAUSTED;
	if (!is_good_value(reading, line->line, key, value) || !is_first_of_its_kind(reading, line->line, key))
		return SM_OK;
	if (reading->piece->n_settings == SM_SETTINGS_MAX) {
		COMPLAIN(reading, line->line, "more than %d keys", SM_SETTINGS_MAX);
		return SM_OK;
	}
	status = add_setting(reading, line->line, key, value);
	if (status == SM_OK)
		value = NULL;
	return status;
}

/* ---- lines */

static enum sm_status read_line(struct reading *reading, const struct sm_ini_line *line)
{
	switch (line->kind) {
	case SM_INI_SECTION:
		return read_section(reading, line);
	case SM_INI_KEY:
		if (reading->section == NO_SECTION)
			COMPLAIN_UNKNOWN(reading, line->line,
			         "%.*s: a key before any section; expected [resolver] or another section above it",
			         SHOWN(line->first_length), line->first);
		return reading->section < PASSED_OVER ? read_setting(reading, line) : SM_OK;
	case SM_INI_OTHER:
		COMPLAIN(reading, line->line, "\"%.*s\": expected a [section] or key = value", SHOWN(line->first_length),
		         line->first);
		if (line->first[0] == '[') {
			reading->section = PASSED_OVER;
			reading->piece->has_unknown = true;
		}
		break;
	case SM_INI_END:
		break;
	}
	return SM_OK;
}

enum sm_status sm_piece_read(struct sm_piece *piece, const char *text, size_t size, struct sm_complaints *complaints)
{
	SM_SCOPE_FREE struct reading *reading = malloc(sizeof(*reading));
	struct sm_ini ini = sm_ini_of(text, size);
	struct sm_ini_line line;
	enum sm_status status = SM_OK;

	if (!reading)
		return SM_EXHAUSTED;
	*reading = (struct reading){.piece = piece, .complaints = complaints, .section = NO_SECTION};
	do {
		line = sm_ini_next(&ini);
		status = read_line(reading, &line);
	} while (status == SM_OK && line.kind != SM_INI_END);
	return status;
}

enum sm_status sm_piece_copy(const struct sm_piece *piece, struct sm_piece *ret)
{
	*ret = (struct sm_piece){.is_left_out = piece->is_left_out, .is_unread = piece->is_unread,
	                         .has_unknown = piece->has_unknown, .is_shadow = piece->is_shadow};
	ret->path = strdup(piece->path);
	ret->sections = malloc(piece->n_sections * sizeof(struct sm_section) + 1);
	ret->settings = malloc(piece->n_settings * sizeof(struct sm_setting) + 1);
	if (!ret->path || !ret->sections || !ret->settings)
		return SM_EXHAUSTED;
	if (piece->n_sections > 0)
		memcpy(ret->sections, piece->sections, piece->n_sections * sizeof(struct sm_section));
	ret->n_sections = piece->n_sections;
	for (; ret->n_settings < piece->n_settings; ret->n_settings++) {
		struct sm_setting *setting = &ret->settings[ret->n_settings];

		*setting = piece->settings[ret->n_settings];
		setting->value = strdup(setting->value);
		if (!setting->value)
			return SM_EXHAUSTED;
	}
	return SM_OK;
}

void sm_piece_clear(struct sm_piece *piece)
{
	for (uint32_t i = 0; i < piece->n_settings; i++)
		free(piece->settings[i].value);
	free(piece->settings);
	free(piece->sections);
	free(piece->path);
	*piece = (struct sm_piece){.path = NULL};
}
