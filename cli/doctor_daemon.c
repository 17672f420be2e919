/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The doctor looks at srvmeshd, its map, and the servers: each is asked one question. */
#include "base/clock.h"
#include "base/scope.h"
#include "base/sockaddr.h"
#include "cache/trust.h"
#include "cli/doctor.h"
#include "cli/hostmap.h"
#include "cli/memory.h"
#include "cli/question.h"
#include "cli/talk.h"
#include "mesh/record.h"
#include "mesh/text.h"
#include "resolve/servers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SERVERS_MAX 32    /* that are asked */
#define NAMES_MAX 8       /* whose templates are looked at */
#define REPAIR_DIRECTORY "chown and chmod it: root's and 0755 above, srvmesh's and 0755 itself"
#define START "systemctl start srvmeshd, or service srvmeshd start"

/* The directory, or the one above it, for which programs do not trust the map, and why. false: none of them. */
static bool find_culprit(const char *directory, char *ret, size_t size)
{
	char path[SM_MAP_PATH_MAX];

	snprintf(path, sizeof(path), "%s", directory);
	while (path[0] != '\0') {
		bool is_last = strcmp(path, directory) == 0;
		struct stat file;

		if (lstat(path, &file) == 0 && !S_ISDIR(file.st_mode))
			snprintf(ret, size, "%s is no directory", path);
		else if (lstat(path, &file) == 0 && (file.st_mode & (S_IWGRP | S_IWOTH)) && (is_last ||
		                                                                             !(file.st_mode & S_ISVTX)))
			snprintf(ret, size, "%s can be written by other users (mode %04o)", path, file.st_mode & 07777);
		else if (lstat(path, &file) == 0 && !is_last && file.st_uid != 0)
			snprintf(ret, size, "%s, above it, belongs to uid %u and not to root", path, file.st_uid);
		else
			ret[0] = '\0';
		if (ret[0] != '\0')
			return true;
		*strrchr(path, '/') = '\0';
	}
	return false;
}

/* ---- srvmeshd */

#define OTHER_LISTENS (-1)

/* 0, an error of connect(2), or OTHER_LISTENS. */
static int try_socket(const struct sm_client_socket *where)
{
	SM_SCOPE_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;

	if (fd < 0 || sm_sockaddr_local(where->path, "", &address) != SM_OK)
		return EINVAL;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return errno;
	return sm_client_is_theirs(fd, where) ? 0 : OTHER_LISTENS;
}

static bool is_installed(void)
{
	return access(SBIN_DIR "/srvmeshd", F_OK) == 0;
}

static void explain_distrust(struct sm_doctor *doctor, const struct sm_conf *conf)
{
	const char *socket = conf->host.socket;
	char directory[SM_MAP_PATH_MAX], culprit[SM_MAP_PATH_MAX + 80] = "it lies in no directory of its own";

	if (sm_trust_parent(socket, directory) == SM_OK) {
		if (strcmp(directory, conf->host.directory) == 0)
			return; /* sm_doctor_map says it */
		find_culprit(directory, culprit, sizeof(culprit));
	}
	sm_doctor_find(doctor, SM_FINDING_PROBLEM, "srvmeshd", REPAIR_DIRECTORY, "programs do not ask at %s: %s", socket,
	               culprit);
}

static void explain_absence(struct sm_doctor *doctor, const struct sm_conf *conf)
{
	enum sm_finding_kind kind = is_installed() ? SM_FINDING_PROBLEM : SM_FINDING_WARNING;
	const char *socket = conf->host.socket;
	struct sm_client_socket trusted;
	enum sm_status status = sm_talk_socket(conf, &trusted);

	if (status == SM_INVALID) {
		explain_distrust(doctor, conf);
		return;
	}
	switch (status == SM_OK ? try_socket(&trusted) : ENOENT) {
	case 0:
		sm_doctor_find(doctor, SM_FINDING_PROBLEM, "srvmeshd", "look at its log; restart it",
		               "srvmeshd accepts connections at %s, but does not answer", socket);
		break;
	case OTHER_LISTENS:
		sm_doctor_find(doctor, SM_FINDING_PROBLEM, "srvmeshd", "fuser shows who; stop it, and start srvmeshd",
		               "another user than the directory's owner listens at %s: programs do not ask there", socket);
		break;
	case EACCES:
	case EPERM:
		sm_doctor_find(doctor, SM_FINDING_PROBLEM, "srvmeshd", "chmod 0666 the socket; 0755 its directory",
		               "the socket %s refuses this user", socket);
		break;
	default:
		sm_doctor_find(doctor, kind, "srvmeshd", is_installed() ? START : "install srvmeshd",
		               "srvmeshd does not run (%s): each process asks DNS itself, and keeps the answers for itself",
		               socket[0] ? socket : "no socket is configured");
	}
}

/* Why processes passed over the map or srvmeshd, as they have told it. */
static void look_at_bypasses(struct sm_doctor *doctor, char *metrics)
{
	static const char mark[] = "srvmesh_bypass_total{reason=\"";
	char *line;

	while ((line = strsep(&metrics, "\n"))) {
		char reason[32];
		unsigned long long n;

		if (strncmp(line, mark, sizeof(mark) - 1) != 0 ||
		    sscanf(line + sizeof(mark) - 1, "%31[a-z_]\"} %llu", reason, &n) != 2 || n == 0)
			continue;
		sm_doctor_find(doctor, SM_FINDING_NOTE, "bypass", "",
		               "since the start of srvmeshd, processes have passed over the map or over it %llu times: %s", n,
		               reason);
	}
}

void sm_doctor_daemon(struct sm_doctor *doctor)
{
	const struct sm_request status = {.format = SM_FORMAT, .kind = SM_FRAME_STATUS}, metrics = {.format = SM_FORMAT,
	                                                                                       .kind = SM_FRAME_METRICS};
	const struct sm_conf *conf = doctor->check.conf;
	enum exit_code code;
	char *text = sm_talk_ask(conf, &status, true, &code);

	if (!text) {
		explain_absence(doctor, conf);
		return;
	}
	sm_talk_value(text, "version", doctor->release, sizeof(doctor->release));
	free(text);
	if (strcmp(doctor->release, PACKAGE_VERSION) != 0)
		sm_doctor_find(doctor, SM_FINDING_WARNING, "srvmeshd", "systemctl restart srvmeshd",
		               "srvmeshd %s runs, and this command is of %s", doctor->release, PACKAGE_VERSION);
	else
		sm_doctor_find(doctor, SM_FINDING_GOOD, "srvmeshd", "", "%s answers", doctor->release);
	text = sm_talk_ask(conf, &metrics, true, &code);
	if (text)
		look_at_bypasses(doctor, text);
	free(text);
}

/* ---- the host map */

void sm_doctor_map(struct sm_doctor *doctor)
{
	const struct sm_conf *conf = doctor->check.conf;
	const char *directory = conf->host.directory;
	char culprit[SM_MAP_PATH_MAX + 80];
	struct sm_mapped mapped;
	enum sm_status status;

	if (directory[0] == '\0')
		return;
	status = sm_hostmap_open(conf, &mapped);
	if (status == SM_OK) {
		sm_doctor_find(doctor, SM_FINDING_GOOD, "map", "", "%s/%s", directory, SM_MAP_FILE);
		sm_reader_unmap(&mapped);
	} else if (status == SM_REFUSED && find_culprit(directory, culprit, sizeof(culprit))) {
		sm_doctor_find(doctor, SM_FINDING_PROBLEM, "map", REPAIR_DIRECTORY,
		               "programs do not trust the host map: %s", culprit);
	} else if (status != SM_MISS || doctor->release[0] != '\0') {
		sm_doctor_find(doctor, SM_FINDING_PROBLEM, "map", "systemctl restart srvmeshd", "%s: %s", directory,
		               sm_hostmap_why_not(status));
	}
}

/* ---- servers */

/* What is wrong with what the server says of the domain; NULL: nothing. */
static const char *fault_of(enum sm_question_outcome outcome, bool is_of_host)
{
	switch (outcome) {
	case SM_QUESTION_GOOD:
		return NULL;
	case SM_QUESTION_NO_NAME:
		if (!is_of_host)
			return NULL;
		return "says that the domain does not exist: resolv.conf points at a server that does not know it";
	case SM_QUESTION_SILENT:
		return "is silent";
	case SM_QUESTION_UNREACHABLE:
		return "does not listen, or cannot be reached";
	case SM_QUESTION_REFUSED:
		return "refuses to answer";
	case SM_QUESTION_REFERRAL:
		return "answers without recursion, and does not have the domain itself";
	case SM_QUESTION_BAD:
		break;
	}
	return "answers with SERVFAIL, or cannot be understood";
}

static const char *remedy_of(enum sm_question_outcome outcome)
{
	if (outcome == SM_QUESTION_NO_NAME || outcome == SM_QUESTION_REFERRAL)
		return "name the servers that have the domain: `servers` in its section";
	if (outcome == SM_QUESTION_REFUSED)
		return "let that server answer this host for the domain, or name another one in `servers`";
	if (outcome == SM_QUESTION_SILENT || outcome == SM_QUESTION_UNREACHABLE)
		return "start it, or let its port through the firewall, or name another one in `servers`";
	return "look at that server's log, or name another one in `servers`";
}

static bool has_servers_of_its_own(const struct sm_conf *conf, const struct sm_rule *rule)
{
	const struct sm_rule *host = &conf->rules.elsewhere;

	return rule->n_servers != host->n_servers || rule->n_servers == 0 ||
	       memcmp(rule->servers, host->servers, rule->n_servers * sizeof(rule->servers[0])) != 0;
}

static void look_at_server(struct sm_doctor *doctor, const struct sm_rule *rule, const struct sm_server *server)
{
	bool has, is_of_host = !has_servers_of_its_own(doctor->check.conf, rule);
	enum sm_question_outcome outcome = sm_question_ask(server, rule->is_exact ? rule->domain.text : rule->name.text, SM_RR_A,
	                                                   rule->timeout_ms * SM_NS_PER_MS * 2, &has);
	const char *fault = fault_of(outcome, is_of_host);
	char text[SM_TEXT_ENDPOINT_MAX];

	sm_text_server(server, text);
	if (fault)
		sm_doctor_find(doctor, SM_FINDING_PROBLEM, "servers", remedy_of(outcome), "%s, asked for %s, %s", text,
		               rule->name.text, fault);
	else
		sm_doctor_find(doctor, SM_FINDING_GOOD, "servers", "", "%s answers for %s", text, rule->name.text);
}

/* A [service] asks the servers of its [domain], as a rule: then they are asked for that one. */
static bool asks_same(const struct sm_rules *rules, const struct sm_server *server)
{
	for (uint32_t i = 0; i < rules->n_rules; i++) {
		const struct sm_rule *rule = &rules->rules[i];

		if (!rule->is_exact && !rule->is_disabled && sm_rule_has_server(rule, server))
			return true;
	}
	return false;
}

void sm_doctor_servers(struct sm_doctor *doctor)
{
	const struct sm_rules *rules = &doctor->check.conf->rules;
	uint32_t n = 0;

	for (uint32_t i = 0; i < rules->n_rules; i++) {
		const struct sm_rule *rule = &rules->rules[i];

		for (uint32_t k = 0; k < rule->n_servers && !rule->is_disabled && n < SERVERS_MAX; k++) {
			if (rule->is_exact && asks_same(rules, &rule->servers[k]))
				continue;
			look_at_server(doctor, rule, &rule->servers[k]);
			n++;
		}
		if (rule->n_servers == 0 && !rule->is_torn)
			sm_doctor_find(doctor, SM_FINDING_PROBLEM, "servers", "name them: `servers` in the section",
			               "%s has no server: neither the configuration nor " SM_CONF_RESOLV " names one",
			               rule->name.text);
	}
}

/* ---- templates */

/* Forms in which publishers write the owner of SRV records. */
static const char *const forms[] = {
	"_{service}._tcp.{domain}", "_{service}._udp.{domain}", "{name}", "_http._tcp.{name}", "_https._tcp.{name}",
	"_grpc._tcp.{name}",
	"_{first}._tcp.{rest}.{domain}",
};

/* Are there SRV records where the form says? *ret_is_told is set where a server says yes or no. */
static bool exists(const struct sm_rule *rule, const struct sm_rule *form, const struct sm_name *name, uint32_t index,
                   struct sm_name *ret, bool *ret_is_told)
{
	bool has = false;

	if (sm_rule_owner(form, name, index, ret) != SM_OK)
		return false;
	for (uint32_t i = 0; i < rule->n_servers && !has; i++) {
		enum sm_question_outcome outcome = sm_question_ask(&rule->servers[i], ret->text, SM_RR_SRV,
		                                                   rule->timeout_ms * SM_NS_PER_MS, &has);

		*ret_is_told |= outcome == SM_QUESTION_GOOD || outcome == SM_QUESTION_NO_NAME;
		if (outcome == SM_QUESTION_GOOD)
			break;
	}
	return has;
}

static void note_none(struct sm_doctor *doctor, const struct sm_rule *rule, const struct sm_name *name, bool is_told)
{
	struct sm_name asked;
	bool has_owner = sm_rule_owner(rule, name, 0, &asked) == SM_OK;

	if (is_told)
		sm_doctor_find(doctor, SM_FINDING_NOTE, "templates", "",
		               "%s has no SRV records%s%s, nor at any other common form", name->text,
		               has_owner ? " at " : "", has_owner ? asked.text : "");
	else
		sm_doctor_find(doctor, SM_FINDING_NOTE, "templates", "", "%s: no server tells whether it has SRV records",
		               name->text);
}

static void look_at_name(struct sm_doctor *doctor, const struct sm_name *name, bool wants_note)
{
	const struct sm_rule *rule = sm_rules_match(&doctor->check.conf->rules, name->text, name->length);
	SM_SCOPE_FREE struct sm_rule *form = sm_memory(malloc(sizeof(*form)));
	struct sm_name owner, asked;
	bool is_told = false;

	if (!rule || rule->is_disabled || rule->n_servers == 0 || sm_name_is_srv_owner(name)) {
		if (wants_note)
			sm_doctor_find(doctor, SM_FINDING_NOTE, "templates", "", "%s: %s", name->text,
			               rule && rule->is_disabled ? "its section is switched off"
			               : rule && rule->n_servers == 0 ? "it has no server to ask"
			                                              : "a name of SRV records itself: no template is used");
		return;
	}
	*form = *rule;
	for (uint32_t i = 0; i < rule->n_templates; i++)
		if (exists(rule, rule, name, i, &owner, &is_told)) {
			sm_doctor_find(doctor, SM_FINDING_GOOD, "templates", "", "%s has SRV records at %s", name->text,
			               owner.text);
			return;
		}
	form->n_templates = 1;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		form->templates = forms[i];
		if (!exists(rule, form, name, 0, &owner, &is_told))
			continue;
		if (sm_rule_owner(rule, name, 0, &asked) != SM_OK)
			asked = *name;
		char remedy[SM_FINDING_MAX];

		snprintf(remedy, sizeof(remedy), "srv = %s   in [%s %s]", forms[i], rule->is_exact ? "service" : "domain",
		         rule->name.text);
		sm_doctor_find(doctor, SM_FINDING_PROBLEM, "templates", remedy,
		               "%s has no SRV records at %s, but it has some at %s", name->text, asked.text, owner.text);
		return;
	}
	if (wants_note)
		note_none(doctor, rule, name, is_told);
}

struct denied {
	uint32_t n;
	struct sm_name names[NAMES_MAX];
};

/* Names that were denied. */
static void hear(void *context, const struct sm_name *name, const void *record, size_t size)
{
	struct denied *denied = context;
	struct sm_record_head head;

	if (denied->n < NAMES_MAX && sm_record_head(record, size, &head) == SM_OK &&
	    (head.kind == SM_ANSWER_NO_NAME || head.kind == SM_ANSWER_NO_DATA))
		denied->names[denied->n++] = *name;
}

void sm_doctor_templates(struct sm_doctor *doctor)
{
	struct denied denied = {.n = 0};
	struct sm_mapped mapped;
	struct sm_name name;

	for (int i = 0; i < doctor->n_names; i++) {
		if (sm_name_parse(doctor->names[i], strlen(doctor->names[i]), &name) == SM_OK &&
		    sm_rules_match(&doctor->check.conf->rules, name.text, name.length))
			look_at_name(doctor, &name, true);
		else
			sm_doctor_find(doctor, SM_FINDING_PROBLEM, "templates", "", "%s is not a name of ours", doctor->names[i]);
	}
	if (doctor->n_names == 0 && sm_hostmap_open(doctor->check.conf, &mapped) == SM_OK) {
		sm_hostmap_each(&mapped, hear, &denied, SIZE_MAX);
		sm_reader_unmap(&mapped);
	}
	for (uint32_t i = 0; i < denied.n; i++)
		look_at_name(doctor, &denied.names[i], false);
}
