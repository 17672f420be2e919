/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The doctor looks at the host: the plugin, the configuration, and what may stand in our way. */
#include "base/clock.h"
#include "base/scope.h"
#include "base/sockaddr.h"
#include "cli/doctor.h"
#include "cli/inquiry.h"
#include "cli/memory.h"
#include "conf/file.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>

#define PLUGIN "libnss_srvmesh.so.2"
#define RELEASE_MARK "srvmesh-release:"

/* ---- the plugin */

static const char *const library_directories[] = {
	NSS_DIR, "/usr/local/lib", "/lib/" MULTIARCH, "/usr/lib/" MULTIARCH, "/lib64", "/usr/lib64", "/lib", "/usr/lib",
};

/* The release that stands in the plugin's file; "": none. */
static void read_release(const char *path, char ret[32])
{
	SM_SCOPE_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *bytes, *mark;
	struct stat file;

	ret[0] = '\0';
	if (fd < 0 || fstat(fd, &file) != 0 || file.st_size == 0)
		return;
	bytes = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return;
	mark = memmem(bytes, (size_t)file.st_size, RELEASE_MARK, strlen(RELEASE_MARK));
	if (mark)
		snprintf(ret, 32, "%.*s", (int)strnlen(mark + strlen(RELEASE_MARK), 31), mark + strlen(RELEASE_MARK));
	munmap((void *)bytes, (size_t)file.st_size);
}

/* Is it for another machine than this command? */
static bool is_foreign(const char *path)
{
	SM_SCOPE_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	SM_SCOPE_CLOSE int own_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	unsigned char its[EI_NIDENT + 4], own[EI_NIDENT + 4];

	if (fd < 0 || own_fd < 0 || read(fd, its, sizeof(its)) != sizeof(its) || read(own_fd, own, sizeof(own)) != sizeof(own))
		return false;
	return its[EI_CLASS] != own[EI_CLASS] || memcmp(its + EI_NIDENT + 2, own + EI_NIDENT + 2, 2) != 0; /* e_machine */
}

/* Where ld.so finds the plugin. false: nowhere. */
static bool find_plugin(char ret[PATH_MAX])
{
	void *plugin = dlopen(PLUGIN, RTLD_LAZY | RTLD_LOCAL);
	struct link_map *map;

	if (!plugin || dlinfo(plugin, RTLD_DI_LINKMAP, &map) != 0)
		return false;
	snprintf(ret, PATH_MAX, "%s", map->l_name);
	return true;
}

static void explain_missing(struct sm_doctor *doctor)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(library_directories) / sizeof(library_directories[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", library_directories[i], PLUGIN);
		if (access(path, F_OK) != 0)
			continue;
		if (is_foreign(path))
			sm_doctor_find(doctor, SM_FINDING_PROBLEM, "plugin", "install libnss-srvmesh for this architecture",
			               "%s is of another architecture", path);
		else
			sm_doctor_find(doctor, SM_FINDING_PROBLEM, "plugin", "install libnss-srvmesh again",
			               "%s cannot be loaded: %s", path,
			               dlerror());
		return;
	}
	sm_doctor_find(doctor, SM_FINDING_PROBLEM, "plugin", "install libnss-srvmesh", "%s is not there: no program can load it",
	               PLUGIN);
}

void sm_doctor_plugin(struct sm_doctor *doctor)
{
	char path[PATH_MAX], release[32];

	if (!find_plugin(path)) {
		explain_missing(doctor);
		return;
	}
	read_release(path, release);
	if (strcmp(release, PACKAGE_VERSION) != 0)
		sm_doctor_find(doctor, SM_FINDING_WARNING, "plugin", "install packages of one release",
		               "%s is of release %s, and this command of " PACKAGE_VERSION, path,
		               release[0] ? release : "unknown");
	else
		sm_doctor_find(doctor, SM_FINDING_GOOD, "plugin", "", "%s %s", path, release);
}

/* ---- the configuration */

static void look_at_switch(struct sm_doctor *doctor, const struct sm_rule *rule)
{
	char remedy[SM_FINDING_MAX], line[SM_INQUIRY_WHY_MAX];

	if (!rule->is_disabled)
		return;
	sm_inquiry_switch(doctor->check.conf, rule, line);
	snprintf(remedy, sizeof(remedy), "srvmesh enable %s", rule->name.text);
	sm_doctor_find(doctor, SM_FINDING_WARNING, "config", remedy, "%s is switched off: %.300s", rule->name.text, line);
}

void sm_doctor_config(struct sm_doctor *doctor)
{
	const struct sm_config_check *check = &doctor->check;

	for (uint32_t i = 0; i < check->n; i++)
		if (check->complaints[i].kind == SM_COMPLAINT_WARNING)
			sm_doctor_find(doctor, SM_FINDING_WARNING, "config", "", "%s", check->complaints[i].text);
		else
			sm_doctor_find(doctor, SM_FINDING_PROBLEM, "config", "", "%s", check->complaints[i].text);
	if (check->conf->has_unread)
		sm_doctor_find(doctor, SM_FINDING_NOTE, "config", "chmod 0644 it, or run srvmesh doctor as root",
		               "a file of the configuration cannot be read by this user: which names are ours is not known");
	else if (check->conf->rules.n_rules == 0)
		sm_doctor_find(doctor, SM_FINDING_PROBLEM, "config",
		               "write a [domain NAME] into " SM_CONF_FILE ": srvmesh.conf(5)",
		               "no name is ours: no [domain NAME] or [service NAME] is configured");
	else if (check->conf->rules.elsewhere.is_disabled)
		sm_doctor_find(doctor, SM_FINDING_PROBLEM, "config", "srvmesh enable",
		               "all names are switched off: enabled = no");
	for (uint32_t i = 0; i < check->conf->rules.n_rules && !check->conf->rules.elsewhere.is_disabled; i++)
		look_at_switch(doctor, &check->conf->rules.rules[i]);
	if (check->n_errors == 0 && check->conf->rules.n_rules > 0)
		sm_doctor_find(doctor, SM_FINDING_GOOD, "config", "", "%u section%s, no error", check->conf->rules.n_rules,
		               check->conf->rules.n_rules == 1 ? "" : "s");
}

/* ---- nscd, unscd */

static bool listens(const char *path)
{
	SM_SCOPE_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;

	return fd >= 0 && sm_sockaddr_local(path, "", &address) == SM_OK &&
	       connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
}

/* Does a line of nscd.conf say "enable-cache hosts no"? */
static bool is_told_not_to(const struct sm_doctor *doctor)
{
	SM_SCOPE_FREE char *text = NULL;
	char path[PATH_MAX], *rest, *line, key[32], database[32], word[32];
	bool is_off = false;
	size_t size;

	sm_doctor_path(doctor, "/etc/nscd.conf", path);
	if (sm_file_read(path, &text, &size) != SM_OK)
		return false;
	rest = text;
	while ((line = strsep(&rest, "\n")))
		if (sscanf(line, " %31[^# \t] %31s %31s", key, database, word) == 3 && strcmp(key, "enable-cache") == 0 &&
		    strcmp(database, "hosts") == 0)
			is_off = strcmp(word, "no") == 0;
	return is_off;
}

void sm_doctor_nscd(struct sm_doctor *doctor)
{
	char old[PATH_MAX], usual[PATH_MAX];

	sm_doctor_path(doctor, "/var/run/nscd/socket", old);
	sm_doctor_path(doctor, "/run/nscd/socket", usual);
	if ((listens(old) || listens(usual)) && !is_told_not_to(doctor))
		sm_doctor_find(doctor, SM_FINDING_WARNING, "nscd",
		               "\"enable-cache hosts no\" and \"enable-cache services no\" in /etc/nscd.conf",
		               "nscd or unscd caches hosts: all programs get one and the same answer, and get it for too long");
}

/* ---- the clock */

void sm_doctor_clock(struct sm_doctor *doctor)
{
	struct timex now = {.modes = 0};
	int64_t wall_s = sm_clock_wall_ns() / SM_NS_PER_S;

	if (wall_s < RELEASED_S)
		sm_doctor_find(doctor, SM_FINDING_PROBLEM, "clock", "set it: timedatectl set-ntp true",
		               "the clock is wrong: it says a time before this release was made");
	else if (doctor->check.conf->host.shared.n_roads > 0 && adjtimex(&now) == TIME_ERROR)
		sm_doctor_find(doctor, SM_FINDING_WARNING, "clock", "timedatectl set-ntp true",
		               "the clock is not synchronised: hosts that share answers need one that is right to five minutes");
}

/* ---- AppArmor, SELinux */

static const char *const logs[] = {"/var/log/audit/audit.log", "/var/log/kern.log", "/var/log/messages"};

/* The last line that says that we were denied something; NULL: none. */
static const char *find_denial(char *text)
{
	const char *found = NULL;
	char *line;

	while ((line = strsep(&text, "\n")))
		if ((strstr(line, "apparmor=\"DENIED\"") || strstr(line, "avc:  denied")) && strstr(line, "srvmesh"))
			found = line;
	return found;
}

/* Audit logs are large: their end is enough. */
static bool look_at_log(struct sm_doctor *doctor, const char *where, char *text)
{
	const char *denial = find_denial(text);

	if (denial)
		sm_doctor_find(doctor, SM_FINDING_PROBLEM, "denied",
		               "let it: /etc/apparmor.d/abstractions/nameservice.d/srvmesh, or packaging/selinux",
		               "a security module denies something (%s): %.300s", where, denial);
	return denial;
}

#define LOG_TAIL (1 << 18)

void sm_doctor_denials(struct sm_doctor *doctor)
{
	SM_SCOPE_FREE char *text = sm_memory(malloc(LOG_TAIL + 1));
	int size;

	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		SM_SCOPE_CLOSE int fd = open(logs[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		struct stat file;
		ssize_t part;

		if (fd < 0 || fstat(fd, &file) != 0)
			continue;
		part = pread(fd, text, LOG_TAIL, file.st_size > LOG_TAIL ? file.st_size - LOG_TAIL : 0);
		text[part > 0 ? part : 0] = '\0';
		if (look_at_log(doctor, logs[i], text))
			return;
	}
	size = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, text, LOG_TAIL);
	if (size > 0) {
		text[size] = '\0';
		look_at_log(doctor, "the kernel's log", text);
	}
}
