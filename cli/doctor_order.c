/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The doctor looks at nsswitch.conf: whether glibc asks us, and what it asks before us, /etc/hosts above all. */
#include "base/scope.h"
#include "cli/doctor.h"
#include "conf/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADD_US LIBEXEC_DIR "/srvmesh/nsswitch add"
#define WORDS_MAX 64

/* ---- nsswitch.conf */

/* One database's line: words, each with its action in brackets behind it, or "". */
struct order {
	size_t n;
	char text[1024];
	const char *words[WORDS_MAX], *actions[WORDS_MAX];
};

static void split(struct order *order)
{
	char *at = order->text;

	while (*at && order->n < WORDS_MAX) {
		char *end;

		at += strspn(at, " \t\r\v\f");
		if (*at == '[') {
			end = strchr(at, ']');
			if (!end || order->n == 0)
				return;
			*end = '\0';
			order->actions[order->n - 1] = at + 1;
			at = end + 1;
			continue;
		}
		end = at + strcspn(at, " \t\r\v\f[");
		if (end == at)
			return;
		order->words[order->n] = at;
		order->actions[order->n++] = "";
		if (*end == '[') {
			/* the word ends where its action begins: the one must be copied away first */
			memmove(end + 1, end, strlen(end) + 1);
			*end++ = '\0';
		} else if (*end) {
			*end++ = '\0';
		}
		at = end;
	}
}

/* The last line of the database counts. false: there is none. */
static bool read_order(const struct sm_doctor *doctor, const char *database, struct order *ret)
{
	SM_SCOPE_FREE char *text = NULL;
	char path[PATH_MAX], *rest, *line;
	bool is_found = false;
	size_t size;

	sm_doctor_path(doctor, "/etc/nsswitch.conf", path);
	ret->n = 0;
	if (sm_file_read(path, &text, &size) != SM_OK)
		return false;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		line[strcspn(line, "#")] = '\0';
		line += strspn(line, " \t\r\v\f");
		if (strncmp(line, database, strlen(database)) != 0 || !strchr(": \t", line[strlen(database)]))
			continue;
		line += strlen(database);
		line += strspn(line, ": \t");
		snprintf(ret->text, sizeof(ret->text) - WORDS_MAX, "%s", line);
		is_found = true;
	}
	if (is_found)
		split(ret);
	return is_found;
}

static size_t place_in(const struct order *order, const char *word)
{
	size_t i = 0;

	while (i < order->n && strcmp(order->words[i], word) != 0)
		i++;
	return i;
}

#define N_STATUSES 4

/* A word of an action, up to one of `ends`; blanks around it do not count. The rest is behind the mark. */
static size_t take_word(const char **at, const char *ends, const char **ret)
{
	size_t length, whole;

	*at += strspn(*at, " \t");
	*ret = *at;
	whole = strcspn(*at, ends);
	for (length = whole; length > 0 && strchr(" \t", (*at)[length - 1]); length--)
		continue;
	*at += whole;
	return length;
}

/* Does the action end the search where the module's status is this one? As glibc reads it: each word sets a status, or by "!"
 * all others; the last that speaks of it counts. */
static bool returns_at(const char *action, const char *status)
{
	static const char *const statuses[N_STATUSES] = {"SUCCESS", "NOTFOUND", "UNAVAIL", "TRYAGAIN"};
	bool is_return = strcmp(status, "SUCCESS") == 0;

	while (action[strspn(action, " \t")] != '\0') {
		const char *word, *what;
		size_t length = take_word(&action, "=", &word), what_length;
		bool is_negated = *word == '!', is_same;

		if (*action != '=')
			break;
		action++;
		what_length = take_word(&action, " \t", &what);
		word += is_negated;
		length -= is_negated;
		word += strspn(word, " \t");
		is_same = strlen(status) == length && strncasecmp(word, status, length) == 0;
		for (size_t i = 0; i < N_STATUSES; i++)
			if (is_same != is_negated && strlen(statuses[i]) == length && strncasecmp(word, statuses[i], length) == 0)
				is_return = what_length == strlen("return") && strncasecmp(what, "return", what_length) == 0;
	}
	return is_return;
}

static bool ends_search(const char *action)
{
	return returns_at(action, "NOTFOUND");
}

/* A module that knows only names of its own may stand before us; what it says of ours is "unavailable", and so its NOTFOUND does
 * not concern us, or it says "not found", and the search must go on. */
static bool is_harmless(const char *word, const char *action)
{
	if (strncmp(word, "mdns", 4) == 0 && strstr(word, "_minimal"))
		return true;
	return !ends_search(action) && (strcmp(word, "files") == 0 || strncmp(word, "mdns", 4) == 0 ||
	                                strcmp(word, "mymachines") == 0 || strcmp(word, "myhostname") == 0);
}

static void look_before(struct sm_doctor *doctor, const struct order *order, size_t place)
{
	for (size_t i = 0; i < place; i++) {
		const char *word = order->words[i], *action = order->actions[i];

		if (is_harmless(word, action))
			continue;
		if (ends_search(action))
			sm_doctor_find(doctor, SM_FINDING_PROBLEM, "order", "put srvmesh before it: " ADD_US,
			               "\"%s [%s]\" stands before srvmesh: it will answer for your names", word, action);
		else
			sm_doctor_find(doctor, SM_FINDING_PROBLEM, "order", "put srvmesh before it: " ADD_US,
			               "\"%s\" stands before srvmesh: it is asked for your names first", word);
	}
}

static void look_at_actions(struct sm_doctor *doctor, const struct order *order, size_t place)
{
	const char *action = order->actions[place];
	bool ends = ends_search(action) && returns_at(action, "TRYAGAIN");

	if (!ends && place + 1 < order->n)
		sm_doctor_find(doctor, SM_FINDING_WARNING, "order", "write \"srvmesh [NOTFOUND=return TRYAGAIN=return]\"",
		               "srvmesh is without [NOTFOUND=return TRYAGAIN=return]: what it denies, or cannot tell in an "
		               "outage, is "
		               "asked of \"%s\"", order->words[place + 1]);
	else
		sm_doctor_find(doctor, SM_FINDING_GOOD, "order", "", "srvmesh stands right on the hosts line");
}

void sm_doctor_order(struct sm_doctor *doctor)
{
	struct order order;
	size_t place;
	uint32_t before = doctor->n;

	if (!read_order(doctor, "hosts", &order) || (place = place_in(&order, "srvmesh")) == order.n) {
		sm_doctor_find(doctor, SM_FINDING_PROBLEM, "order", ADD_US,
		               "srvmesh is not on the hosts line of %s/etc/nsswitch.conf: no program asks it", doctor->root);
		return;
	}
	look_before(doctor, &order, place);
	if (doctor->n == before)
		look_at_actions(doctor, &order, place);
	if (!read_order(doctor, "services", &order) || place_in(&order, "srvmesh") == order.n)
		sm_doctor_find(doctor, SM_FINDING_WARNING, "ports", ADD_US,
		               "srvmesh is not on the services line: getaddrinfo and getservbyname give no ports of services");
	else
		sm_doctor_find(doctor, SM_FINDING_GOOD, "ports", "", "the services line has srvmesh");
}

static const struct sm_doctor own; /* with the root of this process */

static bool has_us(const char *database)
{
	struct order order;

	return read_order(&own, database, &order) && place_in(&order, "srvmesh") < order.n;
}

bool sm_doctor_gives_ports(void)
{
	return has_us("services");
}

bool sm_doctor_is_asked(void)
{
	return has_us("hosts");
}

/* ---- /etc/hosts */

/* Calls `hear` with each name of the file, if "files" is asked before us. */
static void each_hosts_name(const struct sm_doctor *doctor, void (*hear)(void *context, const char *name), void *context)
{
	SM_SCOPE_FREE char *text = NULL;
	char path[PATH_MAX], *rest, *line, *word;
	struct order order;
	size_t size;

	if (!read_order(doctor, "hosts", &order) || place_in(&order, "files") >= place_in(&order, "srvmesh"))
		return;
	sm_doctor_path(doctor, "/etc/hosts", path);
	if (sm_file_read(path, &text, &size) != SM_OK)
		return;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		line[strcspn(line, "#")] = '\0';
		for (int i = 0; (word = strsep(&line, " \t\r")); i += word[0] != '\0')
			if (i > 0 && word[0] != '\0')
				hear(context, word);
	}
}

static void hear_name(void *context, const char *name)
{
	struct sm_doctor *doctor = context;
	const struct sm_rule *rule = sm_rules_match(&doctor->check.conf->rules, name, strlen(name));

	if (rule && !rule->is_disabled)
		sm_doctor_find(doctor, SM_FINDING_WARNING, "hosts", "remove the line, or list the name in `except`",
		               "%s is in %s/etc/hosts: \"files\" answers for it, whatever DNS says", name, doctor->root);
}

void sm_doctor_hosts_file(struct sm_doctor *doctor)
{
	each_hosts_name(doctor, hear_name, doctor);
}

struct sought {
	const char *name;
	bool is_there;
};

static void compare_name(void *context, const char *name)
{
	struct sought *sought = context;

	sought->is_there |= strcasecmp(name, sought->name) == 0;
}

bool sm_doctor_is_in_hosts_file(const char *name)
{
	struct sought sought = {.name = name};

	each_hosts_name(&own, compare_name, &sought);
	return sought.is_there;
}
