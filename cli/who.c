/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh who: which names lead to an address. */
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/hostmap.h"
#include "cli/lifetime.h"
#include "cli/sheet.h"
#include "cli/talk.h"
#include "conf/value.h"
#include "mesh/record.h"
#include "mesh/text.h"

#include <stdio.h>
#include <string.h>

enum { NAME, TARGET, PORT, ADDRESS, STATE, N_COLUMNS };

static const struct sm_column columns[N_COLUMNS] = {
	[NAME] = {"NAME", "name", SM_COLUMN_TEXT, false},       [TARGET] = {"TARGET", "target", SM_COLUMN_TEXT, false},
	[PORT] = {"PORT", "port", SM_COLUMN_NUMBER, false},     [ADDRESS] = {"ADDRESS", "address", SM_COLUMN_TEXT, false},
	[STATE] = {"STATE", "state", SM_COLUMN_STATE, false},
};

struct search {
	struct sm_server wanted; /* port 0: any */
	struct sm_sheet *sheet;
	int64_t now_ns;
};

static void look_at(const struct search *search, const struct sm_name *name, const struct sm_answer *answer,
                    const struct sm_times *times, const struct sm_target *target)
{
	for (uint32_t i = 0; i < target->n_addresses; i++) {
		const struct sm_address *address = &answer->addresses[target->first_address + i];
		char text[SM_TEXT_ADDRESS_MAX];
		const struct sm_cell cells[N_COLUMNS] = {
			[NAME] = sm_cell_text(name->text),
			[TARGET] = sm_cell_text(target->name),
			[PORT] = {.number = target->port, .is_known = target->port != 0},
			[ADDRESS] = sm_cell_text(text),
			[STATE] = sm_cell_text(sm_lifetime_word(times, search->now_ns)),
		};

		if (memcmp(address, &search->wanted.address, sizeof(*address)) != 0 ||
		    (search->wanted.port != 0 && search->wanted.port != target->port))
			continue;
		sm_text_address(address, text);
		sm_sheet_row(search->sheet, cells);
	}
}

static void look(void *context, const struct sm_name *name, const void *record, size_t size)
{
	SM_SCOPE_ARENA struct sm_arena arena = sm_arena_growing(SM_ANSWER_MEMORY_MAX);
	const struct search *search = context;
	struct sm_answer answer;
	struct sm_times times;

	if (sm_record_decode(name, record, size, &arena, &answer, &times) != SM_OK)
		return;
	for (uint32_t i = 0; i < answer.n_targets; i++)
		look_at(search, name, &answer, &times, &answer.targets[i]);
}

static enum exit_code find(const struct sm_conf *conf, struct search *search, const char *word)
{
	struct sm_mapped mapped;
	enum sm_status status = sm_hostmap_open(conf, &mapped);
	bool is_whole;

	if (status != SM_OK) {
		fprintf(stderr, "srvmesh: %s: %s\n", conf->host.directory[0] ? conf->host.directory : "no directory",
		        sm_hostmap_why_not(status));
		return EXIT_NO;
	}
	is_whole = sm_hostmap_each(&mapped, look, search, SIZE_MAX);
	sm_reader_unmap(&mapped);
	if (!is_whole)
		fprintf(stderr, "srvmesh: %s: the host map is damaged\n", conf->host.directory);
	else if (sm_sheet_rows(search->sheet) == 0)
		fprintf(stderr, "srvmesh: no name that is kept on this host leads to %s\n", word);
	if (!sm_sheet_show(search->sheet))
		return EXIT_NO;
	return is_whole && sm_sheet_rows(search->sheet) > 0 ? EXIT_GOOD : EXIT_NO;
}

static bool read_endpoint(const char *word, struct sm_server *ret)
{
	return sm_value_address(word, ret) == SM_OK ? (ret->port = 0, true) : sm_value_server_with(word, 0, ret) == SM_OK;
}

static enum exit_code run(const struct sm_call *call)
{
	struct search search = {.now_ns = sm_clock_now_ns()};
	struct sm_conf *conf;
	enum exit_code code;

	if (!read_endpoint(call->words[0], &search.wanted)) {
		fprintf(stderr, "srvmesh: \"%s\" is no address; expected one such as 192.0.2.1, 192.0.2.1:80, 2001:db8::1 or "
		        "[2001:db8::1]:80\n", call->words[0]);
		return EXIT_USAGE;
	}
	conf = sm_talk_conf();
	search.sheet = sm_sheet_open(columns, N_COLUMNS);
	code = find(conf, &search, call->words[0]);
	sm_sheet_close(search.sheet);
	sm_conf_free(conf);
	return code;
}

const struct sm_command sm_command_who = {
	"who", "ADDRESS[:PORT]", "which names lead to an address", false, 1, 1, SM_COMPLETE_NOTHING, NULL, run,
};
