/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh cache: what is kept on this host, and having it asked for again. */
#include "base/clock.h"
#include "base/scope.h"
#include "cli/commands.h"
#include "cli/hostmap.h"
#include "cli/inquiry.h"
#include "cli/lifetime.h"
#include "cli/sheet.h"
#include "cli/talk.h"
#include "cli/targets.h"
#include "cli/terms.h"
#include "mesh/pattern.h"
#include "mesh/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_pattern(const char *word, struct sm_name *ret)
{
	if (sm_pattern_parse(word, strlen(word), ret->text) != SM_OK) {
		fprintf(stderr, "srvmesh: \"%s\" is neither a name nor a pattern of names such as *.mesh\n", word);
		return false;
	}
	ret->length = (uint8_t)strlen(ret->text);
	return true;
}

static const char *kind_word(enum sm_answer_kind kind)
{
	static const char *const words[] = {
		[SM_ANSWER_ADDRESSES] = "addresses", [SM_ANSWER_NO_NAME] = "no-name",
		[SM_ANSWER_NO_DATA] = "no-data", [SM_ANSWER_FAILURE] = "failure",
	};

	return words[kind];
}

/* ---- list */

enum { NAME, STATE, KIND, LEFT, AGE, BYTES, N_COLUMNS };

static const struct sm_column columns[N_COLUMNS] = {
	[NAME] = {"NAME", "name", SM_COLUMN_TEXT, true},
	[STATE] = {"STATE", "state", SM_COLUMN_STATE, false},
	[KIND] = {"KIND", "kind", SM_COLUMN_TEXT, false},
	[LEFT] = {"LEFT", "expires_in_ms", SM_COLUMN_MS, false},
	[AGE] = {"AGE", "age_ms", SM_COLUMN_MS, false},
	[BYTES] = {"BYTES", "bytes", SM_COLUMN_NUMBER, false},
};

struct listing {
	const char *pattern;
	struct sm_sheet *sheet;
	int64_t now_ns;
};

static void list_one(void *context, const struct sm_name *name, const void *record, size_t size)
{
	const struct listing *listing = context;
	struct sm_record_head head;

	if (!sm_pattern_matches(listing->pattern, name) || sm_record_head(record, size, &head) != SM_OK)
		return;
	const struct sm_cell cells[N_COLUMNS] = {
		[NAME] = sm_cell_text(name->text),
		[STATE] = sm_cell_text(sm_lifetime_word(&head.times, listing->now_ns)),
		[KIND] = sm_cell_text(kind_word(head.kind)),
		[LEFT] = {.number = (head.times.expires_ns - listing->now_ns) / SM_NS_PER_MS,
		          .is_known = head.times.expires_ns > listing->now_ns},
		[AGE] = sm_cell_number((listing->now_ns - head.times.made_ns) / SM_NS_PER_MS),
		[BYTES] = sm_cell_number((int64_t)size),
	};

	sm_sheet_row(listing->sheet, cells);
}

/* Opens the map, or says why it cannot. */
static bool open_map(const struct sm_conf *conf, struct sm_mapped *ret)
{
	enum sm_status status = sm_hostmap_open(conf, ret);

	if (status == SM_OK)
		return true;
	fprintf(stderr, "srvmesh: %s: %s\n", conf->host.directory[0] ? conf->host.directory : "no directory",
	        sm_hostmap_why_not(status));
	return false;
}

static enum exit_code list(const struct sm_conf *conf, const char *pattern)
{
	struct listing listing = {.pattern = pattern, .sheet = sm_sheet_open(columns, N_COLUMNS), .now_ns = sm_clock_now_ns()};
	enum exit_code code = EXIT_NO;
	struct sm_mapped mapped;

	if (open_map(conf, &mapped)) {
		bool is_whole = sm_hostmap_each(&mapped, list_one, &listing, SIZE_MAX);

		code = sm_sheet_rows(listing.sheet) > 0 && is_whole ? EXIT_GOOD : EXIT_NO;
		if (!is_whole)
			fprintf(stderr, "srvmesh: %s: the host map is damaged; what could be read is above\n",
			        conf->host.directory);
		if (!sm_sheet_show(listing.sheet))
			code = EXIT_NO;
		sm_reader_unmap(&mapped);
	}
	sm_sheet_close(listing.sheet);
	return code;
}

static enum exit_code run_list(const struct sm_call *call)
{
	struct sm_conf *conf = sm_talk_conf();
	struct sm_name pattern = {.length = 1, .text = "*"};
	enum exit_code code = EXIT_NO;

	if (call->n_words > 0 && !read_pattern(call->words[0], &pattern))
		code = EXIT_USAGE;
	else
		code = list(conf, pattern.text);
	sm_conf_free(conf);
	return code;
}

const struct sm_command sm_command_cache_list = {
	"cache list", "[GLOB]", "the names that are kept on this host", false, 0, 1, SM_COMPLETE_NAMES, NULL, run_list,
};

/* ---- show */

static void write_shown(const struct sm_inquiry *inquiry, const struct sm_sheet *targets)
{
	struct sm_json json = sm_sheet_json();

	sm_json_begin_object(&json, NULL);
	sm_json_text(&json, "name", inquiry->name.text);
	sm_json_text(&json, "kind", kind_word(inquiry->answer.kind));
	sm_json_number(&json, "ttl_ms", inquiry->answer.ttl_s * 1000LL);
	sm_lifetime_write(inquiry, &json);
	sm_json_number(&json, "bytes", (int64_t)inquiry->record_size);
	sm_sheet_write(targets, &json, "targets");
	sm_json_end_object(&json);
	sm_json_end(&json);
}

static void print_shown(const struct sm_inquiry *inquiry, const struct sm_sheet *targets)
{
	printf("%s   %s, %s, TTL %u s, %zu bytes\n", inquiry->name.text, kind_word(inquiry->answer.kind),
	       sm_lifetime_word(&inquiry->times, inquiry->now_ns), inquiry->answer.ttl_s, inquiry->record_size);
	sm_lifetime_print_origin(inquiry);
	sm_lifetime_print(inquiry);
	if (sm_sheet_rows(targets) == 0)
		return;
	putchar('\n');
	sm_sheet_print(targets, 2);
}

/* What stands in the record, whatever the rules would make of it. */
static enum exit_code show(struct sm_inquiry *inquiry)
{
	struct sm_concessions ignored;
	struct sm_sheet *targets;

	if (!sm_inquiry_open(inquiry)) {
		fprintf(stderr, "srvmesh: %s: its record is damaged\n", inquiry->name.text);
		return EXIT_NO;
	}
	if (!inquiry->rule)
		inquiry->rule = &inquiry->conf->rules.elsewhere;
	targets = sm_targets_sheet(inquiry, NULL, &ignored);
	if (sm_terms.json != SM_TERMS_TEXT)
		write_shown(inquiry, targets);
	else if (!sm_terms.is_quiet)
		print_shown(inquiry, targets);
	sm_sheet_close(targets);
	return fflush(stdout) == 0 ? EXIT_GOOD : EXIT_NO;
}

static enum exit_code find_and_show(struct sm_inquiry *inquiry, const char *word)
{
	struct sm_mapped mapped;
	enum sm_status status;

	if (sm_name_parse(word, strlen(word), &inquiry->name) != SM_OK) {
		fprintf(stderr, "srvmesh: \"%s\" is not a valid name\n", word);
		return EXIT_USAGE;
	}
	if (!open_map(inquiry->conf, &mapped))
		return EXIT_NO;
	inquiry->rule = sm_rules_match(&inquiry->conf->rules, inquiry->name.text, inquiry->name.length);
	status = sm_hostmap_get(&mapped, &inquiry->name, &inquiry->record, &inquiry->record_size);
	sm_reader_unmap(&mapped);
	if (status == SM_OK)
		return show(inquiry);
	fprintf(stderr, "srvmesh: %s is not kept on this host\n", inquiry->name.text);
	return EXIT_NO;
}

static enum exit_code run_show(const struct sm_call *call)
{
	struct sm_inquiry inquiry = {.asked = call->words[0], .families = SM_IPV4_AND_IPV6, .conf = sm_talk_conf(),
	                             .now_ns = sm_clock_now_ns()};
	enum exit_code code = find_and_show(&inquiry, call->words[0]);

	sm_inquiry_clear(&inquiry);
	return code;
}

const struct sm_command sm_command_cache_show = {
	"cache show", "NAME", "what is kept of NAME, as it is", false, 1, 1, SM_COMPLETE_NAMES, NULL, run_show,
};

/* ---- flush */

enum { ALL, EVERYWHERE };

static const struct sm_option flush_options[] = {
	{"all", 0, NULL, "all names", SM_COMPLETE_NOTHING},
	{"everywhere", 0, NULL, "on all hosts that share, too", SM_COMPLETE_NOTHING},
	{NULL, 0, NULL, NULL, SM_COMPLETE_NOTHING},
};

static enum exit_code tell_everywhere(const char *everywhere)
{
	if (strcmp(everywhere, "told") == 0) {
		if (!sm_terms.is_quiet && sm_terms.json == SM_TERMS_TEXT)
			puts("all hosts that share are told");
		return EXIT_GOOD;
	}
	fprintf(stderr, "srvmesh: other hosts are not told: %s\n",
	        strcmp(everywhere, "off") == 0 ? "this host shares with none ([shared])" : "the shared store is not reached");
	return EXIT_NO;
}

static enum exit_code tell_flushed(const char *text, bool is_everywhere)
{
	char error[128], names[16], everywhere[32];

	sm_talk_value(text, "error", error, sizeof(error));
	sm_talk_value(text, "names", names, sizeof(names));
	sm_talk_value(text, "everywhere", everywhere, sizeof(everywhere));
	if (error[0] != '\0') {
		fprintf(stderr, "srvmesh: %s\n", error);
		return EXIT_NO;
	}
	if (sm_terms.json != SM_TERMS_TEXT) {
		struct sm_json json = sm_sheet_json();

		sm_json_begin_object(&json, NULL);
		sm_json_number(&json, "names", strtoll(names, NULL, 10));
		sm_json_text(&json, "everywhere", everywhere);
		sm_json_end_object(&json);
		sm_json_end(&json);
	} else if (!sm_terms.is_quiet) {
		printf("%s name%s flushed on this host\n", names, strcmp(names, "1") == 0 ? "" : "s");
	}
	return is_everywhere ? tell_everywhere(everywhere) : EXIT_GOOD;
}

static enum exit_code run_flush(const struct sm_call *call)
{
	struct sm_request request = {.format = SM_FORMAT, .kind = SM_FRAME_FLUSH, .level = SM_LEVEL_STAYS,
	                             .is_everywhere = call->options[EVERYWHERE]};
	enum exit_code code;
	char *text;

	if ((call->options[ALL] != NULL) == (call->n_words > 0) ||
	    !read_pattern(call->options[ALL] ? "*" : call->words[0], &request.name))
		return EXIT_USAGE;
	text = sm_talk_request(&request, &code);
	if (text)
		code = tell_flushed(text, request.is_everywhere);
	free(text);
	return fflush(stdout) == 0 ? code : EXIT_NO;
}

const struct sm_command sm_command_cache_flush = {
	"cache flush", "NAME|GLOB|--all [--everywhere]", "ask for names again, on this host or on all", true, 0, 1,
	SM_COMPLETE_NAMES, flush_options, run_flush,
};
