/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mesh/expand.h"

#include "tests/answer.h"
#include "tests/test.h"

#include <stdio.h>

/* what a story does not say is 0 */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

ROOMY_ARENA(arena);
ROOMY_ARENA(room);
static struct sm_expand expand;
static struct sm_rule rule;
static struct sm_dns_record records[SM_RECORDS_MAX];
static struct sm_reply reply;
static struct sm_answer answer;

static struct sm_expand_means means;

static bool ends_in(const char *name, const char *end)
{
	size_t length = strlen(name), size = strlen(end);

	return length >= size && strcmp(name + length - size, end) == 0;
}

/* Names of `other` belong to another section. */
static bool believes(void *context, uint32_t number, const char *name)
{
	(void)context;
	return !ends_in(name, ".other") || ends_in(expand.questions[number].asks.name, ".other");
}

/* An address whose last byte is 200 or more is out of reach. */
static bool reaches(void *context, const struct sm_address *address)
{
	(void)context;
	return address->bytes[address->family == SM_IPV4 ? 3 : 15] < 200;
}

static const char *remembered;

static bool remembers(void *context, const struct sm_question *question)
{
	(void)context;
	return remembered && strcmp(question->name, remembered) == 0;
}

static int fresh(void **state)
{
	(void)state;
	memset(&rule, 0, sizeof(rule));
	rule.name = rule.domain = name_of("mesh");
	rule.n_templates = 1;
	rule.templates = "_{service}._tcp.{domain}";
	means = (struct sm_expand_means){.families = SM_IPV4_AND_IPV6, .believes = believes, .reaches = reaches,
	                                  .remembers = remembers};
	reply = (struct sm_reply){.records = records};
	return 0;
}

static void begin(const char *name)
{
	struct sm_name asked = name_of(name);

	sm_arena_clear(&arena);
	sm_expand_init(&expand, &rule, &asked, &means, &arena);
}

/* The next question, as "name TYPE"; its number in *number. */
static const char *next(uint32_t *number)
{
	static char text[300];
	struct sm_question question;

	if (sm_expand_next(&expand, &question, number) != SM_OK)
		return "none";
	snprintf(text, sizeof(text), "%s %s", question.name,
	         question.type == SM_RR_SRV ? "SRV" : question.type == SM_RR_A ? "A" : question.type == SM_RR_TXT ? "TXT" : "AAAA");
	return text;
}

static uint32_t expect_question(const char *text)
{
	uint32_t number = UINT32_MAX;

	assert_string_equal(next(&number), text);
	return number;
}

static struct sm_dns_record *add_record(const char *owner, uint16_t type, uint32_t ttl_s)
{
	struct sm_dns_record *record = &reply.records[reply.n_records++];

	*record = (struct sm_dns_record){.owner = owner, .type = type, .ttl_s = ttl_s};
	return record;
}

static void add_srv(const char *owner, const char *target, uint16_t priority, uint16_t weight, uint32_t ttl_s)
{
	struct sm_dns_record *record = add_record(owner, SM_RR_SRV, ttl_s);

	record->target = target;
	record->priority = priority;
	record->weight = weight;
	record->port = 8080;
}

static void add_cname(const char *owner, const char *target, uint32_t ttl_s)
{
	add_record(owner, SM_RR_CNAME, ttl_s)->target = target;
}

static void add_address(const char *owner, uint16_t type, uint8_t last, bool is_glue, uint32_t ttl_s)
{
	struct sm_dns_record *record = add_record(owner, type, ttl_s);

	record->address[type == SM_RR_A ? 3 : 15] = last;
	record->is_additional = is_glue;
}

static void tell(uint32_t number)
{
	sm_expand_reply(&expand, number, &reply);
	reply = (struct sm_reply){.records = records};
}

static void tell_negative(uint32_t number, uint8_t rcode, uint32_t ttl_s)
{
	reply.rcode = rcode;
	reply.has_soa = true;
	reply.negative_ttl_s = ttl_s;
	tell(number);
}

static void finish(enum sm_answer_kind kind)
{
	assert_true(sm_expand_is_finished(&expand));
	sm_arena_clear(&room);
	sm_expand_answer(&expand, &room, &answer);
	assert_int_equal(answer.kind, kind);
}

/* ---- stories: what is asked, what each question brings, and what comes of it
 *
 * A step is "QUESTION: REPLY", the reply items by ';': "srv TARGET PRIORITY WEIGHT TTL" of the question's name, "a" or "aaaa" or
 * "+a" or "+aaaa" (additional) "OWNER LAST-BYTE TTL", "cname OWNER TARGET TTL", "nxdomain TTL", "nodata TTL", "fails". Questions
 * that are there may be answered in any order, and no other may be left. The outcome: the kind; or each target with the last
 * bytes of its addresses; then "ttl N", and "?4", "?6" for families that are uncertain, "-4", "-6" for those left out. A step
 * "widen 4" or "widen 6" asks for what was left out. Names that end in .other belong to another section; what ends in 200 and
 * more is out of reach. Where `filter` says so, metadata are asked for: items "txt" or "+txt" "OWNER STRING TTL", in the
 * outcome [STRING...] behind a target, and "?m" where some are not known. */
#define STEPS_MAX 8

static const struct story {
	const char *title;
	const char *steps[STEPS_MAX];
	const char *outcome;
	bool is_ipv4_only, is_without_fallback, is_plain, is_glue_never;
	enum sm_family_policy family;
	enum { NO_FILTER, BY_TARGET, BY_OWNER } filter;
	uint8_t host, needs, keeps; /* families of the host, 0: both; that a program wants alone; that the last answer held */
	const char *name, *two_templates; /* NULL: api.mesh; _{service}._tcp.{domain} alone */
	const char *remembered; /* a host whose addresses are; NULL: none */
} stories[] = {
	{"targets with glue need one question",
	 {"_api._tcp.mesh SRV: srv b.mesh 20 5 60; srv a.mesh 10 7 60; +a a.mesh 1 50; +a b.mesh 2 40"},
	 "a.mesh 1, b.mesh 2 ttl 40", .is_ipv4_only = true},
	{"missing addresses are asked all at once",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; srv b.mesh 0 0 60; +a a.mesh 1 60", "b.mesh AAAA: aaaa b.mesh 2 30",
	  "b.mesh A: nodata 5"},
	 "a.mesh 1, b.mesh 2 ttl 30 -6"},
	{"glue of one family is enough",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; +a a.mesh 1 60"}, "a.mesh 1 ttl 60 -6"},
	{"but the other family of a host that is remembered costs nothing",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; srv b.mesh 0 0 60; +a a.mesh 1 60; +a b.mesh 2 60",
	  "a.mesh AAAA: aaaa a.mesh 3 50"},
	 "a.mesh 1 3, b.mesh 2 ttl 50 -6", .remembered = "a.mesh"},
	{"... where it is wanted", {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; +a a.mesh 1 60"}, "a.mesh 1 ttl 60",
	 .is_ipv4_only = true, .remembered = "a.mesh"},
	{"glue that this host cannot reach is not",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; +aaaa a.mesh 201 60", "a.mesh A: a a.mesh 1 60"}, "a.mesh 201 1 ttl 60"},
	{"glue is not enough for a program that wants the other family alone",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; +a a.mesh 1 60", "a.mesh AAAA: aaaa a.mesh 2 60"}, "a.mesh 1 2 ttl 60",
	 .needs = SM_IPV6},
	{"glue is not enough without the preferred family",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; +a a.mesh 1 60", "a.mesh AAAA: aaaa a.mesh 2 60"}, "a.mesh 1 2 ttl 60",
	 .family = SM_FAMILY_PREFER_IPV6},
	{"glue of the preferred family is",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; +aaaa a.mesh 1 60"}, "a.mesh 1 ttl 60 -4", .family = SM_FAMILY_PREFER_IPV6},
	{"glue = never asks for all",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; +a a.mesh 9 60", "a.mesh A: a a.mesh 1 60", "a.mesh AAAA: nodata 60"},
	 "a.mesh 1 ttl 60", .is_glue_never = true},
	{"glue of another section is asked for",
	 {"_api._tcp.mesh SRV: srv a.other 0 0 60; srv b.mesh 0 0 60; +a a.other 9 60; +a b.mesh 2 60", "a.other A: a a.other 1 60"},
	 "a.other 1, b.mesh 2 ttl 60", .is_ipv4_only = true},
	{"an alias into another section is asked for",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60", "a.mesh A: cname a.mesh a.other 20; a a.other 9 60", "a.other A: a a.other 1 60"},
	 "a.mesh 1 ttl 20", .is_ipv4_only = true},
	{"an SRV owner that is an alias into another section is asked for",
	 {"_api._tcp.mesh SRV: cname _api._tcp.mesh _x._tcp.other 20; srv@_x._tcp.other bad.mesh 0 0 60",
	  "_x._tcp.other SRV: srv a.other 0 0 60; +a a.other 1 60"},
	 "a.other 1 ttl 20", .is_ipv4_only = true},
	{"a family without an address on this host is left out",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60", "a.mesh A: a a.mesh 1 60"}, "a.mesh 1 ttl 60 -6", .host = SM_IPV4},
	{"it is asked for after all where the other has nothing",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; srv b.mesh 0 0 60", "a.mesh A: nodata 5", "b.mesh A: nxdomain 5",
	  "a.mesh AAAA: aaaa a.mesh 1 60"},
	 "a.mesh 1 ttl 5", .host = SM_IPV4},
	{"a name that does not exist has no other family",
	 {"_api._tcp.mesh SRV: nxdomain 5", "api.mesh A: nxdomain 5"}, "no name ttl 5", .host = SM_IPV4},
	{"where one failed the other is not asked for", {"_api._tcp.mesh SRV: srv a.mesh 0 0 60", "a.mesh A: fails"},
	 "failure ttl 0 ?4 -6", .host = SM_IPV4},
	{"a family that the last answer held is asked for", {"_api._tcp.mesh SRV: srv a.mesh 0 0 60", "a.mesh A: a a.mesh 1 60",
	  "a.mesh AAAA: aaaa a.mesh 2 60"}, "a.mesh 1 2 ttl 60", .host = SM_IPV4, .keeps = SM_IPV4_AND_IPV6},
	{"but glue without it is enough", {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; +a a.mesh 1 60"}, "a.mesh 1 ttl 60 -6",
	 .host = SM_IPV4, .keeps = SM_IPV4_AND_IPV6},
	{"where a family fails that was only kept, the rest is whole",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60", "a.mesh A: a a.mesh 1 60", "a.mesh AAAA: fails"}, "a.mesh 1 ttl 60 -6",
	 .host = SM_IPV4, .keeps = SM_IPV6},
	{"or that a program wanted alone", {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; +a a.mesh 1 60", "a.mesh AAAA: fails"},
	 "a.mesh 1 ttl 60 -6", .needs = SM_IPV6},
	{"but where both belong to the host, that one is uncertain",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60", "a.mesh A: a a.mesh 1 60", "a.mesh AAAA: fails"}, "a.mesh 1 ttl 60 ?6",
	 .needs = SM_IPV6},
	{"what was left out can be had later",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; srv b.mesh 0 0 60; +a a.mesh 1 60; +a b.mesh 2 50", "widen 6",
	  "a.mesh AAAA: aaaa a.mesh 3 60", "b.mesh AAAA: nodata 5"},
	 "a.mesh 1 3, b.mesh 2 ttl 50"},
	{"a program may want the other family while the SRV is under way",
	 {"widen 6", "_api._tcp.mesh SRV: srv a.mesh 0 0 60; +a a.mesh 1 60", "a.mesh AAAA: nodata 5"}, "a.mesh 1 ttl 60",
	 .host = SM_IPV4},
	{"the same SRV twice is one, whatever the case",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 1 60; srv b.mesh 0 1 60; srv a.mesh 0 1 50; +a a.mesh 1 60; +a b.mesh 2 60; +a a.mesh 1 60"},
	 "a.mesh 1, b.mesh 2 ttl 50", .is_ipv4_only = true},
	{"a plain host is asked for together with its SRV",
	 {"api.mesh AAAA: nodata 5", "api.mesh A: a api.mesh 9 60", "_api._tcp.mesh SRV: nxdomain 50"}, "api.mesh 9 ttl 5",
	 .is_plain = true},
	{"together with the last SRV of several",
	 {"_api._tcp.mesh SRV: nxdomain 50", "api.mesh A: a api.mesh 9 60", "api.mesh SRV: nxdomain 50"}, "api.mesh 9 ttl 50",
	 .is_plain = true, .two_templates = "_{service}._tcp.{domain} {name}", .is_ipv4_only = true},
	{"a plain host that has SRV now is none",
	 {"api.mesh A: a api.mesh 9 1", "_api._tcp.mesh SRV: srv a.mesh 0 0 60; +a a.mesh 1 60"}, "a.mesh 1 ttl 60 -6",
	 .is_plain = true},
	{"nor is one whose SRV nobody can tell", {"api.mesh A: a api.mesh 9 1", "_api._tcp.mesh SRV: fails"}, "failure ttl 0",
	 .is_plain = true},
	{"a plain host that became its own target is asked for once",
	 {"_api._tcp.mesh SRV: srv api.mesh 0 0 60", "api.mesh A: a api.mesh 9 60"}, "api.mesh 9 ttl 60", .is_plain = true,
	 .is_ipv4_only = true},
	{"targets that share a host ask for it once",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 1 60; srv a.mesh 0 2 60", "a.mesh A: a a.mesh 1 60"}, "a.mesh 1, a.mesh 1 ttl 60",
	 .is_ipv4_only = true},
	{"templates are tried in order until one exists",
	 {"_api._tcp.mesh SRV: nxdomain 5", "api.mesh SRV: srv a.mesh 0 0 60; +a a.mesh 1 60"}, "a.mesh 1 ttl 60", .is_ipv4_only = true,
	 .two_templates = "_{service}._tcp.{domain} {name}"},
	{"without SRV the name itself is asked",
	 {"_api._tcp.mesh SRV: nxdomain 5", "api.mesh A: a api.mesh 9 60", "api.mesh AAAA: nodata 5"}, "api.mesh 9 ttl 5"},
	{"NXDOMAIN everywhere is no name, for the shortest time",
	 {"_api._tcp.mesh SRV: nxdomain 50", "api.mesh A: nxdomain 40"}, "no name ttl 40", .is_ipv4_only = true},
	{"a name without addresses is no data", {"_api._tcp.mesh SRV: nxdomain 50", "api.mesh A: nodata 40"}, "no data ttl 40",
	 .is_ipv4_only = true},
	{"without fallback no SRV is no name", {"_api._tcp.mesh SRV: nodata 50"}, "no name ttl 50", .is_without_fallback = true},
	{"a root target denies without fallback", {"_api._tcp.mesh SRV: srv . 0 0 77"}, "no name ttl 77"},
	{"an SRV owner is not asked for addresses", {"_http._tcp.api.mesh SRV: nxdomain 50"}, "no name ttl 50",
	 .name = "_http._tcp.api.mesh"},
	{"no word on the SRV owner is a failure", {"_api._tcp.mesh SRV: fails"}, "failure ttl 0"},
	{"a failed target leaves its family uncertain",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60", "a.mesh AAAA: fails", "a.mesh A: a a.mesh 1 60"}, "a.mesh 1 ttl 60 ?6"},
	{"all targets failed is a failure",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; srv b.mesh 0 0 60", "a.mesh A: fails", "b.mesh A: nxdomain 5"}, "failure ttl 5 ?4",
	 .is_ipv4_only = true},
	{"CNAMEs are followed inside a message, and their TTLs count",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60", "a.mesh A: cname a.mesh b.mesh 20; cname b.mesh c.mesh 90; a c.mesh 3 60"},
	 "a.mesh 3 ttl 20", .is_ipv4_only = true},
	{"a CNAME that leads out of the message is asked again",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60", "a.mesh A: cname a.mesh host.example 20", "host.example A: a host.example 3 60"},
	 "a.mesh 3 ttl 20", .is_ipv4_only = true},
	{"an alias of the SRV owner is followed",
	 {"_api._tcp.mesh SRV: cname _api._tcp.mesh _web._tcp.mesh 20; srv@_web._tcp.mesh a.mesh 0 0 60; +a a.mesh 1 60"},
	 "a.mesh 1 ttl 20", .is_ipv4_only = true},
	{"no SRV is a link of the chain of a fallback",
	 {"_api._tcp.mesh SRV: nxdomain 7", "api.mesh A: a api.mesh 9 3600"}, "api.mesh 9 ttl 7", .is_ipv4_only = true},
	{"a missing target is looked for again in its time",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 600; srv b.mesh 0 0 600; +a a.mesh 1 600", "b.mesh A: nxdomain 30"}, "a.mesh 1 ttl 30",
	 .is_ipv4_only = true},
	{"metadata beside the SRV need no question",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; +a a.mesh 1 60; +txt a.mesh v=2 40; +txt a.mesh z=a 60"}, "a.mesh 1 [v=2 z=a] ttl 40",
	 .is_ipv4_only = true, .filter = BY_TARGET},
	{"and are passed over where no rule wants them",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; +a a.mesh 1 60; +txt a.mesh v=2 40"}, "a.mesh 1 ttl 60", .is_ipv4_only = true},
	{"metadata are asked for together with the addresses",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; srv b.mesh 0 0 60; +a b.mesh 2 60", "a.mesh TXT: txt a.mesh v=2 40",
	  "b.mesh TXT: nodata 50", "a.mesh A: a a.mesh 1 60"},
	 "a.mesh 1 [v=2], b.mesh 2 ttl 40", .is_ipv4_only = true, .filter = BY_TARGET},
	{"that a target has none is part of the answer",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; +a a.mesh 1 60", "a.mesh TXT: nodata 5"}, "a.mesh 1 ttl 5", .is_ipv4_only = true,
	 .filter = BY_TARGET},
	{"metadata that nobody can tell take no address away",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; +a a.mesh 1 60", "a.mesh TXT: fails"}, "a.mesh 1 ttl 60 ?m", .is_ipv4_only = true,
	 .filter = BY_TARGET},
	{"metadata of another section beside the SRV are asked for",
	 {"_api._tcp.mesh SRV: srv a.other 0 0 60; +a a.other 9 60; +txt a.other v=1 60", "a.other A: a a.other 1 60",
	  "a.other TXT: txt a.other v=2 60"},
	 "a.other 1 [v=2] ttl 60", .is_ipv4_only = true, .filter = BY_TARGET},
	{"an alias of a target is followed to its metadata",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; +a a.mesh 1 60", "a.mesh TXT: cname a.mesh host.example 20",
	  "host.example TXT: txt host.example v=2 60"},
	 "a.mesh 1 [v=2] ttl 20", .is_ipv4_only = true, .filter = BY_TARGET},
	{"the owner's metadata are those of all targets",
	 {"_api._tcp.mesh SRV: srv a.mesh 0 0 60; srv b.mesh 0 0 60; +a a.mesh 1 60; +a b.mesh 2 60; +txt a.mesh v=1 60",
	  "_api._tcp.mesh TXT: txt _api._tcp.mesh v=2 30"},
	 "a.mesh 1 [v=2], b.mesh 2 [v=2] ttl 30", .is_ipv4_only = true, .filter = BY_OWNER},
	{"those of an owner that is an alias are at its end",
	 {"_api._tcp.mesh SRV: cname _api._tcp.mesh _web._tcp.mesh 20; srv@_web._tcp.mesh a.mesh 0 0 60; +a a.mesh 1 60",
	  "_web._tcp.mesh TXT: txt _web._tcp.mesh v=2 60"},
	 "a.mesh 1 [v=2] ttl 20", .is_ipv4_only = true, .filter = BY_OWNER},
	{"a plain host has metadata of its own",
	 {"_api._tcp.mesh SRV: nxdomain 50", "api.mesh A: a api.mesh 9 60", "api.mesh TXT: txt api.mesh v=2 60"},
	 "api.mesh 9 [v=2] ttl 50", .is_ipv4_only = true, .filter = BY_TARGET},
	{"they are asked for together with its SRV, too",
	 {"api.mesh TXT: txt api.mesh v=2 60", "api.mesh A: a api.mesh 9 60", "_api._tcp.mesh SRV: nxdomain 50"},
	 "api.mesh 9 [v=2] ttl 50", .is_plain = true, .is_ipv4_only = true, .filter = BY_TARGET},
	{"but nobody owns its SRV", {"_api._tcp.mesh SRV: nxdomain 50", "api.mesh A: a api.mesh 9 60"}, "api.mesh 9 ttl 50",
	 .is_ipv4_only = true, .filter = BY_OWNER},
};

static uint8_t strings[8][64];
static size_t n_strings;
static char texts[64][80]; /* of the replies: they must outlive the story */
static size_t n_texts;

static const char *keep(const char *text)
{
	snprintf(texts[n_texts], sizeof(texts[0]), "%s", strcmp(text, ".") == 0 ? "" : text);
	return texts[n_texts++];
}

/* One item of a reply to the question of this name. false: the question fails. */
static bool add_item(const char *item, const char *question)
{
	char verb[64], owner[64], text[64];
	unsigned priority, weight, ttl_s, last;
	const char *type = item + (item[0] == '+');

	if (strcmp(item, "fails") == 0)
		return false;
	if (sscanf(item, "nxdomain %u", &ttl_s) == 1 || sscanf(item, "nodata %u", &ttl_s) == 1) {
		reply.rcode = item[1] == 'x' ? SM_RCODE_NXDOMAIN : 0;
		reply.has_soa = true;
		reply.negative_ttl_s = ttl_s;
	} else if (sscanf(type, "txt %63s %63s %u", owner, text, &ttl_s) == 3) {
		struct sm_target words;
		struct sm_dns_record *record = add_record(keep(owner), SM_RR_TXT, ttl_s);

		set_metadata(&words, text, strings[n_strings]);
		record->strings = strings[n_strings++];
		record->strings_size = words.metadata_size;
		record->is_additional = type != item;
	} else if (sscanf(item, "cname %63s %63s %u", owner, text, &ttl_s) == 3) {
		add_record(keep(owner), SM_RR_CNAME, ttl_s)->target = keep(text);
	} else if (sscanf(item, "%63s %63s %u %u %u", verb, text, &priority, &weight, &ttl_s) == 5) {
		add_srv(keep(verb[3] == '@' ? verb + 4 : question), keep(text), (uint16_t)priority, (uint16_t)weight, ttl_s);
	} else {
		assert_int_equal(sscanf(type, "%63s %63s %u %u", verb, owner, &last, &ttl_s), 4);
		add_address(keep(owner), strcmp(verb, "a") == 0 ? SM_RR_A : SM_RR_AAAA, (uint8_t)last, type != item, ttl_s);
	}
	return true;
}

static bool add_items(const char *items, const char *question)
{
	char copy[400];
	bool is_reply = true;

	snprintf(copy, sizeof(copy), "%s", items);
	for (char *item = strtok(copy, ";"); item; item = strtok(NULL, ";"))
		is_reply &= add_item(item + strspn(item, " "), question);
	return is_reply;
}

/* Questions that were handed out and not yet answered. */
static struct {
	char text[80];
	uint32_t number;
} pending[16];
static size_t n_pending;

static void draw_questions(void)
{
	const char *text;
	uint32_t number;

	while (strcmp(text = next(&number), "none") != 0) {
		snprintf(pending[n_pending].text, sizeof(pending[0].text), "%s", text);
		pending[n_pending++].number = number;
	}
}

static uint32_t take_pending(const char *question)
{
	for (size_t i = 0; i < n_pending; i++)
		if (strcmp(pending[i].text, question) == 0) {
			uint32_t number = pending[i].number;

			pending[i] = pending[--n_pending];
			return number;
		}
	fail_msg("nobody asks %s", question);
	return 0;
}

static void play_step(const char *step)
{
	char question[80], name[80];
	uint32_t number;

	if (sscanf(step, "widen %u", &number) == 1) {
		sm_expand_widen(&expand, number == 4 ? SM_IPV4 : SM_IPV6);
		return;
	}
	snprintf(question, sizeof(question), "%.*s", (int)strcspn(step, ":"), step);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(question, " "), question);
	draw_questions();
	number = take_pending(question);
	if (add_items(step + strlen(question) + 1, keep(name)))
		tell(number);
	else
		sm_expand_failed(&expand, number);
}

static void say_outcome(char *text, size_t size)
{
	static const char *const kinds[] = {"", "no name", "no data", "failure"};

	snprintf(text, size, "%s", kinds[answer.kind]);
	for (uint32_t i = 0; i < answer.n_targets; i++) {
		const struct sm_target *target = &answer.targets[i];

		snprintf(text + strlen(text), size - strlen(text), "%s%s", i ? ", " : "", target->name);
		for (uint32_t k = 0; k < target->n_addresses; k++) {
			const struct sm_address *address = &answer.addresses[target->first_address + k];

			snprintf(text + strlen(text), size - strlen(text), " %u", address->bytes[address->family == SM_IPV4 ? 3 : 15]);
		}
		for (size_t k = 0; k < target->metadata_size; k += 1U + target->metadata[k])
			snprintf(text + strlen(text), size - strlen(text), " %s%.*s%s", k == 0 ? "[" : "", target->metadata[k],
			         (const char *)target->metadata + k + 1,
			         k + 1U + target->metadata[k] == target->metadata_size ? "]" : "");
	}
	snprintf(text + strlen(text), size - strlen(text), " ttl %u%s%s%s%s%s", answer.ttl_s,
	         answer.uncertain_families & SM_IPV4 ? " ?4" : "", answer.uncertain_families & SM_IPV6 ? " ?6" : "",
	         answer.unasked_families & SM_IPV4 ? " -4" : "", answer.unasked_families & SM_IPV6 ? " -6" : "",
	         answer.is_metadata_unknown ? " ?m" : "");
}

static void play(void **state)
{
	const struct story *story = *state;
	char text[400];

	fresh(NULL);
	n_pending = n_texts = n_strings = 0;
	rule.pairs_key = story->filter != NO_FILTER;
	rule.metadata = story->filter == BY_OWNER ? SM_METADATA_OF_OWNER : SM_METADATA_OF_TARGET;
	rule.family = story->is_ipv4_only ? SM_FAMILY_IPV4 : story->family;
	rule.glue = story->is_glue_never ? SM_GLUE_NEVER : SM_GLUE_COMPLETE;
	means.is_plain = story->is_plain;
	means.families = story->host ? story->host : SM_IPV4_AND_IPV6;
	means.needs = story->needs;
	means.keeps = story->keeps;
	remembered = story->remembered;
	rule.fallback = story->is_without_fallback ? SM_FALLBACK_NONE : SM_FALLBACK_ADDRESS;
	if (story->two_templates) {
		rule.templates = story->two_templates;
		rule.n_templates = 2;
	}
	begin(story->name ? story->name : "api.mesh");
	for (int i = 0; i < STEPS_MAX && story->steps[i]; i++)
		play_step(story->steps[i]);
	draw_questions();
	assert_true(sm_expand_is_finished(&expand));
	sm_arena_clear(&room);
	sm_expand_answer(&expand, &room, &answer);
	say_outcome(text, sizeof(text));
	assert_string_equal(text, story->outcome);
}

/* ---- bounds, and what no story tells */

static void what_is_still_open_counts_as_failed(void **state)
{
	(void)state;
	begin("api.mesh");
	expect_question("_api._tcp.mesh SRV");
	assert_false(sm_expand_is_finished(&expand));
	sm_arena_clear(&room);
	sm_expand_answer(&expand, &room, &answer);
	assert_int_equal(answer.kind, SM_ANSWER_FAILURE);
}

/* ---- where nobody tells the targets of today */

static struct sm_answer old_answer;
static bool is_metadata_unknown;

static const struct sm_answer *old(void *context)
{
	static struct sm_target targets[] = {
		{.name = "a.other", .priority = 1, .weight = 2, .port = 80, .first_address = 0, .n_addresses = 1},
		{.name = "b.other", .priority = 1, .weight = 3, .port = 81, .first_address = 1, .n_addresses = 2},
	};
	static struct sm_address addresses[] = {{SM_IPV4, {10, 0, 0, 1}}, {SM_IPV4, {10, 0, 0, 2}}, {SM_IPV6, {[15] = 2}}};

	(void)context;
	old_answer = (struct sm_answer){.kind = SM_ANSWER_ADDRESSES, .n_targets = 2, .n_addresses = 3, .targets = targets,
	                                .addresses = addresses, .is_metadata_unknown = is_metadata_unknown};
	return &old_answer;
}

static void begin_with_old(void)
{
	rule.family = SM_FAMILY_IPV4;
	means.old = old;
	begin("api.mesh");
}

static void expect_of_old(uint8_t a, uint8_t b)
{
	finish(SM_ANSWER_ADDRESSES);
	assert_true(answer.is_of_old);
	assert_int_equal(answer.n_targets, (a > 0) + (b > 0));
	if (a)
		assert_int_equal(answer.addresses[answer.targets[0].first_address].bytes[3], a);
	assert_int_equal(answer.addresses[answer.targets[a > 0].first_address].bytes[3], b);
	assert_int_equal(answer.targets[a > 0].port, 81);
	assert_int_equal(answer.targets[a > 0].weight, 3);
}

static void where_nobody_tells_the_srv_records_the_targets_of_old_are_asked_for(void **state)
{
	uint32_t a, b;

	(void)state;
	begin_with_old();
	sm_expand_failed(&expand, expect_question("_api._tcp.mesh SRV"));
	a = expect_question("a.other A");
	b = expect_question("b.other A");
	add_address("a.other", SM_RR_A, 9, false, 60);
	tell(a);
	sm_expand_failed(&expand, b); /* its address of old stays */
	expect_of_old(9, 2);
}

/* What is known of it is in a record, behind which there is no room. */
static void metadata_of_old_are_not_asked_for_where_they_are_known(void **state)
{
	static const uint8_t of_old[] = "\3v=2";

	(void)state;
	old(NULL);
	begin_with_old();
	rule.pairs_key = 1;
	rule.metadata = SM_METADATA_OF_TARGET;
	old_answer.targets[0].metadata = of_old;
	old_answer.targets[0].metadata_size = 4;
	is_metadata_unknown = true;
	sm_expand_failed(&expand, expect_question("_api._tcp.mesh SRV"));
	expect_question("a.other A");
	expect_question("b.other A");
	expect_question("b.other TXT");
	expect_question("none");
	is_metadata_unknown = false;
	old_answer.targets[0].metadata = NULL;
	old_answer.targets[0].metadata_size = 0;
}

static void a_target_of_old_that_is_gone_is_left_out(void **state)
{
	uint32_t a;

	(void)state;
	begin_with_old();
	sm_expand_failed(&expand, expect_question("_api._tcp.mesh SRV"));
	a = expect_question("a.other A");
	add_address("b.other", SM_RR_A, 8, false, 60);
	tell(expect_question("b.other A"));
	tell_negative(a, SM_RCODE_NXDOMAIN, 5);
	expect_of_old(0, 8);
}

static void what_is_not_known_in_time_stays_as_it_was(void **state)
{
	(void)state;
	begin_with_old();
	expect_question("_api._tcp.mesh SRV");
	assert_true(sm_expand_settle_for_old(&expand));
	add_address("a.other", SM_RR_A, 9, false, 60);
	tell(expect_question("a.other A"));
	expect_question("b.other A");
	assert_false(sm_expand_settle_for_old(&expand));
	sm_expand_end_with_old(&expand);
	expect_of_old(9, 2);
}

static void where_the_srv_records_are_known_nothing_old_counts(void **state)
{
	(void)state;
	begin_with_old();
	add_srv("_api._tcp.mesh", "c.other", 1, 1, 60);
	tell(expect_question("_api._tcp.mesh SRV"));
	assert_false(sm_expand_settle_for_old(&expand));
	sm_expand_failed(&expand, expect_question("c.other A"));
	finish(SM_ANSWER_FAILURE);
}

static void a_circle_of_cnames_ends_as_a_failure(void **state)
{
	uint32_t number;
	int asked = 0;

	(void)state;
	rule.family = SM_FAMILY_IPV4;
	begin("api.mesh");
	tell_negative(expect_question("_api._tcp.mesh SRV"), SM_RCODE_NXDOMAIN, 5);
	while (strcmp(next(&number), "none") != 0) {
		add_record("api.mesh", SM_RR_CNAME, 20)->target = "b.mesh";
		add_record("b.mesh", SM_RR_CNAME, 20)->target = "api.mesh";
		tell(number);
		asked++;
	}
	assert_true(asked <= SM_HOPS_MAX + 1);
	finish(SM_ANSWER_FAILURE);
}

static void three_thousand_targets_stay_within_the_bounds(void **state)
{
	static char names[3000][16];
	uint32_t number, asked = 0;

	(void)state;
	begin("api.mesh");
	for (int i = 0; i < 3000; i++) {
		snprintf(names[i], sizeof(names[i]), "t%d.mesh", i);
		add_srv("_api._tcp.mesh", names[i], (uint16_t)(3000 - i), 0, 60);
	}
	tell(expect_question("_api._tcp.mesh SRV"));
	assert_string_equal(next(&number), "t2999.mesh A");
	do {
		asked++;
		add_address(sm_expand_is_finished(&expand) ? "" : expand.questions[number].asks.name,
		            (uint16_t)expand.questions[number].asks.type, 1, false, 60);
		tell(number);
	} while (strcmp(next(&number), "none") != 0);
	assert_int_equal(asked, 2 * SM_TARGETS_MAX);
	finish(SM_ANSWER_ADDRESSES);
	assert_int_equal(answer.n_targets, SM_TARGETS_MAX);
	assert_int_equal(answer.n_addresses, 2 * SM_TARGETS_MAX);
	assert_int_equal(answer.n_cut, 3000 - SM_TARGETS_MAX);
	assert_string_equal(answer.targets[0].name, "t2999.mesh");
}

/* Of 2,048 equal targets a thousand are kept, and others the next time. */
static void a_set_that_is_cut_is_a_sample(void **state)
{
	static char names[2048][16];
	char first[2][16 * 64];

	(void)state;
	rule.glue = SM_GLUE_NEVER;
	for (int round = 0; round < 2; round++) {
		means.seed = (uint64_t)round * 7919 + 1;
		begin("api.mesh");
		for (int i = 0; i < 2048; i++) {
			snprintf(names[i], sizeof(names[i]), "t%d.mesh", i);
			add_srv("_api._tcp.mesh", names[i], 0, 1, 60);
		}
		tell(expect_question("_api._tcp.mesh SRV"));
		assert_int_equal(expand.n_targets, SM_TARGETS_MAX);
		first[round][0] = '\0';
		for (int i = 0; i < 64; i++)
			strcat(first[round], expand.targets[i].is.name);
	}
	assert_string_not_equal(first[0], first[1]);
	rule.glue = SM_GLUE_COMPLETE;
}

static void tell_targets(int n)
{
	static char names[SM_TARGETS_MAX][16];

	for (int i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "t%d.mesh", i);
		add_srv("_api._tcp.mesh", names[i], 0, 0, 60);
	}
	tell(expect_question("_api._tcp.mesh SRV"));
}

static void all_of_one_family_is_asked_before_any_of_the_other(void **state)
{
	uint32_t number;

	(void)state;
	begin("api.mesh");
	tell_targets(50);
	for (int i = 0; i < 100; i++) {
		assert_string_not_equal(next(&number), "none");
		assert_int_equal(expand.questions[number].asks.type, i < 50 ? SM_RR_A : SM_RR_AAAA);
	}
	assert_string_equal(next(&number), "none");
}

static void what_a_bound_cut_off_is_not_called_missing(void **state)
{
	static char names[SM_QUESTIONS_MAX][16];
	uint32_t number, n = 0;

	(void)state;
	begin("api.mesh");
	tell_targets(SM_TARGETS_MAX);
	for (; strcmp(next(&number), "none") != 0; n++) {
		snprintf(names[n], sizeof(names[n]), "x%u.mesh", n);
		add_cname(expand.questions[number].asks.name, names[n], 60);
		tell(number);
	}
	assert_int_equal(n, SM_QUESTIONS_MAX - 1);
	finish(SM_ANSWER_FAILURE);
}

static void families_of_which_a_bound_cut_off_addresses_are_told(void **state)
{
	uint32_t number;

	(void)state;
	begin("api.mesh");
	tell_targets(SM_TARGETS_MAX);
	while (strcmp(next(&number), "none") != 0) {
		for (uint8_t i = 0; i < 5 && expand.questions[number].asks.type == SM_RR_A; i++)
			add_address(expand.questions[number].asks.name, SM_RR_A, i, false, 60);
		reply.has_soa = true;
		tell(number);
	}
	finish(SM_ANSWER_ADDRESSES);
	assert_int_equal(answer.n_addresses, SM_ADDRESSES_MAX);
	assert_int_equal(answer.cut_families, SM_IPV4);
	assert_int_equal(answer.unasked_families, 0);
	assert_int_equal(answer.uncertain_families, 0);
}

/* A plain host whose server sends no SOA: the name has no SRV, and its address lives for a minute. */
static uint32_t ttl_of_a_plain_host(bool has_soa, uint32_t negative_ttl_ms)
{
	begin("plain.mesh");
	rule.negative_ttl_ms = negative_ttl_ms;
	reply.has_soa = has_soa;
	reply.negative_ttl_s = has_soa ? 3 : 0;
	tell(expect_question("_plain._tcp.mesh SRV"));
	add_address("plain.mesh", SM_RR_A, 9, false, 60);
	tell(expect_question("plain.mesh A"));
	reply.has_soa = true;
	reply.negative_ttl_s = 3600;
	tell(expect_question("plain.mesh AAAA"));
	finish(SM_ANSWER_ADDRESSES);
	return answer.ttl_s;
}

static void a_denial_without_soa_lives_as_long_as_the_rule_says_and_the_address(void **state)
{
	uint32_t number;

	(void)state;
	assert_int_equal(ttl_of_a_plain_host(true, 10000), 3);
	assert_int_equal(ttl_of_a_plain_host(false, 10000), 10);
	assert_int_equal(ttl_of_a_plain_host(false, 600000), 60);
	begin("none.mesh");
	rule.negative_ttl_ms = 10000;
	for (int i = 0; i < 3; i++) {
		assert_string_not_equal(next(&number), "none");
		reply.rcode = SM_RCODE_NXDOMAIN;
		tell(number);
	}
	finish(SM_ANSWER_NO_NAME);
	assert_int_equal(answer.ttl_s, 0); /* a denial that does not say how long is not to be kept (RFC 2308, 5) */
	rule.negative_ttl_ms = 0;
}

/* All is known but the metadata of the one target; returns the question for them. */
static uint32_t ask_metadata(void)
{
	uint32_t number;

	rule.pairs_key = 1;
	begin("api.mesh");
	number = expect_question("_api._tcp.mesh SRV");
	add_srv("_api._tcp.mesh", "a.mesh", 0, 0, 60);
	add_address("a.mesh", SM_RR_A, 1, true, 60);
	tell(number);
	return expect_question("a.mesh TXT");
}

static void metadata_are_cut_at_a_whole_pair(void **state)
{
	static uint8_t pairs[16][256];
	uint32_t number = ask_metadata();

	(void)state;
	for (int i = 0; i < 16; i++) {
		struct sm_dns_record *record = add_record("a.mesh", SM_RR_TXT, 60);

		pairs[i][0] = 255;
		memset(pairs[i] + 1, 'a' + i, 255);
		record->strings = pairs[i];
		record->strings_size = 256;
	}
	tell(number);
	finish(SM_ANSWER_ADDRESSES);
	assert_true(answer.is_metadata_cut && !answer.is_metadata_unknown);
	assert_true(sm_answer_is_cut(&answer));
	assert_int_equal(answer.targets[0].metadata_size, 1024);
	for (int i = 0; i < 4; i++)
		assert_memory_equal(answer.targets[0].metadata + 256 * i, pairs[i], 256);
}

/* Without them it is not known which target suits; a preference can do without. */
static void metadata_are_waited_for_by_a_filter(void **state)
{
	uint32_t number = ask_metadata();

	(void)state;
	assert_true(sm_expand_is_settled(&expand, SM_IPV4));
	rule.filter.n = 1;
	assert_false(sm_expand_is_settled(&expand, SM_IPV4));
	rule.filter.n = 0; /* it has no pairs here */
	sm_arena_clear(&room);
	sm_expand_answer(&expand, &room, &answer);
	assert_int_equal(answer.kind, SM_ANSWER_ADDRESSES); /* what is known so far */
	assert_true(answer.is_metadata_unknown);
	tell_negative(number, 0, 60);
	assert_true(sm_expand_is_settled(&expand, SM_IPV4));
}

static void one_family_may_be_settled_before_the_other(void **state)
{
	uint32_t a, aaaa;

	(void)state;
	begin("api.mesh");
	tell_negative(expect_question("_api._tcp.mesh SRV"), SM_RCODE_NXDOMAIN, 7);
	a = expect_question("api.mesh A");
	aaaa = expect_question("api.mesh AAAA");
	assert_false(sm_expand_is_settled(&expand, SM_IPV4));
	add_address("api.mesh", SM_RR_A, 9, false, 60);
	tell(a);
	assert_true(sm_expand_is_settled(&expand, SM_IPV4));
	assert_false(sm_expand_is_settled(&expand, SM_IPV6));
	assert_false(sm_expand_is_finished(&expand));
	sm_expand_failed(&expand, aaaa);
	finish(SM_ANSWER_ADDRESSES);
}

static void a_late_second_reply_changes_nothing(void **state)
{
	uint32_t number;

	(void)state;
	rule.family = SM_FAMILY_IPV4;
	begin("api.mesh");
	number = expect_question("_api._tcp.mesh SRV");
	add_srv("_api._tcp.mesh", "", 0, 0, 60);
	tell(number);
	add_srv("_api._tcp.mesh", "a.mesh", 0, 0, 60);
	tell(number);
	sm_expand_failed(&expand, number);
	finish(SM_ANSWER_NO_NAME);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)
static const struct CMUnitTest tests[] = {
	TEST(a_denial_without_soa_lives_as_long_as_the_rule_says_and_the_address),
	TEST(what_is_still_open_counts_as_failed),
	TEST(where_nobody_tells_the_srv_records_the_targets_of_old_are_asked_for),
	TEST(metadata_of_old_are_not_asked_for_where_they_are_known),
	TEST(a_target_of_old_that_is_gone_is_left_out),
	TEST(what_is_not_known_in_time_stays_as_it_was),
	TEST(where_the_srv_records_are_known_nothing_old_counts),
	TEST(a_circle_of_cnames_ends_as_a_failure),
	TEST(a_set_that_is_cut_is_a_sample),
	TEST(three_thousand_targets_stay_within_the_bounds),
	TEST(what_a_bound_cut_off_is_not_called_missing),
	TEST(families_of_which_a_bound_cut_off_addresses_are_told),
	TEST(all_of_one_family_is_asked_before_any_of_the_other),
	TEST(metadata_are_cut_at_a_whole_pair),
	TEST(metadata_are_waited_for_by_a_filter),
	TEST(one_family_may_be_settled_before_the_other),
	TEST(a_late_second_reply_changes_nothing),
};

STORIES_MAIN(stories, play, tests)
