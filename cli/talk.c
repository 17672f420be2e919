/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/talk.h"

#include "base/clock.h"
#include "cache/trust.h"
#include "cli/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_WAIT_NS (5 * SM_NS_PER_S)

struct sm_conf *sm_talk_conf(void)
{
	const char *named = secure_getenv("SRVMESH_CONF");
	struct sm_conf_sources sources = sm_conf_sources(named);
	struct sm_complaints nobody = {.hear = NULL};
	struct sm_watch watch;
	struct sm_conf *conf;

	sources.is_conf_private = named != NULL; /* as in a program: the host's map and socket are used only if it names them */
	if (sm_conf_load(&sources, NULL, &watch, &nobody, &conf) != SM_OK)
		sm_no_memory();
	sm_watch_end(&watch);
	return conf;
}

static const char *why_not(enum sm_status status, const struct sm_client_reply *reply)
{
	if (status == SM_SILENT)
		return "does not answer";
	if (status == SM_OK && reply->kind == SM_FRAME_BUSY)
		return "is busy";
	return status == SM_OK || status == SM_CORRUPT ? "is of another release: restart it" : "";
}

static void tell_absence(const char *socket)
{
	if (socket[0] == '\0')
		fputs("srvmesh: no srvmeshd is asked: the configuration names no socket (run = DIR in [daemon])\n", stderr);
	else if (access(socket, W_OK) != 0 && errno == EACCES)
		fprintf(stderr, "srvmesh: srvmeshd's socket %s refuses this user\n", socket);
	else
		fprintf(stderr, "srvmesh: no srvmeshd answers at %s\n", socket);
}

enum sm_status sm_talk_socket(const struct sm_conf *conf, struct sm_client_socket *ret)
{
	const char *path = conf->host.socket;
	enum sm_status status = path[0] ? sm_trust_socket(path, secure_getenv("SRVMESH_CONF") != NULL, &ret->owner) : SM_MISS;

	ret->path = path;
	if (status == SM_MISS)
		return SM_REFUSED;
	return status == SM_OK ? SM_OK : SM_INVALID;
}

void sm_talk_tell_distrust(const struct sm_conf *conf)
{
	fprintf(stderr,
	        "srvmesh: the socket %s is not to be trusted: others can write to its directory or one above it, or another "
	        "user listens there (see SECURITY CONSIDERATIONS in nss_srvmesh(8))\n",
	        conf->host.socket);
}

char *sm_talk_ask(const struct sm_conf *conf, const struct sm_request *request, bool is_quiet, enum exit_code *ret)
{
	int64_t until_ns = sm_clock_now_ns() + ANSWER_WAIT_NS;
	struct sm_client_reply reply = {.kind = SM_FRAME_TEXT};
	struct sm_client_socket socket;
	enum sm_status status = sm_talk_socket(conf, &socket);
	char *text = NULL;
	bool has_sign;

	if (status == SM_OK)
		status = sm_client_ask(&socket, request, until_ns, until_ns, &has_sign, &reply);
	if (status == SM_OK && reply.kind == SM_FRAME_TEXT)
		text = sm_memory(strndup(reply.content, reply.size));
	if (status == SM_OK)
		free(reply.bytes);
	*ret = text ? EXIT_GOOD : EXIT_NO_DAEMON;
	if (text || is_quiet)
		return text;
	if (status == SM_INVALID)
		sm_talk_tell_distrust(conf);
	else if (why_not(status, &reply)[0] != '\0')
		fprintf(stderr, "srvmesh: srvmeshd at %s %s\n", conf->host.socket, why_not(status, &reply));
	else
		tell_absence(conf->host.socket);
	return NULL;
}

char *sm_talk_request(const struct sm_request *request, enum exit_code *ret)
{
	struct sm_conf *conf = sm_talk_conf();
	char *text = sm_talk_ask(conf, request, false, ret);

	sm_conf_free(conf);
	return text;
}

char *sm_talk_kind(enum sm_frame_kind kind, enum exit_code *ret)
{
	const struct sm_request request = {.format = SM_FORMAT, .kind = kind, .level = SM_LEVEL_STAYS};

	return sm_talk_request(&request, ret);
}

void sm_talk_value(const char *text, const char *key, char *ret, size_t size)
{
	size_t length = strlen(key);

	ret[0] = '\0';
	for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (strncmp(line, key, length) == 0 && line[length] == '=') {
			snprintf(ret, size, "%.*s", (int)strcspn(line + length + 1, "\n"), line + length + 1);
			return;
		}
}

bool sm_talk_line(char **rest, const char *fields[], size_t n)
{
	char *line;

	while (*rest && (line = strsep(rest, "\n"))) {
		size_t k = 0;

		for (char *field; k < n && (field = strsep(&line, "\t"));)
			fields[k++] = field;
		if (k == n)
			return true;
	}
	return false;
}
