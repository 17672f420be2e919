/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh compare: what `dns` says beside what srvmesh would say, before srvmesh goes into nsswitch.conf. glibc's own switch is
 * told, for this process alone, to ask `dns` and nothing else. */
#include "base/scope.h"
#include "cli/commands.h"
#include "cli/hostmap.h"
#include "cli/inquiry.h"
#include "cli/sheet.h"
#include "cli/talk.h"
#include "mesh/text.h"

#include <netdb.h>
#include <nss.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES_MAX 256
#define LIST_MAX (ADDRESSES_MAX * SM_TEXT_ADDRESS_MAX)

enum { FROM };

static const struct sm_option options[] = {
	{"from", 0, "FILE", "the names of a file, one a line; - is stdin", SM_COMPLETE_FILES},
	{NULL, 0, NULL, NULL, SM_COMPLETE_NOTHING},
};

enum { NAME, RESULT, DNS, OURS, N_COLUMNS };

static const struct sm_column columns[N_COLUMNS] = {
	[NAME] = {"NAME", "name", SM_COLUMN_TEXT, false},
	[RESULT] = {"RESULT", "result", SM_COLUMN_STATE, false},
	[DNS] = {"DNS", "dns", SM_COLUMN_LIST, true},
	[OURS] = {"SRVMESH", "srvmesh", SM_COLUMN_LIST, true},
};

struct side {
	uint32_t n;
	struct sm_address addresses[ADDRESSES_MAX];
};

static bool has(const struct side *side, const struct sm_address *address)
{
	for (uint32_t i = 0; i < side->n; i++)
		if (memcmp(&side->addresses[i], address, sizeof(*address)) == 0)
			return true;
	return false;
}

static void add(struct side *side, const struct sm_address *address)
{
	if (side->n < ADDRESSES_MAX && !has(side, address))
		side->addresses[side->n++] = *address;
}

static void add_info(struct side *side, const struct addrinfo *info)
{
	struct sm_address address = {.family = info->ai_family == AF_INET ? SM_IPV4 : SM_IPV6};

	if (info->ai_family == AF_INET)
		memcpy(address.bytes, &((const struct sockaddr_in *)info->ai_addr)->sin_addr, 4);
	else if (info->ai_family == AF_INET6)
		memcpy(address.bytes, &((const struct sockaddr_in6 *)info->ai_addr)->sin6_addr, 16);
	else
		return;
	add(side, &address);
}

/* NULL: it has addresses; else why not, as a word. */
static const char *ask_dns(const char *name, struct side *ret)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int code = getaddrinfo(name, NULL, &hints, &list);

	ret->n = 0;
	for (const struct addrinfo *info = list; code == 0 && info; info = info->ai_next)
		add_info(ret, info);
	if (code == 0)
		freeaddrinfo(list);
	return code == 0 ? NULL : code == EAI_NONAME ? "no-name" : code == EAI_NODATA ? "no-data" : "try-again";
}

/* All addresses that a program may get; `answers` and chance show it but some of them. */
static const char *ask_ours(const char *name, struct side *ret)
{
	struct sm_inquiry inquiry;
	static const char *const words[] = {
		[SM_VERDICT_NOT_OURS] = "not-ours",   [SM_VERDICT_NO_NAME] = "no-name",
		[SM_VERDICT_NO_DATA] = "no-data",     [SM_VERDICT_TRY_AGAIN] = "try-again",
		[SM_VERDICT_TOO_SMALL] = "try-again", [SM_VERDICT_FOUND] = NULL,
	};
	const char *why;

	ret->n = 0;
	sm_inquire(name, SM_IPV4_AND_IPV6, &inquiry);
	why = words[inquiry.verdict];
	for (uint32_t i = 0; !why && inquiry.has_answer && i < inquiry.answer.n_addresses; i++)
		add(ret, &inquiry.answer.addresses[i]);
	sm_inquiry_clear(&inquiry);
	return why;
}

static bool is_same(const struct side *dns, const char *dns_why, const struct side *ours, const char *ours_why)
{
	if (dns_why || ours_why)
		return dns_why && ours_why && strcmp(dns_why, ours_why) == 0;
	for (uint32_t i = 0; i < ours->n; i++)
		if (!has(dns, &ours->addresses[i]))
			return false;
	return dns->n == ours->n;
}

static void write_side(const struct side *side, const char *why, char ret[LIST_MAX])
{
	size_t used = 0;

	snprintf(ret, LIST_MAX, "%s", why ? why : "");
	for (uint32_t i = 0; !why && i < side->n; i++) {
		char text[SM_TEXT_ADDRESS_MAX];

		sm_text_address(&side->addresses[i], text);
		used += (size_t)snprintf(ret + used, LIST_MAX - used, "%s%s", i ? "," : "", text);
	}
}

struct comparison {
	struct sm_sheet *sheet;
	bool differs, is_unsure;
};

static bool is_unsure(const char *why)
{
	return why && strcmp(why, "try-again") == 0;
}

/* A name that srvmesh passes on is dns's in any case. */
static void compare(struct comparison *comparison, const char *name)
{
	static struct side dns, ours;
	static char dns_text[LIST_MAX], ours_text[LIST_MAX];
	const char *ours_why = ask_ours(name, &ours), *dns_why = ask_dns(name, &dns);
	bool is_ours = !ours_why || strcmp(ours_why, "not-ours") != 0, same = !is_ours || is_same(&dns, dns_why, &ours, ours_why);
	bool unsure = is_ours && (is_unsure(dns_why) || is_unsure(ours_why));
	const struct sm_cell cells[N_COLUMNS] = {
		[NAME] = sm_cell_text(name),
		[RESULT] = sm_cell_text(unsure ? "try-again" : same ? "same" : "different"),
		[DNS] = sm_cell_text(dns_text),
		[OURS] = sm_cell_text(ours_text),
	};

	write_side(&dns, dns_why, dns_text);
	write_side(&ours, ours_why, ours_text);
	comparison->differs |= !same && !unsure;
	comparison->is_unsure |= unsure;
	sm_sheet_row(comparison->sheet, cells);
}

static bool compare_file(struct comparison *comparison, const char *path)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	SM_SCOPE_FREE char *line = NULL;
	size_t room = 0;

	if (!file) {
		fprintf(stderr, "srvmesh: %s: cannot be read\n", path);
		return false;
	}
	while (getline(&line, &room, file) > 0) {
		line[strcspn(line, " \t\r\n#")] = '\0';
		if (line[0] != '\0')
			compare(comparison, line);
	}
	if (file != stdin)
		fclose(file);
	return true;
}

static void hear(void *context, const struct sm_name *name, const void *record, size_t size)
{
	(void)record;
	(void)size;
	compare(context, name->text);
}

/* Without names: all that are in use on this host. */
static bool compare_map(struct comparison *comparison)
{
	struct sm_conf *conf = sm_talk_conf();
	struct sm_mapped mapped;
	enum sm_status status = sm_hostmap_open(conf, &mapped);

	sm_conf_free(conf);
	if (status != SM_OK) {
		fprintf(stderr, "srvmesh: which names? %s\n", sm_hostmap_why_not(status));
		return false;
	}
	sm_hostmap_each(&mapped, hear, comparison, SIZE_MAX);
	sm_reader_unmap(&mapped);
	return true;
}

static enum exit_code run(const struct sm_call *call)
{
	struct comparison comparison = {.sheet = sm_sheet_open(columns, N_COLUMNS)};
	enum exit_code code = EXIT_NO;
	bool is_good = __nss_configure_lookup("hosts", "dns") == 0;

	for (int i = 0; is_good && i < call->n_words; i++)
		compare(&comparison, call->words[i]);
	if (is_good && call->options[FROM])
		is_good = compare_file(&comparison, call->options[FROM]);
	else if (is_good && call->n_words == 0)
		is_good = compare_map(&comparison);
	if (is_good && sm_sheet_show(comparison.sheet))
		code = comparison.differs ? EXIT_NO : comparison.is_unsure ? EXIT_TRY_AGAIN : EXIT_GOOD;
	sm_sheet_close(comparison.sheet);
	return code;
}

const struct sm_command sm_command_compare = {
	"compare", "[NAME...] [--from FILE]", "what dns says, beside what srvmesh says", false, 0, -1, SM_COMPLETE_NAMES, options,
	run,
};
