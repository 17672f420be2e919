/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/lifetime.h"

#include "base/clock.h"
#include "cli/sheet.h"
#include "find/trace.h"
#include "mesh/reply.h"
#include "mesh/text.h"

#include <stdio.h>

#define LEAD 17 /* columns of the words that lines begin with */

const char *sm_lifetime_type(uint16_t type)
{
	return type == SM_RR_SRV ? "SRV" : type == SM_RR_AAAA ? "AAAA" : "A";
}

const char *sm_lifetime_word(const struct sm_times *times, int64_t now_ns)
{
	return sm_trace_state(times, now_ns);
}

/* A moment of the clock of lifetimes, on the wall's. */
static int64_t wall_ms(int64_t at_ns, int64_t now_ns)
{
	return (sm_clock_wall_ns() + (at_ns - now_ns)) / SM_NS_PER_MS;
}

void sm_lifetime_lead(const char *word)
{
	printf("  %-*s", LEAD - 2, word);
}

void sm_lifetime_print_origin(const struct sm_inquiry *inquiry)
{
	const struct sm_origin *origin = &inquiry->origin;
	char server[SM_TEXT_ENDPOINT_MAX], took[SM_SHEET_TIME_MAX], ago[SM_SHEET_TIME_MAX];

	if (!inquiry->has_origin)
		return;
	sm_text_server(&origin->server, server);
	sm_sheet_ns(origin->took_us * 1000LL, took);
	sm_sheet_ms((inquiry->now_ns - inquiry->times.made_ns) / SM_NS_PER_MS, ago);
	sm_lifetime_lead("asked");
	printf("%s %s  at %s%s  %s ago, %s%s, not authenticated\n", origin->owner.text, sm_lifetime_type(origin->type), server,
	       origin->server.is_stream ? " (TCP)" : "", ago, took, origin->is_of_other_host ? ", by another host" : "");
}

void sm_lifetime_print(const struct sm_inquiry *inquiry)
{
	const struct sm_times *times = &inquiry->times;
	int64_t now_ns = inquiry->now_ns, left_ms = (times->expires_ns - now_ns) / SM_NS_PER_MS;
	bool may_be_stale = times->stale_ns > now_ns && times->stale_ns > times->expires_ns;
	char left[SM_SHEET_TIME_MAX], until[SM_SHEET_TIME_MAX];

	sm_sheet_clock(wall_ms(times->stale_ns, now_ns), sm_clock_wall_ns() / SM_NS_PER_MS, until);
	sm_sheet_ms(left_ms < 0 ? -left_ms : left_ms, left);
	sm_lifetime_lead("kept");
	if (left_ms > 0)
		printf("%s more%s", left, inquiry->answer.kind == SM_ANSWER_ADDRESSES ? ", then renewed while in use" : "");
	else if (may_be_stale)
		printf("expired %s ago", left);
	else
		printf("for nobody: it is not used again");
	if (may_be_stale)
		printf("; %sstale until %s if DNS is silent", left_ms > 0 ? "" : "still ", until);
	putchar('\n');
}

static void write_origin(const struct sm_inquiry *inquiry, struct sm_json *json)
{
	const struct sm_origin *origin = &inquiry->origin;
	char server[SM_TEXT_ENDPOINT_MAX];

	if (!inquiry->has_origin) {
		sm_json_null(json, "origin");
		return;
	}
	sm_text_server(&origin->server, server);
	sm_json_begin_object(json, "origin");
	sm_json_text(json, "owner", origin->owner.text);
	sm_json_text(json, "type", sm_lifetime_type(origin->type));
	sm_json_text(json, "server", server);
	sm_json_text(json, "transport", origin->server.is_stream ? "tcp" : "udp");
	sm_json_decimal(json, "took_ms", origin->took_us / 1e3);
	sm_json_number(json, "rcode", origin->rcode);
	sm_json_bool(json, "authenticated", false);
	sm_json_bool(json, "of_other_host", origin->is_of_other_host);
	sm_json_end_object(json);
}

void sm_lifetime_write(const struct sm_inquiry *inquiry, struct sm_json *json)
{
	const struct sm_times *times = &inquiry->times;
	char moment[SM_SHEET_TIME_MAX];

	if (!inquiry->has_answer) {
		sm_json_null(json, "state");
		sm_json_null(json, "age_ms");
		sm_json_null(json, "expires_in_ms");
		sm_json_null(json, "stale_until");
		sm_json_null(json, "origin");
		return;
	}
	sm_json_text(json, "state", sm_lifetime_word(times, inquiry->now_ns));
	sm_json_number(json, "age_ms", (inquiry->now_ns - times->made_ns) / SM_NS_PER_MS);
	sm_json_number(json, "expires_in_ms", (times->expires_ns - inquiry->now_ns) / SM_NS_PER_MS);
	sm_sheet_moment(wall_ms(times->stale_ns, inquiry->now_ns), moment);
	sm_json_text(json, "stale_until", times->stale_ns > times->expires_ns ? moment : NULL);
	write_origin(inquiry, json);
}
