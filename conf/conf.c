/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loading: each file becomes a piece, the pieces become rules, and rules without servers get the host's. */
#include "conf/conf.h"

#include "base/path.h"
#include "base/scope.h"
#include "conf/build.h"
#include "conf/file.h"
#include "conf/gaiconf.h"
#include "conf/pairs.h"
#include "conf/resolvconf.h"
#include "conf/rulekey.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct loading {
	const struct sm_conf_sources *sources;
	const struct sm_conf *old;
	struct sm_watch *watch;
	struct sm_complaints *complaints;
	struct sm_conf *conf;
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

/* ---- files */

/* The contents of the file when it could last be used; NULL: not known. */
static const struct sm_piece *old_piece(const struct loading *loading, const char *path)
{
	const struct sm_conf *old = loading->old;

	for (uint32_t i = 0; old && i < old->n_pieces; i++)
		if (!old->pieces[i].is_left_out && strcmp(old->pieces[i].path, path) == 0)
			return &old->pieces[i];
	return NULL;
}

/* For a file that must be left out, its old contents, if known, are used again: they become another piece. */
static enum sm_status keep_old(struct loading *loading, struct sm_piece *piece)
{
	const struct sm_piece *old = old_piece(loading, piece->path);

	if (!old) {
		loading->conf->is_incomplete = true;
		loading->conf->has_unread |= piece->is_unread;
		return SM_OK;
	}
	piece->is_shadow = true;
	return sm_piece_copy(old, &loading->conf->pieces[loading->conf->n_pieces++]);
}

/* Programs of every user read the configuration. A program that cannot read a file does not know which names are
 * ours. */
static void check_mode(struct loading *loading, const char *path, mode_t needed)
{
	struct stat status;

	if (loading->sources->dropins && loading->complaints->hear && stat(path, &status) == 0 &&
	    (status.st_mode & needed) != needed)
		sm_complain(loading->complaints, SM_COMPLAINT_WARNING, path, 0,
		            "mode %04o: programs of other users cannot read it; expected %04o",
		            (unsigned)status.st_mode & 07777, S_ISDIR(status.st_mode) ? 0755U : 0644U);
}

static enum sm_status read_text(struct loading *loading, struct sm_piece *piece)
{
	SM_SCOPE_FREE char *text = NULL;
	size_t size;
	enum sm_status status = sm_watch_read(loading->watch, piece->path, &text, &size);

	if (status == SM_OK) {
		check_mode(loading, piece->path, S_IROTH);
		return sm_piece_read(piece, text, size, loading->complaints);
	}
	if (status == SM_MISS || status == SM_EXHAUSTED)
		return status;
	piece->is_left_out = piece->is_unread = piece->has_unknown = true;
	if (status == SM_FULL)
		sm_complain(loading->complaints, SM_COMPLAINT_ERROR, piece->path, 0, "larger than %u bytes", SM_FILE_MAX);
	else
		sm_complain(loading->complaints, SM_COMPLAINT_ERROR, piece->path, 0,
		            "cannot be read; expected a regular file with permission to read");
	return SM_OK;
}

/* For the file and so many drop-ins; twice, and for all old pieces, because these may have to be kept as well. Each is written
 * when it is begun. */
static enum sm_status make_room(struct loading *loading, size_t n_dropins)
{
	size_t n = 2 * (1 + n_dropins) + (loading->old ? loading->old->n_pieces : 0);
	struct sm_piece *pieces = realloc(loading->conf->pieces, n * sizeof(*pieces));

	if (!pieces)
		return SM_EXHAUSTED;
	loading->conf->pieces = pieces;
	return SM_OK;
}

/* SM_MISS: there is no such file. */
static enum sm_status read_file(struct loading *loading, const char *path)
{
	struct sm_piece *piece = &loading->conf->pieces[loading->conf->n_pieces];
	enum sm_status status;

	*piece = (struct sm_piece){.path = strdup(path)};
	if (!piece->path)
		return SM_EXHAUSTED;
	status = read_text(loading, piece);
	if (status != SM_OK) {
		sm_piece_clear(piece);
		return status;
	}
	loading->conf->n_pieces++;
	return piece->is_left_out ? keep_old(loading, piece) : SM_OK;
}

static bool is_dropin_of(const char *directory, const char *path)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 && path[length] == '/';
}

/* The directory cannot be listed: the drop-ins known so far stay in force. */
static enum sm_status keep_old_dropins(struct loading *loading)
{
	const struct sm_conf *old = loading->old;

	loading->conf->is_incomplete = true;
	loading->conf->has_unknown = !old;
	for (uint32_t i = 0; old && i < old->n_pieces; i++) {
		struct sm_piece *piece = &loading->conf->pieces[loading->conf->n_pieces];

		if (!is_dropin_of(loading->sources->dropins, old->pieces[i].path))
			continue;
		loading->conf->n_pieces++;
		if (sm_piece_copy(&old->pieces[i], piece) != SM_OK)
			return SM_EXHAUSTED;
	}
	return SM_OK;
}

static enum sm_status list_dropins(struct loading *loading, struct sm_dropins *ret)
{
	const char *directory = loading->sources->dropins;
	enum sm_status status = sm_watch_dropins(loading->watch, directory, ret);

	if (status == SM_REFUSED) {
		sm_complain(loading->complaints, SM_COMPLAINT_ERROR, directory, 0,
		            "cannot be listed; expected a directory with permission to read");
		loading->conf->has_unread = true;
		return SM_REFUSED;
	}
	if (status == SM_FULL) {
		sm_complain(loading->complaints, SM_COMPLAINT_ERROR, directory, 0,
		            "more than %d drop-ins; only the first %d are read, in name order", SM_DROPINS_MAX, SM_DROPINS_MAX);
		loading->conf->is_incomplete = loading->conf->has_unknown = true;
	} else if (status != SM_OK) {
		return status;
	}
	check_mode(loading, directory, S_IROTH | S_IXOTH);
	return SM_OK;
}

static enum sm_status read_dropins(struct loading *loading)
{
	struct sm_dropins dropins;
	SM_SCOPE_FREE char (*names)[NAME_MAX + 1] = NULL;
	enum sm_status status = list_dropins(loading, &dropins);

	names = dropins.names;
	if (status == SM_REFUSED)
		return keep_old_dropins(loading);
	if (status != SM_OK || make_room(loading, dropins.n) != SM_OK)
		return SM_EXHAUSTED;
	for (size_t i = 0; i < dropins.n; i++) {
		char path[SM_WATCH_PATH_MAX + NAME_MAX];

		if (!sm_path_join(loading->sources->dropins, names[i], path, sizeof(path)))
			continue; /* nor is there such a path */
		status = read_file(loading, path);
		if (status != SM_OK && status != SM_MISS) /* removed after the listing: counts as never there */
			return status;
	}
	return SM_OK;
}

static enum sm_status read_all(struct loading *loading)
{
	enum sm_status status = read_file(loading, loading->sources->file);

	if (status == SM_MISS && loading->sources->must_exist) {
		sm_complain(loading->complaints, SM_COMPLAINT_ERROR, loading->sources->file, 0, "there is no such file");
		loading->conf->is_incomplete = true;
	}
	if (status != SM_OK && status != SM_MISS)
		return status;
	return loading->sources->dropins ? read_dropins(loading) : SM_OK;
}

/* ---- the host's own files */

static bool takes_hosts_servers(const struct sm_rule *rule)
{
	return rule->n_servers == 0 && !rule->is_torn;
}

static bool has_searched_rule(const struct sm_rules *rules)
{
	for (uint32_t i = 0; i < rules->n_rules; i++)
		if (rules->rules[i].is_searched)
			return true;
	return false;
}

static bool needs_hosts_servers(const struct loading *loading)
{
	const struct sm_rules *rules = &loading->conf->rules;

	for (uint32_t i = 0; i < rules->n_rules; i++)
		if (takes_hosts_servers(&rules->rules[i]))
			return true;
	return !loading->sources->waits && takes_hosts_servers(&rules->elsewhere);
}

static void take_servers(struct sm_rule *rule, const struct sm_rule *host)
{
	if (!takes_hosts_servers(rule))
		return;
	memcpy(rule->servers, host->servers, sizeof(host->servers));
	rule->n_servers = host->n_servers;
}

static void set_transport(struct sm_rule *rule)
{
	for (uint32_t i = 0; i < rule->n_servers; i++)
		rule->servers[i].is_stream |= rule->transport == SM_TRANSPORT_TCP;
}

static enum sm_status read_resolv(struct loading *loading, bool is_searched)
{
	struct sm_rules *rules = &loading->conf->rules;
	SM_SCOPE_FREE char *text = NULL;
	struct sm_rule host = {.n_servers = 0};
	enum sm_status status;
	size_t size;

	status = sm_watch_read(loading->watch, loading->sources->resolv, &text, &size);
	if (status == SM_EXHAUSTED)
		return status;
	if (is_searched && !(rules->search = malloc(sizeof(*rules->search))))
		return SM_EXHAUSTED;
	sm_resolvconf_parse(text ? text : "", &host, rules->search);
	for (uint32_t i = 0; i < rules->n_rules; i++)
		take_servers(&rules->rules[i], &host);
	take_servers(&rules->elsewhere, &host);
	return SM_OK;
}

/* Rules without servers of their own get those of resolv.conf, and rules that are searched its search list. The file is
 * watched only if there are such rules. */
static enum sm_status add_resolv(struct loading *loading)
{
	bool is_searched = has_searched_rule(&loading->conf->rules);

	return is_searched || needs_hosts_servers(loading) ? read_resolv(loading, is_searched) : SM_OK;
}

static void complete_rules(struct sm_rules *rules)
{
	for (uint32_t i = 0; i <= rules->n_rules; i++) {
		struct sm_rule *rule = i < rules->n_rules ? &rules->rules[i] : &rules->elsewhere;

		set_transport(rule);
		sm_rule_set_key(rule);
	}
}

/* ---- the whole configuration */

static enum sm_status load_conf(struct loading *loading)
{
	struct sm_conf *conf = loading->conf;
	enum sm_status status;

	status = make_room(loading, 0);
	if (status == SM_OK)
		status = read_all(loading);
	if (status == SM_OK)
		status = sm_conf_build(conf, loading->sources->is_conf_private, loading->complaints);
	if (status == SM_OK)
		status = sm_pairs_read(conf, loading->watch, loading->complaints);
	if (status == SM_OK)
		status = add_resolv(loading);
	if (status == SM_OK)
		complete_rules(&conf->rules);
	conf->gai = strdup(loading->sources->gai);
	conf->resolv = strdup(loading->sources->resolv);
	conf->root_device = loading->watch->root_device;
	conf->root_inode = loading->watch->root_inode;
	return conf->gai && conf->resolv && !loading->watch->is_incomplete ? status : SM_EXHAUSTED;
}

enum sm_status sm_conf_load(const struct sm_conf_sources *sources, const struct sm_conf *old, struct sm_watch *watch,
                            struct sm_complaints *complaints, struct sm_conf **ret)
{
	struct loading loading = {.sources = sources, .old = old, .watch = watch, .complaints = complaints};
	enum sm_status status;

	sm_watch_begin(watch);
	loading.conf = calloc(1, sizeof(*loading.conf));
	if (!loading.conf)
		return SM_EXHAUSTED;
	status = load_conf(&loading);
	if (status != SM_OK) {
		sm_conf_free(loading.conf);
		sm_watch_end(watch);
		return status;
	}
	*ret = loading.conf;
	return SM_OK;
}

static void free_late(struct sm_late *late)
{
	if (!late)
		return;
	sm_watch_end(&late->watch);
	free(late);
}

void sm_conf_free(struct sm_conf *conf)
{
	if (!conf)
		return;
	for (uint32_t i = 0; i < conf->n_pieces; i++)
		sm_piece_clear(&conf->pieces[i]);
	free(conf->pieces);
	free(conf->rules.rules);
	free(conf->rules.search);
	free(conf->excepts);
	free(conf->pairs);
	free(conf->gai);
	free(conf->resolv);
	free_late(atomic_load(&conf->late));
	free(conf);
}

/* ---- what is read late */

/* It belongs to glibc: we do not report errors in it. */
static enum sm_status read_policies(const struct sm_conf *conf, struct sm_late *late)
{
	SM_SCOPE_FREE char *text = NULL;
	enum sm_status status;
	size_t size;

	if (sm_watch_read(&late->watch, conf->gai, &text, &size) == SM_EXHAUSTED)
		return SM_EXHAUSTED;
	status = sm_gaiconf_parse(text ? text : "", &late->policies);
	return status == SM_FULL ? SM_OK : status;
}

static enum sm_status read_servers(const struct sm_conf *conf, struct sm_late *late)
{
	SM_SCOPE_FREE char *text = NULL;
	struct sm_rule host = {.n_servers = 0};
	size_t size;
	enum sm_status status = sm_watch_read(&late->watch, conf->resolv, &text, &size);

	if (status != SM_OK && status != SM_MISS)
		return status == SM_EXHAUSTED ? SM_EXHAUSTED : SM_OK; /* a sandbox by now: whom it names is not known */
	sm_resolvconf_parse(text ? text : "", &host, NULL);
	take_servers(&late->elsewhere, &host);
	set_transport(&late->elsewhere);
	return SM_OK;
}

static enum sm_status read_late(const struct sm_conf *conf, struct sm_late *late)
{
	enum sm_status status;

	late->elsewhere = conf->rules.elsewhere;
	sm_watch_begin(&late->watch);
	if (late->watch.root_device != conf->root_device || late->watch.root_inode != conf->root_inode)
		return sm_gaiconf_parse("", &late->policies);
	status = read_policies(conf, late);
	if (status == SM_OK && takes_hosts_servers(&late->elsewhere))
		status = read_servers(conf, late);
	return late->watch.is_incomplete ? SM_EXHAUSTED : status;
}

const struct sm_late *sm_conf_late(struct sm_conf *conf)
{
	struct sm_late *late = atomic_load_explicit(&conf->late, memory_order_acquire), *other = NULL;

	if (late)
		return late;
	late = malloc(sizeof(*late));
	if (!late)
		return NULL;
	if (read_late(conf, late) != SM_OK) {
		free_late(late);
		return NULL;
	}
	if (atomic_compare_exchange_strong(&conf->late, &other, late))
		return late;
	free_late(late);
	return other;
}

const struct sm_policies *sm_conf_policies(struct sm_conf *conf)
{
	const struct sm_late *late = sm_conf_late(conf);

	return late ? &late->policies : NULL;
}

enum sm_watch_state sm_conf_look(const struct sm_conf *conf, struct sm_watch *watch, int64_t now_ns)
{
	struct sm_late *late = conf ? atomic_load_explicit(&conf->late, memory_order_acquire) : NULL;
	enum sm_watch_state state = sm_watch_look(watch, now_ns);
	enum sm_watch_state of_late = late ? sm_watch_look(&late->watch, now_ns) : SM_WATCH_SAME;

	return of_late > state ? of_late : state;
}
