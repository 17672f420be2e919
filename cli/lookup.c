/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh lookup: what a program would get now. */
#include "cli/commands.h"
#include "cli/inquiry.h"
#include "cli/sheet.h"
#include "cli/terms.h"
#include "mesh/text.h"

#include <stdio.h>
#include <string.h>

enum { ONLY_IPV4, ONLY_IPV6, WITH_PORTS };

static const struct sm_option options[] = {
	{"ipv4", '4', NULL, "only IPv4 addresses", SM_COMPLETE_NOTHING},
	{"ipv6", '6', NULL, "only IPv6 addresses", SM_COMPLETE_NOTHING},
	{"srv", 0, NULL, "with the port of each: address:port", SM_COMPLETE_NOTHING},
	{NULL, 0, NULL, NULL, SM_COMPLETE_NOTHING},
};

uint8_t sm_families_of(bool only_ipv4, bool only_ipv6)
{
	return only_ipv4 == only_ipv6 ? SM_IPV4_AND_IPV6 : only_ipv4 ? SM_IPV4 : SM_IPV6;
}

static uint16_t port_of(const struct sm_inquiry *inquiry, uint32_t at)
{
	return inquiry->answer.targets[inquiry->choice.targets[at]].port;
}

static void write_json(const struct sm_inquiry *inquiry, const char *why)
{
	struct sm_json json = sm_sheet_json();

	sm_json_begin_object(&json, NULL);
	sm_json_text(&json, "name", inquiry->name.text[0] ? inquiry->name.text : inquiry->asked);
	sm_json_text(&json, "verdict", sm_inquiry_verdict(inquiry->verdict));
	sm_json_text(&json, "why", why[0] ? why : NULL);
	sm_json_begin_array(&json, "addresses");
	for (uint32_t i = 0; inquiry->verdict == SM_VERDICT_FOUND && i < inquiry->choice.n_addresses; i++) {
		char text[SM_TEXT_ADDRESS_MAX];

		sm_text_address(&inquiry->choice.addresses[i], text);
		sm_json_begin_object(&json, NULL);
		sm_json_text(&json, "address", text);
		if (port_of(inquiry, i))
			sm_json_number(&json, "port", port_of(inquiry, i));
		else
			sm_json_null(&json, "port");
		sm_json_text(&json, "target", inquiry->answer.targets[inquiry->choice.targets[i]].name);
		sm_json_end_object(&json);
	}
	sm_json_end_array(&json);
	sm_json_end_object(&json);
	sm_json_end(&json);
}

static void print(const struct sm_inquiry *inquiry, bool with_ports)
{
	char text[SM_TEXT_ENDPOINT_MAX];

	for (uint32_t i = 0; i < inquiry->choice.n_addresses; i++) {
		if (with_ports)
			sm_text_endpoint(&inquiry->choice.addresses[i], "", port_of(inquiry, i), text);
		else
			sm_text_address(&inquiry->choice.addresses[i], text);
		puts(text);
	}
}

static bool has_ports(const struct sm_inquiry *inquiry)
{
	for (uint32_t i = 0; i < inquiry->choice.n_addresses; i++)
		if (port_of(inquiry, i) == 0)
			return false;
	return true;
}

static enum exit_code tell(const struct sm_inquiry *inquiry, bool with_ports)
{
	char why[SM_INQUIRY_WHY_MAX];
	enum exit_code code = sm_inquiry_exit(inquiry);

	sm_inquiry_why_not(inquiry, why);
	if (code == EXIT_GOOD && with_ports && !has_ports(inquiry)) {
		snprintf(why, sizeof(why), "it has addresses, but no SRV records: its port is not known");
		code = EXIT_NO;
	}
	if (sm_terms.json != SM_TERMS_TEXT)
		write_json(inquiry, why);
	else if (code != EXIT_GOOD)
		fprintf(stderr, "srvmesh: %s: %s\n", inquiry->asked, why);
	else if (!sm_terms.is_quiet)
		print(inquiry, with_ports);
	return fflush(stdout) == 0 ? code : EXIT_NO;
}

static enum exit_code run(const struct sm_call *call)
{
	struct sm_inquiry inquiry;
	enum exit_code code;

	sm_inquire(call->words[0], sm_families_of(call->options[ONLY_IPV4], call->options[ONLY_IPV6]), &inquiry);
	code = tell(&inquiry, call->options[WITH_PORTS]);
	sm_inquiry_clear(&inquiry);
	return code;
}

const struct sm_command sm_command_lookup = {
	"lookup", "NAME", "what a program gets for NAME now", false, 1, 1, SM_COMPLETE_NAMES, options, run,
};
