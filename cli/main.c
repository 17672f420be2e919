/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh: the command for the administrator, because the plugin cannot report errors. check-config reads the
 * configuration as every process does, and prints all errors and the resulting rules; status prints srvmeshd's
 * counters, and health its targets; disable and enable switch names off and on. */
#include "base/clock.h"
#include "cli/health.h"
#include "cli/switch.h"
#include "conf/conf.h"
#include "ipc/client.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum exit_code { EXIT_GOOD = 0, EXIT_NO = 1, EXIT_USAGE = 2, EXIT_NO_DAEMON = 3 };

#define ANSWER_WAIT_NS (5 * SM_NS_PER_S)

static void print_server(const struct sm_server *server)
{
	char text[INET6_ADDRSTRLEN];
	bool is_ipv4 = server->address.family == SM_IPV4;

	inet_ntop(is_ipv4 ? AF_INET : AF_INET6, server->address.bytes, text, sizeof(text));
	printf(is_ipv4 ? " %s:%u" : " [%s]:%u", text, server->port);
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
	printf("%s %s: SRV", rule->is_exact ? "service" : "domain", rule->name.text);
	for (uint32_t i = 0; i < rule->n_templates; i++)
		printf(" %s", rule->templates[i]);
	printf(rule->is_torn ? ", servers unknown because of the errors above: try again" : ", servers");
	for (uint32_t i = 0; i < rule->n_servers; i++)
		print_server(&rule->servers[i]);
	printf(", deadline %ums", rule->deadline_ms);
	print_choosing(rule);
	puts(rule->is_disabled ? ", disabled" : "");
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

static int ask_socket(const char *socket, enum sm_frame_kind kind, void (*print)(const char *text, size_t size))
{
	const struct sm_request request = {.format = SM_FORMAT, .kind = kind};
	int64_t until_ns = sm_clock_now_ns() + ANSWER_WAIT_NS;
	struct sm_client_reply reply;
	bool is_good, has_sign;

	if (sm_client_ask(socket, &request, until_ns, until_ns, &has_sign, &reply) != SM_OK) {
		fprintf(stderr, "srvmesh: no srvmeshd answers at %s\n", socket);
		return EXIT_NO_DAEMON;
	}
	is_good = reply.kind == SM_FRAME_TEXT;
	if (is_good)
		print(reply.content, reply.size);
	else
		fprintf(stderr, "srvmesh: srvmeshd at %s is busy\n", socket);
	free(reply.bytes);
	return is_good && fflush(stdout) == 0 ? EXIT_GOOD : EXIT_NO_DAEMON;
}

/* Uses the socket that the files name, as far as they can be read. */
static int ask_daemon(enum sm_frame_kind kind, void (*print)(const char *text, size_t size))
{
	const struct sm_conf_sources sources = sm_conf_sources(secure_getenv("SRVMESH_CONF"));
	struct sm_complaints nobody = {.hear = NULL};
	struct sm_watch watch;
	struct sm_conf *conf;
	int code;

	if (sm_conf_load(&sources, NULL, &watch, &nobody, &conf) != SM_OK)
		return EXIT_NO;
	code = ask_socket(conf->host.socket, kind, print);
	sm_conf_free(conf);
	return code;
}

static void print_text(const char *text, size_t size)
{
	fwrite(text, 1, size, stdout);
}

static int run_check_config(const char *argument)
{
	return check_config(argument ? argument : secure_getenv("SRVMESH_CONF"));
}

static int run_status(const char *argument)
{
	(void)argument;
	return ask_daemon(SM_FRAME_STATUS, print_text);
}

static int run_health(const char *argument)
{
	(void)argument;
	return ask_daemon(SM_FRAME_HEALTH, sm_health_print);
}

static int run_disable(const char *argument)
{
	return sm_switch_off(argument) ? EXIT_GOOD : EXIT_NO;
}

static int run_enable(const char *argument)
{
	return sm_switch_on(argument) ? EXIT_GOOD : EXIT_NO;
}

static const struct command {
	const char *name, *argument, *help; /* the argument may be left out; NULL: there is none */
	int (*run)(const char *argument);
} commands[] = {
	{"check-config", "[FILE]", "check FILE, or the configuration of this host", run_check_config},
	{"status", NULL, "print the counters of srvmeshd, one a line", run_status},
	{"health", NULL, "print what srvmeshd knows of the targets that it watches", run_health},
	{"disable", "[DOMAIN]", "switch off all names, or those of DOMAIN", run_disable},
	{"enable", "[DOMAIN]", "switch them on again", run_enable},
};

static int print_usage(void)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stderr, "%s srvmesh %-12s %-9s %s\n", i == 0 ? "usage:" : "      ", commands[i].name,
		        commands[i].argument ? commands[i].argument : "", commands[i].help);
	fputs("       srvmesh --version\n", stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("srvmesh " PACKAGE_VERSION);
		return EXIT_GOOD;
	}
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0 && argc <= (commands[i].argument ? 3 : 2))
			return commands[i].run(argv[2]);
	return print_usage();
}
