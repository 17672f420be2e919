/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh: the command beside the plugin. A plugin has nowhere to complain; this does: check-config reads the
 * configuration as every process does, and says what is wrong with it, or what it comes to; status asks srvmeshd what it
 * counts. */
#include "base/clock.h"
#include "conf/conf.h"
#include "ipc/client.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum exit_code { EXIT_GOOD = 0, EXIT_BAD_CONFIG = 1, EXIT_USAGE = 2, EXIT_NO_DAEMON = 3 };

#define STATUS_WAIT_NS (2 * SM_NS_PER_S)

static const char usage[] = "usage: srvmesh check-config [FILE]   check FILE, or the configuration of this host\n"
                            "       srvmesh status                what srvmeshd counts, a line each\n"
                            "       srvmesh --version\n";

static void print_server(const struct sm_server *server)
{
	char text[INET6_ADDRSTRLEN];
	bool is_ipv4 = server->address.family == SM_IPV4;

	inet_ntop(is_ipv4 ? AF_INET : AF_INET6, server->address.bytes, text, sizeof(text));
	printf(is_ipv4 ? " %s:%u" : " [%s]:%u", text, server->port);
}

static void print_rule(const struct sm_rule *rule)
{
	printf("%s %s: SRV", rule->is_exact ? "service" : "domain", rule->name.text);
	for (uint32_t i = 0; i < rule->n_templates; i++)
		printf(" %s", rule->templates[i]);
	printf(", servers");
	for (uint32_t i = 0; i < rule->n_servers; i++)
		print_server(&rule->servers[i]);
	printf(", deadline %ums\n", rule->deadline_ms);
}

/* The configuration, or a complaint and NULL. */
static struct sm_conf *load(const struct sm_conf_sources *sources)
{
	struct sm_conf_error error;
	struct sm_watch watch;
	struct sm_conf *conf;
	enum sm_status status = sm_conf_load(sources, &watch, &conf, &error);

	if (status == SM_OK)
		return conf;
	fprintf(stderr, "srvmesh: %s\n", status == SM_MEMORY ? "out of memory" : error.text);
	return NULL;
}

static int check_config(const char *named)
{
	struct sm_conf_sources sources = sm_conf_sources(named);
	struct sm_conf *conf = load(&sources);

	if (!conf)
		return EXIT_BAD_CONFIG;
	for (uint32_t i = 0; i < conf->rules.n_rules; i++)
		print_rule(&conf->rules.rules[i]);
	printf("%s: good\n", sources.file);
	sm_conf_free(conf);
	return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_BAD_CONFIG;
}

static int print_status(const char *socket)
{
	const struct sm_request request = {.kind = SM_FRAME_STATUS};
	int64_t until_ns = sm_clock_now_ns() + STATUS_WAIT_NS;
	enum sm_frame_kind kind;
	bool has_sign;
	void *text;
	size_t size;

	if (sm_client_ask(socket, &request, until_ns, until_ns, &has_sign, &kind, &text, &size) != SM_OK) {
		fprintf(stderr, "srvmesh: no srvmeshd answers at %s\n", socket);
		return EXIT_NO_DAEMON;
	}
	if (kind == SM_FRAME_TEXT)
		fwrite(text, 1, size, stdout);
	else
		fprintf(stderr, "srvmesh: srvmeshd at %s is busy\n", socket);
	free(text);
	return kind == SM_FRAME_TEXT && fflush(stdout) == 0 ? EXIT_GOOD : EXIT_NO_DAEMON;
}

static int status(void)
{
	struct sm_conf_sources sources = sm_conf_sources(secure_getenv("SRVMESH_CONF"));
	struct sm_conf *conf = load(&sources);
	int code;

	if (!conf)
		return EXIT_BAD_CONFIG;
	code = print_status(conf->host.socket);
	sm_conf_free(conf);
	return code;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("srvmesh " PACKAGE_VERSION);
		return EXIT_GOOD;
	}
	if ((argc == 2 || argc == 3) && strcmp(argv[1], "check-config") == 0)
		return check_config(argc == 3 ? argv[2] : secure_getenv("SRVMESH_CONF"));
	if (argc == 2 && strcmp(argv[1], "status") == 0)
		return status();
	fputs(usage, stderr);
	return EXIT_USAGE;
}
