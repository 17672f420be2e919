/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/targets.h"

#include "base/clock.h"
#include "cli/memory.h"
#include "cli/talk.h"
#include "mesh/text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WHY_MAX 256

enum { PRIORITY, WEIGHT, TARGET, PORT, ADDRESSES, STATE, SHARE, WHY, N_COLUMNS };

static const struct sm_column columns[N_COLUMNS] = {
	[PRIORITY] = {"PRIO", "priority", SM_COLUMN_NUMBER, false},
	[WEIGHT] = {"WEIGHT", "weight", SM_COLUMN_NUMBER, false},
	[TARGET] = {"TARGET", "target", SM_COLUMN_TEXT, false},
	[PORT] = {"PORT", "port", SM_COLUMN_NUMBER, false},
	[ADDRESSES] = {"ADDRESS", "addresses", SM_COLUMN_LIST, false},
	[STATE] = {"STATE", "state", SM_COLUMN_STATE, false},
	[SHARE] = {"SHARE", "share", SM_COLUMN_SHARE, false},
	[WHY] = {"WHY", "why", SM_COLUMN_TEXT, false},
};

/* "no answer twice, since 14:01:09", of the first address that srvmeshd knows to be down. */
static bool why_down(const struct sm_inquiry *inquiry, const struct sm_target *target, const char *health, char ret[WHY_MAX])
{
	char *copy = health ? sm_memory(strdup(health)) : NULL, *rest = copy;
	const char *fields[6];
	bool is_found = false;

	while (!is_found && rest && sm_talk_line(&rest, fields, 6)) {
		for (uint32_t i = 0; i < target->n_addresses && !is_found; i++) {
			char endpoint[SM_TEXT_ENDPOINT_MAX], clock[16];
			time_t since;
			struct tm local;

			sm_text_endpoint(&inquiry->answer.addresses[target->first_address + i], "", target->port, endpoint);
			if (strcmp(fields[0], endpoint) != 0 || strcmp(fields[3], "down") != 0)
				continue;
			since = (time_t)((sm_clock_wall_ns() / SM_NS_PER_MS - strtoll(fields[4], NULL, 10)) / 1000);
			localtime_r(&since, &local);
			strftime(clock, sizeof(clock), "%H:%M:%S", &local);
			snprintf(ret, WHY_MAX, "%s, since %s", fields[5], clock);
			is_found = true;
		}
	}
	free(copy);
	return is_found;
}

static const char *family_word(const struct sm_inquiry *inquiry)
{
	uint8_t preferred = sm_rule_preferred_family(inquiry->rule);
	uint8_t families = inquiry->families != SM_IPV4_AND_IPV6 ? inquiry->families : preferred ? preferred : SM_IPV4_AND_IPV6;

	if (families == SM_IPV4_AND_IPV6)
		return "address of a family that is asked for";
	return families == SM_IPV4 ? "IPv4 address" : "IPv6 address";
}

static void write_why(const struct sm_inquiry *inquiry, uint32_t at, const struct sm_standing *standing,
                      const struct sm_concessions *concessions, const char *health, char ret[WHY_MAX])
{
	const struct sm_target *target = &inquiry->answer.targets[at];
	const struct sm_rule *rule = inquiry->rule;

	ret[0] = '\0';
	if (standing->is_down && !why_down(inquiry, target, health, ret))
		snprintf(ret, WHY_MAX, "down");
	switch (standing->kind) {
	case SM_STANDING_IN:
	case SM_STANDING_DOWN:
		break;
	case SM_STANDING_UNPREFERRED:
		snprintf(ret, WHY_MAX, "after those that are preferred by %s", rule->prefer.text);
		break;
	case SM_STANDING_SPARE:
		snprintf(ret, WHY_MAX, "priority %u is for when %u has none", target->priority, concessions->priority);
		break;
	case SM_STANDING_PANIC:
		snprintf(ret, WHY_MAX, "too few targets of priority %u are up", target->priority);
		break;
	case SM_STANDING_FILTERED:
		snprintf(ret, WHY_MAX, "the filter %s leaves it out", rule->filter.text);
		break;
	case SM_STANDING_PORT:
		snprintf(ret, WHY_MAX, "port = %u wants another port", rule->port);
		break;
	case SM_STANDING_NO_ADDRESS:
		snprintf(ret, WHY_MAX, inquiry->answer.uncertain_families ? "its address could not be found" : "it has no "
		         "address");
		break;
	case SM_STANDING_FAMILY:
		snprintf(ret, WHY_MAX, "it has no %s", family_word(inquiry));
		break;
	case SM_STANDING_UNREACHABLE:
		snprintf(ret, WHY_MAX, "this host has no route to it");
		break;
	}
}

static void write_addresses(const struct sm_answer *answer, const struct sm_target *target, char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (uint32_t i = 0; i < target->n_addresses && used + SM_TEXT_ADDRESS_MAX + 1 < size; i++) {
		char text[SM_TEXT_ADDRESS_MAX];

		sm_text_address(&answer->addresses[target->first_address + i], text);
		used += (size_t)snprintf(ret + used, size - used, "%s%s", i ? "," : "", text);
	}
}

static void add_row(struct sm_sheet *sheet, const struct sm_inquiry *inquiry, uint32_t at, const struct sm_standing *standing,
                    const struct sm_concessions *concessions, const char *health)
{
	const struct sm_target *target = &inquiry->answer.targets[at];
	bool is_in = standing->kind == SM_STANDING_IN, is_srv = target->port != 0;
	char why[WHY_MAX], addresses[4096];
	const struct sm_cell cells[N_COLUMNS] = {
		[PRIORITY] = {.number = target->priority, .is_known = is_srv},
		[WEIGHT] = {.number = target->weight, .is_known = is_srv},
		[TARGET] = {.text = target->name},
		[PORT] = {.number = target->port, .is_known = is_srv},
		[ADDRESSES] = {.text = addresses},
		[STATE] = {.text = inquiry->rule->health == SM_HEALTH_OFF ? NULL : standing->is_down ? "down" : "up"},
		[SHARE] = {.number = standing->share_ppm, .is_known = is_in},
		[WHY] = {.text = why},
	};

	write_why(inquiry, at, standing, concessions, health, why);
	write_addresses(&inquiry->answer, target, addresses, sizeof(addresses));
	sm_sheet_row(sheet, cells);
}

struct sm_sheet *sm_targets_sheet(const struct sm_inquiry *inquiry, const char *health, struct sm_concessions *ret)
{
	struct sm_standing *standings = sm_memory(calloc(inquiry->answer.n_targets + 1U, sizeof(*standings)));
	struct sm_sheet *sheet = sm_sheet_open(columns, N_COLUMNS);

	*ret = (struct sm_concessions){.is_empty = true};
	sm_standings(&inquiry->answer, inquiry->rule, inquiry->families, inquiry->now_ns, standings, ret);
	for (uint32_t i = 0; i < inquiry->answer.n_targets; i++)
		add_row(sheet, inquiry, i, &standings[i], ret, health);
	free(standings);
	return sheet;
}
