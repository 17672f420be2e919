/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/bundle.h"

#include "base/scope.h"
#include "cli/talk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define PATIENCE_S 10 /* of a command; events are followed for a second */

static const struct {
	unsigned seconds;
	const char *words[6];
} commands[] = {
	{PATIENCE_S, {"srvmesh", "doctor", NULL}},        {PATIENCE_S, {"srvmesh", "check-config", NULL}},
	{PATIENCE_S, {"srvmesh", "show-config", NULL}},   {PATIENCE_S, {"srvmesh", "status", NULL}},
	{PATIENCE_S, {"srvmesh", "servers", NULL}},       {PATIENCE_S, {"srvmesh", "health", NULL}},
	{PATIENCE_S, {"srvmesh", "cache", "list", NULL}}, {PATIENCE_S, {"srvmesh", "metrics", NULL}},
	{1, {"srvmesh", "monitor", "--last", "256", NULL}},
};

static void put_title(FILE *file, const char *title)
{
	fprintf(file, "\n===== %s\n", title);
}

/* A command of ours, as a process of its own, so that nothing that one of them meets ends the bundle. */
static void put_command(FILE *file, unsigned seconds, const char *const words[])
{
	char title[128] = "";
	pid_t child;

	for (size_t i = 0; words[i]; i++)
		snprintf(title + strlen(title), sizeof(title) - strlen(title), "%s%s", i ? " " : "", words[i]);
	put_title(file, title);
	fflush(file);
	child = fork();
	if (child == 0) {
		dup2(fileno(file), STDOUT_FILENO);
		dup2(fileno(file), STDERR_FILENO);
		alarm(seconds);
		execv("/proc/self/exe", (char *const *)words);
		_exit(EXIT_NO);
	}
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		continue;
	fseek(file, 0, SEEK_END);
}

/* Keys of [shared] name files of secrets; where a secret itself was written by mistake, it stays on this host. */
static void put_line(FILE *file, const char *line)
{
	static const char *const secrets[] = {"password", "key"};
	const char *key = line + strspn(line, " \t?"), *value = strchr(line, '=');

	for (size_t i = 0; value && i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		size_t length = strlen(secrets[i]);

		if (strncmp(key, secrets[i], length) == 0 && key + length + strspn(key + length, " \t") == value &&
		    value[1 + strspn(value + 1, " \t")] != '/') {
			fprintf(file, "%.*s= (left out: no path)\n", (int)(value - line), line);
			return;
		}
	}
	fputs(line, file);
}

static void put_file(FILE *file, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	FILE *source = fd >= 0 ? fdopen(fd, "r") : NULL;
	char *line = NULL;
	size_t room = 0;

	put_title(file, path);
	if (!source)
		fprintf(file, "(%s)\n", strerror(errno));
	while (source && getline(&line, &room, source) > 0)
		put_line(file, line);
	free(line);
	if (source)
		fclose(source);
}

static void put_host(FILE *file)
{
	struct utsname host;

	put_title(file, "host");
	if (uname(&host) == 0)
		fprintf(file, "srvmesh %s on %s %s %s\n", PACKAGE_VERSION, host.sysname, host.release, host.machine);
}

static void put_all(FILE *file)
{
	struct sm_conf *conf = sm_talk_conf();

	put_host(file);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		put_command(file, commands[i].seconds, commands[i].words);
	put_file(file, "/etc/os-release");
	put_file(file, "/etc/nsswitch.conf");
	put_file(file, SM_CONF_RESOLV);
	put_file(file, SM_CONF_GAI);
	for (uint32_t i = 0; i < conf->n_pieces; i++)
		put_file(file, conf->pieces[i].path);
	sm_conf_free(conf);
}

enum exit_code sm_bundle_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_APPEND, 0600);
	FILE *file = fd >= 0 ? fdopen(fd, "a") : NULL;

	if (!file) {
		fprintf(stderr, "srvmesh: %s: %s\n", path, strerror(errno));
		return EXIT_NO;
	}
	put_all(file);
	if (fclose(file) == 0)
		return EXIT_GOOD;
	fprintf(stderr, "srvmesh: %s: %s\n", path, strerror(errno));
	return EXIT_NO;
}
