/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The doctor looks at running programs: which cannot see us, which hold an older plugin, and what one of them sees. */
#include "base/scope.h"
#include "cache/map.h"
#include "cli/doctor.h"
#include "cli/memory.h"
#include "conf/conf.h"
#include "conf/file.h"

#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define SHOWN_MAX 5
#define PLUGIN "/libnss_srvmesh.so.2"
#define DELETED " (deleted)"

enum linkage { DYNAMIC, STATIC, MUSL };

/* The program's interpreter tells who looks up its names. */
static enum linkage linkage_of(int fd)
{
	ElfW(Ehdr) head;
	ElfW(Phdr) part;
	char interpreter[PATH_MAX];

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
	    head.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
		return DYNAMIC; /* a script, or of another size: its interpreter is not known here */
	for (unsigned i = 0; i < head.e_phnum; i++) {
		ssize_t size;

		if (pread(fd, &part, sizeof(part), (off_t)(head.e_phoff + i * head.e_phentsize)) != sizeof(part))
			return DYNAMIC;
		if (part.p_type != PT_INTERP)
			continue;
		size = pread(fd, interpreter, sizeof(interpreter) - 1, (off_t)part.p_offset);
		interpreter[size > 0 ? size : 0] = '\0';
		return strstr(interpreter, "ld-musl") ? MUSL : DYNAMIC;
	}
	return STATIC;
}

/* The file of a process, of the same mount namespace as ours; -1: none, or it may not be looked at. */
static int open_program(pid_t pid, char path[PATH_MAX])
{
	char link[64];
	ssize_t size;
	struct stat its, own;

	snprintf(link, sizeof(link), "/proc/%d/ns/mnt", pid);
	if (stat(link, &its) != 0 || stat("/proc/self/ns/mnt", &own) != 0 || its.st_ino != own.st_ino)
		return -1;
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	size = readlink(link, path, PATH_MAX - 1);
	if (size <= 0)
		return -1;
	path[size] = '\0';
	return open(link, O_RDONLY | O_CLOEXEC);
}

struct looking {
	struct sm_doctor *doctor;
	uint32_t n_blind, n_old;
	char shown[SHOWN_MAX][PATH_MAX];
};

static bool is_shown(struct looking *looking, const char *path)
{
	for (uint32_t i = 0; i < looking->n_blind && i < SHOWN_MAX; i++)
		if (strcmp(looking->shown[i], path) == 0)
			return true;
	return false;
}

/* Each program once. */
static void look_at_program(struct looking *looking, pid_t pid)
{
	char path[PATH_MAX];
	SM_SCOPE_CLOSE int fd = open_program(pid, path);
	enum linkage linkage = fd >= 0 ? linkage_of(fd) : DYNAMIC;

	if (linkage == DYNAMIC || is_shown(looking, path))
		return;
	if (looking->n_blind < SHOWN_MAX) {
		snprintf(looking->shown[looking->n_blind], PATH_MAX, "%s", path);
		sm_doctor_find(looking->doctor, SM_FINDING_WARNING, linkage == STATIC ? "static" : "musl",
		               "a program that is linked to glibc sees our names; or `srvmesh run`",
		               linkage == STATIC ? "%s (pid %d) is static: it does not see this plugin"
		                                 : "%s (pid %d) uses musl: it does not see this plugin", path, pid);
	}
	looking->n_blind++;
}

/* The line of /proc/PID/maps that has `what`, from its path on; NULL: none. */
static char *find_mapped(char *maps, const char *what)
{
	char *at = strstr(maps, what), *begin;

	if (!at)
		return NULL;
	for (begin = at; begin > maps && begin[-1] != '\n'; begin--)
		continue;
	begin = strchr(begin, '/');
	if (begin)
		begin[strcspn(begin, "\n")] = '\0';
	return begin;
}

/* The text of a file of /proc, which tells no size; NULL: it may not be read. */
static char *read_proc(pid_t pid, const char *name)
{
	char path[64], *text = NULL;
	SM_SCOPE_CLOSE int fd = -1;
	size_t used = 0, room = 0;
	ssize_t size = 1;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && size > 0) {
		if (room - used < 4097) {
			room += 65536;
			text = sm_memory(realloc(text, room));
		}
		size = read(fd, text + used, room - used - 1);
		used += size > 0 ? (size_t)size : 0;
	}
	if (text)
		text[used] = '\0';
	if (text && used == 0 && size < 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void look_at_one(struct looking *looking, pid_t pid)
{
	SM_SCOPE_FREE char *maps = NULL;
	const char *plugin;

	look_at_program(looking, pid);
	maps = read_proc(pid, "maps");
	plugin = maps ? find_mapped(maps, PLUGIN) : NULL;
	looking->n_old += plugin && strstr(plugin, DELETED);
}

void sm_doctor_processes(struct sm_doctor *doctor)
{
	struct looking looking = {.doctor = doctor};
	DIR *directory = opendir("/proc");
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (isdigit((unsigned char)entry->d_name[0]))
			look_at_one(&looking, (pid_t)strtol(entry->d_name, NULL, 10));
	if (directory)
		closedir(directory);
	if (looking.n_blind > SHOWN_MAX)
		sm_doctor_find(doctor, SM_FINDING_WARNING, "static", "", "... and %u more", looking.n_blind - SHOWN_MAX);
	if (looking.n_old > 0)
		sm_doctor_find(doctor, SM_FINDING_NOTE, "older", "restart them when it suits: both releases work side by side",
		               "%u process%s hold%s a plugin that was replaced since", looking.n_old,
		               looking.n_old == 1 ? "" : "es",
		               looking.n_old == 1 ? "s" : "");
}

/* ---- one process */

static void look_at_plugin(struct sm_doctor *doctor, char *maps)
{
	const char *plugin = find_mapped(maps, PLUGIN);

	if (!plugin)
		sm_doctor_find(doctor, SM_FINDING_WARNING, "plugin",
		               "if it was started before the plugin was installed, restart it",
		               "it has not loaded the plugin: it has not looked up a host yet, or reads another nsswitch.conf, "
		               "or started "
		               "before nsswitch.conf was changed");
	else if (strstr(plugin, DELETED))
		sm_doctor_find(doctor, SM_FINDING_WARNING, "plugin", "restart it when it suits",
		               "it holds a plugin that was replaced: %s",
		               plugin);
	else
		sm_doctor_find(doctor, SM_FINDING_GOOD, "plugin", "", "it has %s", plugin);
}

/* "address perms offset major:minor inode   path" */
static void look_at_map(struct sm_doctor *doctor, char *maps)
{
	char *at = strstr(maps, "/" SM_MAP_FILE), *begin, path[PATH_MAX];
	unsigned major, minor;
	unsigned long inode;
	struct stat today;

	if (!at) {
		sm_doctor_find(doctor, SM_FINDING_NOTE, "map", "", "it has not mapped the host map");
		return;
	}
	for (begin = at; begin > maps && begin[-1] != '\n'; begin--)
		continue;
	if (sscanf(begin, "%*s %*s %*s %x:%x %lu", &major, &minor, &inode) != 3)
		return;
	snprintf(path, sizeof(path), "%s%s/%s", doctor->root, doctor->check.conf->host.directory, SM_MAP_FILE);
	if (stat(path, &today) == 0 && today.st_ino == inode)
		sm_doctor_find(doctor, SM_FINDING_GOOD, "map", "", "it reads today's host map");
	else
		sm_doctor_find(doctor, SM_FINDING_WARNING, "map",
		               "it looks again with its next lookup; if that does not help, restart it",
		               "it reads another host map than today's: inode %lu", inode);
}

static void look_at_namespaces(struct sm_doctor *doctor, pid_t pid)
{
	static const struct {
		const char *name, *text;
	} spaces[] = {
		{"net", "it has a network of its own: ranks and health of this host do not hold there, and `ordered` gives one "
		 "target"},
		{"mnt", "it has mounts of its own: its files are looked at below"},
		{"time", "it has a clock of its own: it does not use the host map"},
	};

	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		char path[64];
		struct stat its, own;

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, spaces[i].name);
		if (stat(path, &its) != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/ns/%s", spaces[i].name);
		if (stat(path, &own) == 0 && own.st_ino != its.st_ino)
			sm_doctor_find(doctor, SM_FINDING_NOTE, "container", "", "%s", spaces[i].text);
	}
}

/* Variables of its environment as it was started. */
static const char *variable_of(const char *environment, size_t size, const char *name)
{
	for (const char *at = environment; at < environment + size; at += strlen(at) + 1)
		if (strncmp(at, name, strlen(name)) == 0 && at[strlen(name)] == '=')
			return at + strlen(name) + 1;
	return NULL;
}

struct environment {
	char text[131072];
	size_t size;
};

static void read_environment(pid_t pid, struct environment *ret)
{
	char path[64];
	SM_SCOPE_CLOSE int fd = -1;
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = fd >= 0 ? read(fd, ret->text, sizeof(ret->text) - 1) : 0;
	ret->size = size > 0 ? (size_t)size : 0;
	ret->text[ret->size] = '\0';
}

/* The configuration that it reads: of its root, or what its environment names. */
static void load_config(struct sm_doctor *doctor, const char *named)
{
	static char file[PATH_MAX], dropins[PATH_MAX], resolv[PATH_MAX], gai[PATH_MAX];
	struct sm_conf_sources sources = sm_conf_sources(named);

	sm_doctor_path(doctor, sources.file, file);
	sm_doctor_path(doctor, sources.dropins ? sources.dropins : "", dropins);
	sm_doctor_path(doctor, sources.resolv, resolv);
	sm_doctor_path(doctor, sources.gai, gai);
	sources.file = file;
	sources.dropins = sources.dropins ? dropins : NULL;
	sources.resolv = resolv;
	sources.gai = gai;
	sm_config_check_sources(&sources, &doctor->check);
}

bool sm_doctor_process(struct sm_doctor *doctor, pid_t pid)
{
	static struct environment environment;
	char path[PATH_MAX];
	SM_SCOPE_CLOSE int fd = -1;
	SM_SCOPE_FREE char *maps = read_proc(pid, "maps"), *copy = maps ? sm_memory(strdup(maps)) : NULL;
	const char *word;

	if (!maps) {
		fprintf(stderr, "srvmesh: process %d: %s\n", pid, errno == ENOENT ||
		        errno == ESRCH ? "there is none"
		        : errno == EPERM || errno == EACCES ? "it is of another user: run srvmesh doctor as root"
		                                            : strerror(errno));
		return false;
	}
	snprintf(doctor->root, sizeof(doctor->root), "/proc/%d/root", pid);
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && linkage_of(fd) != DYNAMIC)
		sm_doctor_find(doctor, SM_FINDING_PROBLEM, linkage_of(fd) == STATIC ? "static" : "musl",
		               "`srvmesh run`, or another build of it",
		               "its program %s: it does not see this plugin",
		               linkage_of(fd) == STATIC ? "is static" : "uses musl");
	read_environment(pid, &environment);
	word = variable_of(environment.text, environment.size, "SRVMESH");
	if (word && strcmp(word, "off") == 0)
		sm_doctor_find(doctor, SM_FINDING_PROBLEM, "switch", "start it without it",
		               "SRVMESH=off stands in its environment");
	load_config(doctor, variable_of(environment.text, environment.size, "SRVMESH_CONF"));
	look_at_plugin(doctor, copy);
	look_at_map(doctor, maps);
	look_at_namespaces(doctor, pid);
	sm_doctor_order(doctor);
	sm_doctor_config(doctor);
	sm_doctor_hosts_file(doctor);
	sm_doctor_nscd(doctor);
	return true;
}
