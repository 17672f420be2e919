/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh: the command for the administrator, because the plugin cannot report errors. check-config reads the
 * configuration as every process does, and prints all errors and the resulting rules; status prints srvmeshd's
 * counters, and health its targets; cache flush has names asked for again; shared-key makes a key; disable and enable
 * switch names off and on. */
#include "base/clock.h"
#include "cli/exit.h"
#include "cli/flush.h"
#include "cli/health.h"
#include "cli/shared.h"
#include "cli/switch.h"
#include "conf/conf.h"
#include "ipc/client.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void print_shared(const struct sm_shared_conf *shared)
{
	if (shared->n_roads == 0)
		return;
	fputs("shared:", stdout);
	for (uint32_t i = 0; i < shared->n_roads; i++) {
		if (shared->roads[i].path[0] != '\0')
			printf(" unix:%s", shared->roads[i].path);
		else
			print_server(&shared->roads[i].server);
	}
	for (uint32_t i = 0; i < shared->n_keys; i++)
		printf(", key %s", shared->keys[i]);
	printf(", view %s\n", shared->view[0] != '\0' ? shared->view : "of the servers");
}

static void print_complaint(void *context, enum sm_complaint kind, const char *text)
{
	(void)context;
	fprintf(stderr, "srvmesh: %s%s\n", kind == SM_COMPLAINT_WARNING ? "warning: " : "", text);
}

static enum exit_code check_config(const char *named)
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
	print_shared(&conf->host.shared);
	if (conf->n_pieces == 0 && !named)
		fprintf(stderr, "srvmesh: there is no configuration, neither %s nor a file in %s: no name is ours\n",
		        sources.file, sources.dropins);
	else if (conf->rules.n_rules == 0)
		fprintf(stderr, "srvmesh: %s: no name is ours; expected a [domain NAME] or [service NAME]\n", sources.file);
	sm_shared_check(&conf->host.shared, &complaints, sources.file);
	is_good = complaints.n_errors == 0 && conf->rules.n_rules > 0;
	if (is_good)
		printf("%s: good\n", sources.file);
	else if (conf->rules.n_rules > 0)
		printf("%s: %u error%s; a file with an error is left out, others apply\n", sources.file, complaints.n_errors,
		       complaints.n_errors == 1 ? "" : "s");
	sm_conf_free(conf);
	return fflush(stdout) == 0 && is_good ? EXIT_GOOD : EXIT_NO;
}

static enum exit_code ask_socket(const char *socket, const struct sm_request *request,
                                 enum exit_code (*print)(const char *text, size_t size))
{
	int64_t until_ns = sm_clock_now_ns() + ANSWER_WAIT_NS;
	struct sm_client_reply reply;
	enum exit_code code = EXIT_NO_DAEMON;
	bool has_sign;

	if (sm_client_ask(socket, request, until_ns, until_ns, &has_sign, &reply) != SM_OK) {
		fprintf(stderr, "srvmesh: no srvmeshd answers at %s\n", socket);
		return EXIT_NO_DAEMON;
	}
	if (reply.kind == SM_FRAME_TEXT)
		code = print(reply.content, reply.size);
	else
		fprintf(stderr, "srvmesh: srvmeshd at %s is busy\n", socket);
	free(reply.bytes);
	return fflush(stdout) == 0 ? code : EXIT_NO_DAEMON;
}

/* Uses the socket that the files name, as far as they can be read. */
static enum exit_code ask_daemon(const struct sm_request *request, enum exit_code (*print)(const char *text, size_t size))
{
	const struct sm_conf_sources sources = sm_conf_sources(secure_getenv("SRVMESH_CONF"));
	struct sm_complaints nobody = {.hear = NULL};
	struct sm_watch watch;
	struct sm_conf *conf;
	enum exit_code code;

	if (sm_conf_load(&sources, NULL, &watch, &nobody, &conf) != SM_OK)
		return EXIT_NO;
	code = ask_socket(conf->host.socket, request, print);
	sm_conf_free(conf);
	return code;
}

static enum exit_code print_text(const char *text, size_t size)
{
	fwrite(text, 1, size, stdout);
	return EXIT_GOOD;
}

/* Each command gets the words behind its name, and a NULL. */

static enum exit_code run_check_config(char **words)
{
	return check_config(words[0] ? words[0] : secure_getenv("SRVMESH_CONF"));
}

static enum exit_code run_status(char **words)
{
	const struct sm_request request = {.format = SM_FORMAT, .kind = SM_FRAME_STATUS};

	(void)words;
	return ask_daemon(&request, print_text);
}

static enum exit_code run_health(char **words)
{
	const struct sm_request request = {.format = SM_FORMAT, .kind = SM_FRAME_HEALTH};

	(void)words;
	return ask_daemon(&request, sm_health_print);
}

static enum exit_code run_cache(char **words)
{
	struct sm_request request;

	if (!sm_flush_read_words(words, &request))
		return EXIT_USAGE;
	return ask_daemon(&request, request.is_everywhere ? sm_flush_print_everywhere : sm_flush_print);
}

static enum exit_code run_shared_key(char **words)
{
	return words[0] ? sm_shared_make_key(words[0]) : EXIT_USAGE;
}

static enum exit_code run_disable(char **words)
{
	return sm_switch_off(words[0]) ? EXIT_GOOD : EXIT_NO;
}

static enum exit_code run_enable(char **words)
{
	return sm_switch_on(words[0]) ? EXIT_GOOD : EXIT_NO;
}

static const struct command {
	const char *name, *words, *help; /* the words that may follow; NULL: none */
	int n_words;                     /* at most */
	enum exit_code (*run)(char **words); /* EXIT_USAGE: the usage is printed */
} commands[] = {
	{"check-config", "[FILE]", "check FILE, or the configuration of this host", 1, run_check_config},
	{"status", NULL, "print the counters of srvmeshd, one a line", 0, run_status},
	{"health", NULL, "print what srvmeshd knows of the targets that it watches", 0, run_health},
	{"cache", "flush NAME|GLOB|--all [--everywhere]", "ask for names again, on this host or on all", 3, run_cache},
	{"shared-key", "FILE", "make a key for [shared]", 1, run_shared_key},
	{"disable", "[DOMAIN]", "switch off all names, or those of DOMAIN", 1, run_disable},
	{"enable", "[DOMAIN]", "switch them on again", 1, run_enable},
};

static enum exit_code print_usage(void)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		char line[80];

		snprintf(line, sizeof(line), "%s %s", commands[i].name, commands[i].words ? commands[i].words : "");
		fprintf(stderr, "%s srvmesh %-42s %s\n", i == 0 ? "usage:" : "      ", line, commands[i].help);
	}
	fputs("       srvmesh --version\n", stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	enum exit_code code = EXIT_USAGE;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("srvmesh " PACKAGE_VERSION);
		return EXIT_GOOD;
	}
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 <= commands[i].n_words)
			code = commands[i].run(argv + 2);
	return code == EXIT_USAGE ? print_usage() : code;
}
