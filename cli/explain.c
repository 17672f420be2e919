/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh explain: why a program gets what it gets. */
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/inquiry.h"
#include "cli/lifetime.h"
#include "cli/talk.h"
#include "cli/targets.h"
#include "cli/terms.h"
#include "mesh/text.h"

#include <stdarg.h>
#include <stdlib.h>

#define NOTES_MAX 24
#define NOTE_MAX 256

enum { ONLY_IPV4, ONLY_IPV6 };

static const struct sm_option options[] = {
	{"ipv4", '4', NULL, "for a program that asks for IPv4 alone", SM_COMPLETE_NOTHING},
	{"ipv6", '6', NULL, "for a program that asks for IPv6 alone", SM_COMPLETE_NOTHING},
	{NULL, 0, NULL, NULL, SM_COMPLETE_NOTHING},
};

/* What else is to be known. */
struct notes {
	uint32_t n;
	char text[NOTES_MAX][NOTE_MAX];
};

__attribute__((format(printf, 2, 3))) static void note(struct notes *notes, const char *format, ...)
{
	va_list values;

	if (notes->n == NOTES_MAX)
		return;
	va_start(values, format);
	vsnprintf(notes->text[notes->n++], NOTE_MAX, format, values);
	va_end(values);
}

/* ---- what is noteworthy */

static void note_concessions(const struct sm_inquiry *inquiry, const struct sm_concessions *concessions, struct notes *notes)
{
	const struct sm_answer *answer = &inquiry->answer;

	if (concessions->without_filter)
		note(notes, "no target matches the filter %s: filter_fallback = all gives all of them",
		     inquiry->rule->filter.text);
	if (concessions->without_health)
		note(notes, "no target is up, or too few are: those that are down are given, too");
	if (concessions->without_reach)
		note(notes, "this host has no route to any of them: they are given all the same");
	if (concessions->is_empty && answer->kind == SM_ANSWER_ADDRESSES)
		note(notes, "no target is left");
	if (answer->n_cut > 0)
		note(notes, "%u targets more are left out: the service is too large", answer->n_cut);
	if (answer->cut_families)
		note(notes, "some addresses are left out: the service is too large");
	if (answer->uncertain_families)
		note(notes, "addresses of some target could not be found: no server could tell");
	if (answer->is_metadata_unknown)
		note(notes, "metadata of some target could not be found");
}

static void note_servers(const struct sm_inquiry *inquiry, struct notes *notes)
{
	static struct sm_servers servers;

	if (sm_find_servers(&servers) != SM_OK)
		return;
	for (uint32_t i = 0; i < inquiry->rule->n_servers; i++) {
		char server[SM_TEXT_ENDPOINT_MAX], fault[SM_INQUIRY_FAULT_MAX];

		sm_text_server(&inquiry->rule->servers[i], server);
		sm_inquiry_fault(sm_servers_find(&servers, &inquiry->rule->servers[i]), inquiry->now_ns, fault);
		if (fault[0] != '\0')
			note(notes, "the server %s %s", server, fault);
	}
}

static void note_surroundings(const struct sm_inquiry *inquiry, struct notes *notes)
{
	const struct sm_rule *rule = inquiry->rule;

	if (inquiry->place == SM_PLACE_DNS)
		note(notes, "no srvmeshd answers: each process asks DNS itself, and keeps the answer for itself");
	if (rule->answers == SM_ANSWERS_ALL && inquiry->choice.n_addresses > 1)
		note(notes, "answers = all: glibc sorts the addresses again (RFC 6724), and weights do not count");
	if (rule->health == SM_HEALTH_OFF || !inquiry->has_answer || inquiry->answer.n_targets == 0)
		return;
	if (inquiry->answer.n_targets == 1)
		note(notes, "the health of a service's only target is not watched");
	else
		note(notes, "connections of containers with a network of their own are not seen by the health check");
}

/* What stands before us on this host; a configuration of its own says nothing of the host's programs. */
static void note_host(const struct sm_inquiry *inquiry, struct notes *notes)
{
	if (inquiry->conf->is_incomplete)
		note(notes, "a file of the configuration is left out, because of an error: srvmesh check-config");
	if (secure_getenv("SRVMESH_CONF"))
		return;
	if (!sm_doctor_is_asked())
		note(notes, "srvmesh is not on the hosts line of /etc/nsswitch.conf: no program asks it; srvmesh doctor "
		     "names the remedy");
	else if (sm_doctor_is_in_hosts_file(inquiry->name.text[0] ? inquiry->name.text : inquiry->asked))
		note(notes, "/etc/hosts has the name: programs get what stands there");
}

/* ---- for people */

static void print_head(const struct sm_inquiry *inquiry)
{
	static const char *const places[] = {
		[SM_PLACE_NOWHERE] = "",
		[SM_PLACE_MAP] = "from the host map",
		[SM_PLACE_MEMORY] = "from the memory of this process",
		[SM_PLACE_DAEMON] = "by srvmeshd",
		[SM_PLACE_DNS] = "by DNS, asked by this process",
	};
	const struct sm_rule *rule = inquiry->rule;
	char took[SM_SHEET_TIME_MAX];

	printf("%s", inquiry->name.text[0] ? inquiry->name.text : inquiry->asked);
	if (rule && rule->path)
		printf("   [%s %s] of %s:%u", rule->is_exact ? "service" : "domain", rule->name.text, rule->path, rule->line);
	if (inquiry->has_answer) {
		sm_sheet_ns(inquiry->took_ns, took);
		printf("   answered in %s %s", took, places[inquiry->place]);
	}
	putchar('\n');
}

static void print_gets(const struct sm_inquiry *inquiry)
{
	static const char *const answers[] = {"ordered", "one", "all"};

	sm_lifetime_lead("a program gets");
	for (uint32_t i = 0; i < inquiry->choice.n_addresses; i++) {
		char text[SM_TEXT_ADDRESS_MAX];

		sm_text_address(&inquiry->choice.addresses[i], text);
		printf("%s%s", i ? " " : "", text);
	}
	printf("   (answers = %s; drawn: %s)\n", answers[inquiry->rule->answers],
	       inquiry->answer.targets[inquiry->choice.targets[0]].name);
}

static void print_port(const struct sm_inquiry *inquiry)
{
	uint16_t port = inquiry->answer.targets[inquiry->choice.targets[0]].port;
	const char *name = inquiry->name.text;

	sm_lifetime_lead("its port");
	if (port)
		printf("its own; %u by  srvmesh run %s -- CMD %%h %%p,  or socat TCP:%s:%s\n", port, name, name, name);
	else
		puts("its own: there are no SRV records");
}

static void print(const struct sm_inquiry *inquiry, const struct sm_sheet *targets, const struct notes *notes, const char *why)
{
	print_head(inquiry);
	if (inquiry->has_answer) {
		sm_lifetime_print_origin(inquiry);
		sm_lifetime_print(inquiry);
	}
	if (targets && sm_sheet_rows(targets) > 0) {
		putchar('\n');
		sm_sheet_print(targets, 2);
		putchar('\n');
	}
	if (inquiry->verdict == SM_VERDICT_FOUND && inquiry->has_answer) {
		print_gets(inquiry);
		print_port(inquiry);
	} else {
		sm_lifetime_lead("a program gets");
		printf("nothing: %s\n", why);
	}
	for (uint32_t i = 0; i < notes->n && sm_terms.has_legend; i++) {
		sm_lifetime_lead(i == 0 ? "note" : "");
		puts(notes->text[i]);
	}
}

/* ---- for programs */

static void write_section(const struct sm_rule *rule, struct sm_json *json)
{
	if (!rule || !rule->path) {
		sm_json_null(json, "section");
		return;
	}
	sm_json_begin_object(json, "section");
	sm_json_text(json, "kind", rule->is_exact ? "service" : "domain");
	sm_json_text(json, "name", rule->name.text);
	sm_json_text(json, "file", rule->path);
	sm_json_number(json, "line", rule->line);
	sm_json_end_object(json);
}

static void write_choice(const struct sm_inquiry *inquiry, struct sm_json *json)
{
	bool is_found = inquiry->verdict == SM_VERDICT_FOUND && inquiry->has_answer;

	sm_json_begin_array(json, "addresses");
	for (uint32_t i = 0; is_found && i < inquiry->choice.n_addresses; i++) {
		char text[SM_TEXT_ADDRESS_MAX];

		sm_text_address(&inquiry->choice.addresses[i], text);
		sm_json_text(json, NULL, text);
	}
	sm_json_end_array(json);
	sm_json_text(json, "drawn", is_found ? inquiry->answer.targets[inquiry->choice.targets[0]].name : NULL);
}

static void write_json(const struct sm_inquiry *inquiry, const struct sm_sheet *targets, const struct notes *notes,
                       const char *why)
{
	struct sm_json json = sm_sheet_json();

	sm_json_begin_object(&json, NULL);
	sm_json_text(&json, "name", inquiry->name.text[0] ? inquiry->name.text : inquiry->asked);
	sm_json_text(&json, "verdict", sm_inquiry_verdict(inquiry->verdict));
	sm_json_text(&json, "why", why[0] ? why : NULL);
	write_section(inquiry->rule, &json);
	sm_json_text(&json, "place", inquiry->has_answer ? sm_inquiry_place(inquiry->place) : NULL);
	sm_json_decimal(&json, "took_ms", (double)inquiry->took_ns / 1e6);
	sm_lifetime_write(inquiry, &json);
	if (targets) {
		sm_sheet_write(targets, &json, "targets");
	} else {
		sm_json_begin_array(&json, "targets");
		sm_json_end_array(&json);
	}
	write_choice(inquiry, &json);
	sm_json_begin_array(&json, "notes");
	for (uint32_t i = 0; i < notes->n; i++)
		sm_json_text(&json, NULL, notes->text[i]);
	sm_json_end_array(&json);
	sm_json_end_object(&json);
	sm_json_end(&json);
}

static char *ask_health(const struct sm_inquiry *inquiry)
{
	const struct sm_request request = {.format = SM_FORMAT, .kind = SM_FRAME_HEALTH, .level = SM_LEVEL_STAYS};
	enum exit_code code;

	return inquiry->rule->health != SM_HEALTH_OFF ? sm_talk_ask(inquiry->conf, &request, true, &code) : NULL;
}

static void explain(const struct sm_inquiry *inquiry)
{
	struct notes notes = {.n = 0};
	struct sm_sheet *targets = NULL;
	struct sm_concessions concessions;
	char why[SM_INQUIRY_WHY_MAX], *health = NULL;

	sm_inquiry_why_not(inquiry, why);
	if (inquiry->rule && inquiry->has_answer && inquiry->answer.kind == SM_ANSWER_ADDRESSES) {
		health = ask_health(inquiry);
		targets = sm_targets_sheet(inquiry, health, &concessions);
		note_concessions(inquiry, &concessions, &notes);
	}
	if (inquiry->rule) {
		note_host(inquiry, &notes);
		note_servers(inquiry, &notes);
		note_surroundings(inquiry, &notes);
	}
	if (sm_terms.json != SM_TERMS_TEXT)
		write_json(inquiry, targets, &notes, why);
	else if (!sm_terms.is_quiet)
		print(inquiry, targets, &notes, why);
	sm_sheet_close(targets);
	free(health);
}

static enum exit_code run(const struct sm_call *call)
{
	struct sm_inquiry inquiry;
	enum exit_code code;

	sm_inquire(call->words[0], sm_families_of(call->options[ONLY_IPV4], call->options[ONLY_IPV6]), &inquiry);
	sm_inquiry_time_again(&inquiry);
	explain(&inquiry);
	code = sm_inquiry_exit(&inquiry);
	sm_inquiry_clear(&inquiry);
	return fflush(stdout) == 0 ? code : EXIT_NO;
}

const struct sm_command sm_command_explain = {
	"explain", "NAME", "why it gets that: what was asked, who is drawn", false, 1, 1, SM_COMPLETE_NAMES, options, run,
};
