/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh: the command for the administrator, because the plugin cannot report errors. check-config reads the
 * configuration as every process does, and prints all errors and the resulting rules; status prints srvmeshd's
 * counters; disable and enable switch names off and on. */
#include "base/clock.h"
#include "cli/switch.h"
#include "conf/conf.h"
#include "ipc/client.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum exit_code { EXIT_GOOD = 0, EXIT_NO = 1, EXIT_USAGE = 2, EXIT_NO_DAEMON = 3 };

#define STATUS_WAIT_NS (2 * SM_NS_PER_S)

static const char usage[] = "usage: srvmesh check-config [FILE]   check FILE, or the configuration of this host\n"
                            "       srvmesh status                print the counters of srvmeshd, one a line\n"
                            "       srvmesh disable [DOMAIN]      switch off all names, or those of DOMAIN\n"
                            "       srvmesh enable [DOMAIN]       switch them on again\n"
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
	printf(rule->is_torn ? ", servers unknown because of the errors above: try again" : ", servers");
	for (uint32_t i = 0; i < rule->n_servers; i++)
		print_server(&rule->servers[i]);
	printf(", deadline %ums%s\n", rule->deadline_ms, rule->is_disabled ? ", disabled" : "");
}

static void print_complaint(void *context, enum sm_complaint kind, const char *text)
{
	(void)context;
	fprintf(stderr, "srvmesh: %s%s\n", kind == SM_COMPLAINT_WARNING ? "warning: " : "", text);
}

static int check_config(const char *named)
{
	const struct sm_conf_sources sources = sm_conf_sources(named);
	struct sm_complaints complaints = {.hear = print_complaint};
	struct sm_watch watch;
	struct sm_conf *conf;
	bool is_good;

	if (sm_conf_load(&sources, NULL, &watch, &complaints, &conf) != SM_OK) {
		fputs("srvmesh: out of memory or descriptors\n", stderr);
		return EXIT_NO;
	}
	for (uint32_t i = 0; i < conf->rules.n_rules; i++)
		print_rule(&conf->rules.rules[i]);
	if (conf->n_pieces == 0 && !named)
		fprintf(stderr, "srvmesh: there is no configuration, neither %s nor a file in %s: no name is ours\n",
		        sources.file, sources.dropins);
	else if (conf->rules.n_rules == 0)
		fprintf(stderr, "srvmesh: %s: no name is ours; expected a [domain NAME] or [service NAME]\n", sources.file);
	is_good = complaints.n_errors == 0 && conf->rules.n_rules > 0;
	if (is_good)
		printf("%s: good\n", sources.file);
	else if (conf->rules.n_rules > 0)
		printf("%s: %u error%s; a file with an error is left out, others apply\n", sources.file, complaints.n_errors,
		       complaints.n_errors == 1 ? "" : "s");
	sm_conf_free(conf);
	return fflush(stdout) == 0 && is_good ? EXIT_GOOD : EXIT_NO;
}

static int print_status(const char *socket)
{
	const struct sm_request request = {.format = SM_FORMAT, .kind = SM_FRAME_STATUS};
	int64_t until_ns = sm_clock_now_ns() + STATUS_WAIT_NS;
	struct sm_client_reply reply;
	bool is_good, has_sign;

	if (sm_client_ask(socket, &request, until_ns, until_ns, &has_sign, &reply) != SM_OK) {
		fprintf(stderr, "srvmesh: no srvmeshd answers at %s\n", socket);
		return EXIT_NO_DAEMON;
	}
	is_good = reply.kind == SM_FRAME_TEXT;
	if (is_good)
		fwrite(reply.content, 1, reply.size, stdout);
	else
		fprintf(stderr, "srvmesh: srvmeshd at %s is busy\n", socket);
	free(reply.bytes);
	return is_good && fflush(stdout) == 0 ? EXIT_GOOD : EXIT_NO_DAEMON;
}

/* Uses the socket that the files name, as far as they can be read. */
static int status(void)
{
	const struct sm_conf_sources sources = sm_conf_sources(secure_getenv("SRVMESH_CONF"));
	struct sm_complaints nobody = {.hear = NULL};
	struct sm_watch watch;
	struct sm_conf *conf;
	int code;

	if (sm_conf_load(&sources, NULL, &watch, &nobody, &conf) != SM_OK)
		return EXIT_NO;
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
	if ((argc == 2 || argc == 3) && strcmp(argv[1], "disable") == 0)
		return sm_switch_off(argv[2]) ? EXIT_GOOD : EXIT_NO;
	if ((argc == 2 || argc == 3) && strcmp(argv[1], "enable") == 0)
		return sm_switch_on(argv[2]) ? EXIT_GOOD : EXIT_NO;
	fputs(usage, stderr);
	return EXIT_USAGE;
}
