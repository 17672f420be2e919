/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/inquiry.h"

#include "base/clock.h"
#include "cli/memory.h"
#include "cli/sheet.h"
#include "cli/talk.h"
#include "conf/keys.h"
#include "conf/show.h"
#include "find/process.h"
#include "mesh/judge.h"
#include "mesh/record.h"
#include "mesh/reply.h"
#include "mesh/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The answer is borrowed for the call: a record of it is not. */
static void see(void *context, const struct sm_sight *sight)
{
	struct sm_inquiry *inquiry = context;
	size_t size = sm_record_size(sight->name, sight->answer);
	void *record = sm_memory(malloc(size));

	if (sm_record_encode(sight->name, sight->answer, sight->times, SM_FORMAT, record, size, &size) != SM_OK)
		sm_no_memory();
	free(inquiry->record);
	inquiry->record = record;
	inquiry->record_size = size;
	inquiry->name = *sight->name;
	inquiry->place = sight->place;
	inquiry->now_ns = sight->now_ns;
	if (sight->choice)
		inquiry->choice = *sight->choice;
}

bool sm_inquiry_open(struct sm_inquiry *inquiry)
{
	inquiry->arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	if (sm_record_decode(&inquiry->name, inquiry->record, inquiry->record_size, &inquiry->arena,
	                     &inquiry->answer, &inquiry->times) != SM_OK)
		return false;
	if (inquiry->rule)
		sm_judge_if_needed(&inquiry->answer, inquiry->rule);
	inquiry->has_answer = true;
	inquiry->has_origin = inquiry->answer.origin &&
	                      sm_origin_unpack(inquiry->answer.origin, inquiry->answer.origin_size, &inquiry->origin) == SM_OK;
	return true;
}

void sm_inquiry_time_again(struct sm_inquiry *inquiry)
{
	int64_t shortest_ns = INT64_MAX;

	if (inquiry->place != SM_PLACE_MAP)
		return;

	for (int i = 0; i < 4; i++) {
		int64_t began_ns = sm_clock_now_ns();
		struct sm_found found;

		sm_find(inquiry->asked, inquiry->families, &found);
		shortest_ns = sm_sooner(shortest_ns, sm_clock_now_ns() - began_ns);
	}
	inquiry->took_ns = shortest_ns;
}

void sm_inquire(const char *asked, uint8_t families, struct sm_inquiry *ret)
{
	const struct sm_watcher watcher = {.see = see, .context = ret};
	struct sm_found found;
	int64_t began_ns;

	*ret = (struct sm_inquiry){.asked = asked, .families = families, .conf = sm_talk_conf()};
	ret->rule = sm_rules_match(&ret->conf->rules, asked, strlen(asked));
	if (sm_name_parse(asked, strlen(asked), &ret->name) != SM_OK)
		ret->name.text[0] = '\0';
	began_ns = sm_clock_now_ns();
	ret->verdict = sm_find_watched(asked, families, &watcher, &found);
	ret->now_ns = sm_clock_now_ns();
	ret->took_ns = ret->now_ns - began_ns;
	if (ret->record && !ret->rule)
		ret->rule = sm_rules_match(&ret->conf->rules, ret->name.text, ret->name.length);
	if (!ret->rule && ret->conf->has_unread)
		ret->rule = &ret->conf->rules.elsewhere;
	if (ret->record && !sm_inquiry_open(ret))
		sm_no_memory();
}

void sm_inquiry_clear(struct sm_inquiry *inquiry)
{
	free(inquiry->record);
	sm_arena_clear(&inquiry->arena);
	sm_conf_free(inquiry->conf);
}

const char *sm_inquiry_verdict(enum sm_verdict verdict)
{
	static const char *const words[] = {
		[SM_VERDICT_NOT_OURS] = "not_ours",   [SM_VERDICT_NO_NAME] = "no_name",     [SM_VERDICT_NO_DATA] = "no_data",
		[SM_VERDICT_TRY_AGAIN] = "try_again", [SM_VERDICT_TOO_SMALL] = "try_again", [SM_VERDICT_FOUND] = "found",
	};

	return words[verdict];
}

const char *sm_inquiry_place(enum sm_place place)
{
	static const char *const words[] = {
		[SM_PLACE_NOWHERE] = NULL,      [SM_PLACE_MAP] = "map", [SM_PLACE_MEMORY] = "memory",
		[SM_PLACE_DAEMON] = "srvmeshd", [SM_PLACE_DNS] = "dns",
	};

	return words[place];
}

enum exit_code sm_inquiry_exit(const struct sm_inquiry *inquiry)
{
	if (inquiry->verdict == SM_VERDICT_FOUND)
		return EXIT_GOOD;
	return inquiry->verdict == SM_VERDICT_TRY_AGAIN || inquiry->verdict == SM_VERDICT_TOO_SMALL ? EXIT_TRY_AGAIN : EXIT_NO;
}

/* ---- why not */

static const char *rcode_word(const struct sm_inquiry *inquiry, const struct sm_origin *origin)
{
	if (origin->rcode == SM_RCODE_NXDOMAIN)
		return "NXDOMAIN";
	if (inquiry->answer.kind == SM_ANSWER_NO_NAME && origin->type == SM_RR_SRV)
		return "no SRV records, or the target \".\",";
	return "no records";
}

static void why_denied(const struct sm_inquiry *inquiry, const char *what, char ret[SM_INQUIRY_WHY_MAX])
{
	const struct sm_origin *origin = &inquiry->origin;
	char server[SM_TEXT_ENDPOINT_MAX];

	if (!inquiry->has_origin) {
		snprintf(ret, SM_INQUIRY_WHY_MAX, "%s", what);
		return;
	}
	sm_text_server(&origin->server, server);
	if (inquiry->verdict == SM_VERDICT_NO_NAME)
		snprintf(ret, SM_INQUIRY_WHY_MAX, "%s (%s of %s for %s)", what, rcode_word(inquiry, origin), server,
		         origin->owner.text);
	else
		snprintf(ret, SM_INQUIRY_WHY_MAX, "%s (%s at %s)", what, origin->owner.text, server);
}

void sm_inquiry_fault(const struct sm_server_known *known, int64_t now_ns, char ret[SM_INQUIRY_FAULT_MAX])
{
	char since[SM_SHEET_TIME_MAX];
	int64_t silent_ns;

	ret[0] = '\0';
	if (!known || (known->n_failures == 0 && known->backoff_ms == 0 && known->n_poor == 0))
		return;
	if (known->silent_ns <= known->heard_ns && (known->n_names == 0 || known->since_ns == 0)) {
		snprintf(ret, SM_INQUIRY_FAULT_MAX, "%s", known->n_poor > 0 ? "answers with SERVFAIL" : "refuses, or cannot be "
		         "understood");
		return;
	}
	silent_ns = now_ns - (known->since_ns > 0 ? known->since_ns : known->silent_ns);
	sm_sheet_ms(silent_ns / SM_NS_PER_MS, since);
	if (silent_ns < SM_NS_PER_S)
		snprintf(ret, SM_INQUIRY_FAULT_MAX, "%s", known->n_names > 0 ? "is silent" : "does not listen");
	else
		snprintf(ret, SM_INQUIRY_FAULT_MAX, known->n_names > 0 ? "has been silent for %s" : "has not listened for %s",
		         since);
}

static void why_unknown(const struct sm_inquiry *inquiry, char ret[SM_INQUIRY_WHY_MAX])
{
	const struct sm_rule *rule = inquiry->rule;
	static struct sm_servers servers;
	size_t used;

	used = (size_t)snprintf(ret, SM_INQUIRY_WHY_MAX, "no server could tell");
	if (!rule || rule->n_servers == 0) {
		snprintf(ret + used, SM_INQUIRY_WHY_MAX - used, ": %s",
		         rule && rule->is_torn ? "its servers are not known, because of an error in the configuration"
		                               : "there is none");
		return;
	}
	if (sm_find_servers(&servers) != SM_OK)
		sm_servers_init(&servers, 0);
	for (uint32_t i = 0; i < rule->n_servers && used < SM_INQUIRY_WHY_MAX; i++) {
		char server[SM_TEXT_ENDPOINT_MAX], fault[SM_INQUIRY_FAULT_MAX];

		sm_text_server(&rule->servers[i], server);
		sm_inquiry_fault(sm_servers_find(&servers, &rule->servers[i]), inquiry->now_ns, fault);
		used += (size_t)snprintf(ret + used, SM_INQUIRY_WHY_MAX - used, "%s %s%s%s", i ? "," : ":", server,
		                         fault[0] ? " " : "",
		                         fault);
	}
}

void sm_inquiry_switch(const struct sm_conf *conf, const struct sm_rule *rule, char ret[SM_INQUIRY_WHY_MAX])
{
	bool is_all = conf->rules.elsewhere.is_disabled;
	enum sm_section_kind kind = is_all ? SM_SECTION_RESOLVER : rule->is_exact ? SM_SECTION_SERVICE : SM_SECTION_DOMAIN;
	const struct sm_key *key = sm_key_find("enabled", kind);
	struct sm_shown shown = sm_show_value(conf, kind, is_all ? NULL : &rule->name, key);

	if (shown.path)
		snprintf(ret, SM_INQUIRY_WHY_MAX, "enabled = no (%s:%u)", shown.path, shown.line);
	else
		snprintf(ret, SM_INQUIRY_WHY_MAX, "enabled = no");
}

/* With the line that says so, and the remedy. */
static void why_off(const struct sm_inquiry *inquiry, char ret[SM_INQUIRY_WHY_MAX])
{
	bool is_all = inquiry->conf->rules.elsewhere.is_disabled;
	char line[SM_INQUIRY_WHY_MAX];

	sm_inquiry_switch(inquiry->conf, inquiry->rule, line);
	snprintf(ret, SM_INQUIRY_WHY_MAX, "switched off: %.200s; remove it, or srvmesh enable%s%s", line, is_all ? "" : " ",
	         is_all ? "" : inquiry->rule->name.text);
}

void sm_inquiry_why_not(const struct sm_inquiry *inquiry, char ret[SM_INQUIRY_WHY_MAX])
{
	switch (inquiry->verdict) {
	case SM_VERDICT_NOT_OURS:
		if (inquiry->conf->has_unread && inquiry->rule == &inquiry->conf->rules.elsewhere)
			snprintf(ret, SM_INQUIRY_WHY_MAX, "a file of the configuration cannot be read by this user: which names "
			         "are ours is not known");
		else if (inquiry->rule && (inquiry->rule->is_disabled || inquiry->conf->rules.elsewhere.is_disabled))
			why_off(inquiry, ret);
		else if (inquiry->rule)
			snprintf(ret, SM_INQUIRY_WHY_MAX, "this process may not ask: a sandbox, or SRVMESH=off");
		else
			snprintf(ret, SM_INQUIRY_WHY_MAX, "not a name of ours: no [domain] or [service] has it");
		break;
	case SM_VERDICT_NO_NAME:
		if (inquiry->name.text[0] == '\0')
			snprintf(ret, SM_INQUIRY_WHY_MAX, "not a valid name");
		else
			why_denied(inquiry, "no such name", ret);
		break;
	case SM_VERDICT_NO_DATA:
		why_denied(inquiry, "it has no address of the asked family", ret);
		break;
	case SM_VERDICT_TRY_AGAIN:
	case SM_VERDICT_TOO_SMALL:
		why_unknown(inquiry, ret);
		break;
	case SM_VERDICT_FOUND:
		ret[0] = '\0';
		break;
	}
}
