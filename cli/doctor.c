/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* srvmesh doctor: what is wrong on this host, or in one process, and the remedy. */
#include "cli/doctor.h"

#include "cli/bundle.h"
#include "cli/commands.h"
#include "cli/sheet.h"
#include "cli/talk.h"
#include "cli/terms.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PID, BUNDLE };

static const struct sm_option options[] = {
	{"pid", 'p', "PID", "of one process, and what it sees", SM_COMPLETE_NOTHING},
	{"bundle", 0, "FILE", "write all that explains a fault into FILE", SM_COMPLETE_FILES},
	{NULL, 0, NULL, NULL, SM_COMPLETE_NOTHING},
};

/* Paths and log lines are of other users: nothing in them moves the cursor. C1 controls are two bytes in UTF-8: 0xc2 0x80 to
 * 0x9f. */
static void make_plain(char *text)
{
	for (unsigned char *at = (unsigned char *)text; *at; at++)
		if (*at < ' ' || *at == 0x7f || (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) ||
		    (*at >= 0x80 && *at < 0xa0 && ((unsigned char *)text == at || at[-1] < 0x80)))
			*at = '?';
}

void sm_doctor_find(struct sm_doctor *doctor, enum sm_finding_kind kind, const char *topic, const char *remedy,
                    const char *format, ...)
{
	struct sm_finding *finding = &doctor->findings[doctor->n];
	va_list values;

	if (doctor->n == SM_FINDINGS_MAX)
		return;
	doctor->n++;
	finding->kind = kind;
	finding->topic = topic;
	snprintf(finding->remedy, SM_FINDING_MAX, "%s", remedy);
	va_start(values, format);
	vsnprintf(finding->text, SM_FINDING_MAX, format, values);
	va_end(values);
	make_plain(finding->text);
	make_plain(finding->remedy);
}

void sm_doctor_path(const struct sm_doctor *doctor, const char *path, char ret[PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s%s", doctor->root, path);
}

/* ---- telling */

static uint32_t count(const struct sm_doctor *doctor, enum sm_finding_kind kind)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < doctor->n; i++)
		n += doctor->findings[i].kind == kind;
	return n;
}

static const char *word_of(enum sm_finding_kind kind)
{
	static const char *const words[] = {
		[SM_FINDING_GOOD] = "ok", [SM_FINDING_NOTE] = "note", [SM_FINDING_WARNING] = "warning",
		[SM_FINDING_PROBLEM] = "problem",
	};

	return words[kind];
}

static void print_finding(const struct sm_finding *finding)
{
	static const char *const marks[] = {"✓", "·", "!", "✗"}, *const plain[] = {"+", "-", "!", "x"};
	static const char *const colors[] = {"\033[32m", "", "\033[33m", "\033[31m"};
	bool is_utf8 = MB_CUR_MAX > 1;

	printf(" %s%s%s %-10s %s\n", sm_terms.has_color ? colors[finding->kind] : "",
	       is_utf8 ? marks[finding->kind] : plain[finding->kind], sm_terms.has_color ? "\033[0m" : "", finding->topic,
	       finding->text);
	if (finding->remedy[0] != '\0')
		printf("   %-10s %s %s\n", "", is_utf8 ? "→" : "->", finding->remedy);
}

static void print(const struct sm_doctor *doctor)
{
	uint32_t problems = count(doctor, SM_FINDING_PROBLEM), warnings = count(doctor, SM_FINDING_WARNING);

	for (uint32_t i = 0; i < doctor->n; i++)
		if (!sm_terms.is_quiet || doctor->findings[i].kind >= SM_FINDING_WARNING)
			print_finding(&doctor->findings[i]);
	if (!sm_terms.has_legend || sm_terms.is_quiet)
		return;
	printf("%u problem%s, %u warning%s\n", problems, problems == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
}

static void write_json(const struct sm_doctor *doctor)
{
	struct sm_json json = sm_sheet_json();

	sm_json_begin_object(&json, NULL);
	sm_json_begin_array(&json, "findings");
	for (uint32_t i = 0; i < doctor->n; i++) {
		const struct sm_finding *finding = &doctor->findings[i];

		sm_json_begin_object(&json, NULL);
		sm_json_text(&json, "kind", word_of(finding->kind));
		sm_json_text(&json, "topic", finding->topic);
		sm_json_text(&json, "text", finding->text);
		sm_json_text(&json, "remedy", finding->remedy[0] ? finding->remedy : NULL);
		sm_json_end_object(&json);
	}
	sm_json_end_array(&json);
	sm_json_number(&json, "problems", count(doctor, SM_FINDING_PROBLEM));
	sm_json_number(&json, "warnings", count(doctor, SM_FINDING_WARNING));
	sm_json_end_object(&json);
	sm_json_end(&json);
}

/* ---- looking */

static void look_at_host(struct sm_doctor *doctor)
{
	sm_doctor_plugin(doctor);
	sm_doctor_order(doctor);
	sm_doctor_config(doctor);
	sm_doctor_daemon(doctor);
	sm_doctor_map(doctor);
	sm_doctor_servers(doctor);
	sm_doctor_templates(doctor);
	sm_doctor_hosts_file(doctor);
	sm_doctor_nscd(doctor);
	sm_doctor_clock(doctor);
	sm_doctor_denials(doctor);
	sm_doctor_processes(doctor);
}

static bool read_pid(const char *word, pid_t *ret)
{
	char *end;
	long pid = strtol(word, &end, 10);

	if (*end != '\0' || pid <= 0 || pid > INT_MAX) {
		fprintf(stderr, "srvmesh: --pid: \"%s\" is no process id\n", word);
		return false;
	}
	*ret = (pid_t)pid;
	return true;
}

static bool look(struct sm_doctor *doctor, pid_t pid)
{
	if (pid > 0)
		return sm_doctor_process(doctor, pid);
	sm_config_check(secure_getenv("SRVMESH_CONF"), &doctor->check);
	look_at_host(doctor);
	return true;
}

static enum exit_code run(const struct sm_call *call)
{
	static struct sm_doctor doctor;
	enum exit_code code = EXIT_NO;
	pid_t pid = 0;

	if (call->options[PID] && !read_pid(call->options[PID], &pid))
		return EXIT_USAGE;
	if (call->options[BUNDLE])
		return sm_bundle_write(call->options[BUNDLE]);
	doctor.names = call->words;
	doctor.n_names = call->n_words;
	if (look(&doctor, pid)) {
		if (sm_terms.json != SM_TERMS_TEXT)
			write_json(&doctor);
		else
			print(&doctor);
		code = count(&doctor, SM_FINDING_PROBLEM) > 0 ? EXIT_NO : EXIT_GOOD;
	}
	sm_config_clear(&doctor.check);
	return fflush(stdout) == 0 ? code : EXIT_NO;
}

const struct sm_command sm_command_doctor = {
	"doctor", "[NAME...] [--pid PID] [--bundle FILE]", "what is wrong on this host, and the remedy", false, 0, -1,
	SM_COMPLETE_NAMES, options, run,
};
