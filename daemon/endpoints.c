/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/endpoints.h"

#include "base/clock.h"
#include "base/usdt.h"
#include "daemon/log.h"
#include "mesh/text.h"

#include <stdio.h>
#include <stdlib.h>

SM_USDT_DEFINE(health);

#define WHY_MAX 64
#define LINE_MAX_BYTES (SM_TEXT_ENDPOINT_MAX + SM_NAME_MAX + WHY_MAX + 100)

static void write_why(const struct sm_watched *watched, char text[WHY_MAX])
{
	static const char *const words[] = {
		[SM_REASON_NEW] = "never in doubt",
		[SM_REASON_BEFORE] = "known from before the start",
		[SM_REASON_CONNECTION] = "seen on a connection of this host",
		[SM_REASON_ANSWERED] = "answers",
		[SM_REASON_REFUSED] = "refused",
		[SM_REASON_SILENT] = "no answer",
		[SM_REASON_UNREACHABLE] = "unreachable",
		[SM_REASON_UNKNOWN] = "not known",
	};
	uint32_t n = watched->n_failures;

	if (watched->state != SM_HEALTH_DOWN || watched->reason != SM_REASON_SILENT || n < 2)
		snprintf(text, WHY_MAX, "%s", words[watched->reason]);
	else if (n == 2)
		snprintf(text, WHY_MAX, "no answer twice");
	else
		snprintf(text, WHY_MAX, "no answer %u times", n);
}

void sm_endpoints_log(const struct sm_watched *watched, const struct sm_name *name)
{
	enum sm_log_level level = SM_LOG_DEBUG;
	const char *event = watched->state == SM_HEALTH_DOUBT ? "a target is in doubt" : "a doubt is over";
	char endpoint[SM_TEXT_ENDPOINT_MAX], why[WHY_MAX];

	if (watched->state == SM_HEALTH_DOWN) {
		level = SM_LOG_WARNING;
		event = "a target is down";
	} else if (watched->state == SM_HEALTH_UP && watched->told == SM_HEALTH_DOWN) {
		level = SM_LOG_INFO;
		event = "a target is up again";
	}

	sm_text_endpoint(&watched->is.address, "", watched->is.port, endpoint);
	write_why(watched, why);
	SM_USDT_2(health, endpoint, watched->state);
	sm_log_rarely(level, event, "endpoint", endpoint, "why", why, "name", name->text, NULL);
}

static int write_line(const struct sm_watched *watched, const struct sm_name *name, int64_t now_ns, char *text)
{
	static const char *const states[] = {[SM_HEALTH_UP] = "up", [SM_HEALTH_DOUBT] = "doubt", [SM_HEALTH_DOWN] = "down"};
	int64_t next_ns = watched->is_probing || watched->due_ns < now_ns ? now_ns : watched->due_ns;
	char endpoint[SM_TEXT_ENDPOINT_MAX], why[WHY_MAX], next[32] = "-";

	sm_text_endpoint(&watched->is.address, "", watched->is.port, endpoint);
	write_why(watched, why);
	if (next_ns != INT64_MAX)
		snprintf(next, sizeof(next), "%lld", (long long)((next_ns - now_ns) / SM_NS_PER_MS));
	return snprintf(text, LINE_MAX_BYTES, "%s\t%u\t%s\t%s\t%lld\t%s\t%s\n", endpoint, watched->n_names, name->text,
	                states[watched->state], (long long)((now_ns - watched->since_ns) / SM_NS_PER_MS), why, next);
}

static void make_table(struct sm_endpoints_text *table, const struct sm_health *health, const struct sm_name *names,
                       int64_t now_ns)
{
	free(table->text);
	table->text = malloc((health ? health->n : 0) * (size_t)LINE_MAX_BYTES + 1);
	table->size = 0;
	table->made_ns = now_ns;
	for (uint32_t i = 0; table->text && health && i < health->top; i++)
		if (health->known[i].is_used)
			table->size += (size_t)write_line(&health->known[i], &names[i], now_ns, table->text + table->size);
}

void sm_endpoints_reply(struct sm_endpoints_text *table, const struct sm_health *health, const struct sm_name *names,
                        struct sm_client *client)
{
	int64_t now_ns = sm_clock_now_ns();

	if (!table->text || now_ns - table->made_ns >= SM_NS_PER_S)
		make_table(table, health, names, now_ns);
	if (table->text)
		sm_client_reply(client, SM_FRAME_TEXT, table->text, table->size);
	else
		sm_client_reply(client, SM_FRAME_BUSY, NULL, 0);
}
