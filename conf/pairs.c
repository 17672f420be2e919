/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/pairs.h"

#include "base/scope.h"
#include "base/span.h"
#include "conf/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The first line of a file. */
struct word {
	char path[SM_PATH_MAX + 1];
	bool is_known;
	bool is_private; /* not everybody can read it */
	size_t length;
	char value[SM_PAIR_MAX + 1];
};

struct reading {
	struct sm_conf *conf;
	struct sm_watch *watch;
	struct sm_complaints *complaints;
	uint32_t n_pairs, n_words;
	struct word words[SM_WORDS_MAX];
};

/* A blank value is none. */
static void take_line(const char *text, struct word *ret)
{
	const char *start = text + sm_span(text, " \t");
	size_t length = sm_span_without(start, "\r\n");

	while (length > 0 && (start[length - 1] == ' ' || start[length - 1] == '\t'))
		length--;
	ret->is_known = length > 0 && length <= SM_PAIR_MAX;
	if (ret->is_known)
		memcpy(ret->value, start, length);
	ret->length = length;
}

static enum sm_status read_word(struct reading *reading, struct word *word)
{
	SM_SCOPE_FREE char *text = NULL;
	struct stat stats;
	size_t size;
	enum sm_status status = sm_watch_read(reading->watch, word->path, &text, &size);

	if (status == SM_EXHAUSTED)
		return status;
	word->is_private = status == SM_OK && stat(word->path, &stats) == 0 && !(stats.st_mode & S_IROTH);
	take_line(text ? text : "", word);
	return SM_OK;
}

/* *ret NULL: there are too many files. */
static enum sm_status find_word(struct reading *reading, const char *path, struct word **ret)
{
	struct word *word = &reading->words[reading->n_words];
	enum sm_status status;

	*ret = NULL;
	for (uint32_t i = 0; i < reading->n_words; i++)
		if (strcmp(reading->words[i].path, path) == 0)
			*ret = &reading->words[i];
	if (*ret || reading->n_words == SM_WORDS_MAX)
		return SM_OK;
	memcpy(word->path, path, strlen(path) + 1);
	status = read_word(reading, word);
	if (status != SM_OK)
		return status;
	reading->n_words++;
	*ret = word;
	return SM_OK;
}

static enum sm_status follow_path(struct reading *reading, const struct sm_piece *piece, const struct sm_setting *setting,
                                  struct sm_pair *pair)
{
	const char *path = sm_value_pair_path(pair);
	struct word *word;
	enum sm_status status = find_word(reading, path, &word);

	if (status != SM_OK)
		return status;
	if (!word || !word->is_known)
		sm_complain(reading->complaints, SM_COMPLAINT_WARNING, piece->path, setting->line,
		            word ? "%s: %s has no value; expected a file that everybody can read, with the value in its first "
		                   "line; until then no target has this pair"
		                 : "%s: %s is not read; expected at most 8 files of values in all sections",
		            sm_key_name(setting->key), path);
	if (word && word->is_private)
		sm_complain(reading->complaints, SM_COMPLAINT_WARNING, piece->path, setting->line,
		            "%s: programs of other users cannot read %s; expected mode 0644", sm_key_name(setting->key), path);
	pair->is_known = word && word->is_known && sm_value_set_pair(pair, word->value, word->length) == SM_OK;
	return SM_OK;
}

static void point_to(struct sm_pairs *pairs, const char *text, uint32_t n, const struct sm_pair *first)
{
	if (pairs->text == text)
		*pairs = (struct sm_pairs){.text = text, .n = n, .pairs = first};
}

/* All rules that the setting applies to have its very text. */
static void point_rules_to(struct sm_rules *rules, const char *text, uint32_t n, const struct sm_pair *first)
{
	for (uint32_t i = 0; i <= rules->n_rules; i++) {
		struct sm_rule *rule = i < rules->n_rules ? &rules->rules[i] : &rules->elsewhere;

		point_to(&rule->filter, text, n, first);
		point_to(&rule->prefer, text, n, first);
	}
}

static enum sm_status read_setting(struct reading *reading, const struct sm_piece *piece, const struct sm_setting *setting)
{
	struct sm_pair *first = reading->conf->pairs + reading->n_pairs, *pair = first;
	const char *text = setting->value;

	for (; sm_value_pair(&text, pair) == SM_OK; pair++) {
		enum sm_status status = sm_value_pair_path(pair) ? follow_path(reading, piece, setting, pair) : SM_OK;

		if (status != SM_OK)
			return status;
	}
	point_rules_to(&reading->conf->rules, setting->value, (uint32_t)(pair - first), first);
	reading->n_pairs += (uint32_t)(pair - first);
	return SM_OK;
}

/* Enough for all of them, and one to read into. */
static enum sm_status make_room(struct sm_conf *conf)
{
	size_t n = 0;

	for (uint32_t i = 0; i < conf->n_pieces; i++)
		for (uint32_t k = 0; k < conf->pieces[i].n_settings; k++)
			n += sm_key_is_pairs(conf->pieces[i].settings[k].key) ? SM_PAIRS_MAX : 0;
	conf->pairs = n > 0 ? calloc(n + 1, sizeof(*conf->pairs)) : NULL;
	return n > 0 && !conf->pairs ? SM_EXHAUSTED : SM_OK;
}

static enum sm_status read_piece(struct reading *reading, const struct sm_piece *piece)
{
	enum sm_status status = SM_OK;

	for (uint32_t i = 0; i < piece->n_settings && !piece->is_left_out && status == SM_OK; i++)
		if (sm_key_is_pairs(piece->settings[i].key))
			status = read_setting(reading, piece, &piece->settings[i]);
	return status;
}

/* A file's word counts as it is now: what was judged by another one is judged again. */
static uint64_t add_pairs(uint64_t key, const struct sm_pairs *pairs)
{
	key = XXH3_64bits_withSeed(&pairs->n, sizeof(pairs->n), key);
	for (uint32_t i = 0; i < pairs->n; i++)
		key = XXH3_64bits_withSeed(pairs->pairs[i].text, pairs->pairs[i].length, key + pairs->pairs[i].is_known);
	return key;
}

static void set_keys(struct sm_rules *rules)
{
	for (uint32_t i = 0; i <= rules->n_rules; i++) {
		struct sm_rule *rule = i < rules->n_rules ? &rules->rules[i] : &rules->elsewhere;

		if (rule->filter.n > 0 || rule->prefer.n > 0)
			rule->pairs_key = add_pairs(add_pairs(0, &rule->filter), &rule->prefer) | 1; /* never 0 */
	}
}

enum sm_status sm_pairs_read(struct sm_conf *conf, struct sm_watch *watch, struct sm_complaints *complaints)
{
	SM_SCOPE_FREE struct reading *reading = NULL;
	enum sm_status status = make_room(conf);

	if (status != SM_OK || !conf->pairs)
		return status;
	reading = calloc(1, sizeof(*reading));
	if (!reading)
		return SM_EXHAUSTED;
	reading->conf = conf;
	reading->watch = watch;
	reading->complaints = complaints;
	for (uint32_t i = 0; i < conf->n_pieces && status == SM_OK; i++)
		status = read_piece(reading, &conf->pieces[i]);
	set_keys(&conf->rules);
	return status;
}
