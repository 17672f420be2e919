/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program whose libc fails: the n-th call that the module makes of a function, for every n until none is left; every call from
 * the n-th on; or each call with some probability. The module calls libc by the dynamic linker, so that functions of this program
 * take the place of libc's. Only calls out of the module fail, not those of libc itself or of this program.
 *
 *   faults SCENE NAME OTHER ADDRESS [FRESH CONF] how a lookup of NAME, and then one of OTHER without faults, goes:
 *       first      the first lookup of a process
 *       again      a later one, more than a second after the one before
 *       reload     the same, when FRESH has become CONF
 *       seeds N    as `again`, with so many seeds of faults by chance; N comes before NAME
 *
 * A file of the configuration that a hard error hides says nothing of whose a name is, and what a sandbox refuses is another
 * module's to answer: "unavailable" is right then. In NAME and OTHER a % stands for a number that no case has twice. Each case is
 * a process of its own. Prints each case that went wrong, and how many there were. A lookup may find ADDRESS, or say "try again";
 * the lookup after it has to find it, and as many descriptors are open as before. */
#include "tests/failing_libc.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <nss.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef enum nss_status gethostbyname4(const char *name, struct gaih_addrtuple **pat, char *buffer, size_t size, int *error,
                                       int *h_error, int32_t *ttl);

/* ---- the module */

#define TIME_MS 200 /* the tests have configurations with a little more */

static const char *const kinds[] = {"memory", "map", "open", "read", "look", "socket", "connect", "send", "receive", "wait",
                                    "option", "chance", "thread"};

static gethostbyname4 *module;

static int note_bounds(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	if (!strstr(info->dlpi_name, "libnss_srvmesh"))
		return 0;
	sm_faults_note(info);
	return 1;
}

static bool load_module(void)
{
	void *library = dlopen("libnss_srvmesh.so.2", RTLD_NOW);

	module = library ? (gethostbyname4 *)dlsym(library, "_nss_srvmesh_gethostbyname4_r") : NULL;
	return module && dl_iterate_phdr(note_bounds, NULL) == 1;
}

/* An address, or the status. */
static const char *look_up(const char *pattern, int number)
{
	static char text[INET6_ADDRSTRLEN];
	struct gaih_addrtuple *tuples = NULL;
	char buffer[4096], name[256];
	const char *mark = strchr(pattern, '%');
	int error = 0, h_error = 0;
	enum nss_status status;

	if (mark)
		snprintf(name, sizeof(name), "%.*s%d-%d%s", (int)(mark - pattern), pattern, getpid(), number, mark + 1);
	else
		snprintf(name, sizeof(name), "%s", pattern);
	status = module(name, &tuples, buffer, sizeof(buffer), &error, &h_error, NULL);
	if (status == NSS_STATUS_SUCCESS)
		return inet_ntop(tuples->family, tuples->addr, text, sizeof(text));
	if (status == NSS_STATUS_TRYAGAIN)
		return error == EAGAIN ? "again" : "larger";
	return status == NSS_STATUS_NOTFOUND ? "not found" : "unavailable";
}

static int descriptors_open(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += (int)syscall(SYS_fcntl, fd, F_GETFD, 0) >= 0;
	return n;
}

/* ---- cases */

static struct {
	const char *scene, *name, *other, *address;
	const char *fresh, *conf;
	int number, n_cases, n_wrong;
} run;

static int wrong(const char *what, const char *got)
{
	printf("%s %s %d%s %s seed %llu: %s %s\n", run.scene, faults.kind < 0 ? "-" : kinds[faults.kind], faults.n,
	       faults.goes_on ? " and on" : "", strerrorname_np(faults.error), (unsigned long long)faults.dice, what, got);
	fflush(stdout);
	return 2;
}

static bool is_right(const char *got)
{
	return strcmp(got, run.address) == 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Once more, where the time was up: the machine may be busy. */
static void look_up_patiently(const char *name, int number, char *ret, size_t size)
{
	int64_t began_ms;

	for (int tries = 0; tries < 20; tries++) {
		began_ms = now_ms();
		snprintf(ret, size, "%s", look_up(name, number));
		if (strcmp(ret, "again") != 0 || now_ms() - began_ms < TIME_MS)
			break;
		faults.ahead_s += 7;
	}
}

static bool may_be_unavailable(int kind)
{
	if (faults.error == EPERM)
		return kind == SOCKET || kind == WAIT || kind == CONNECT;
	return strcmp(run.scene, "first") == 0 && faults.error == EIO && (kind == OPEN || kind == READ || kind == LOOK);
}

/* In a process of its own. 0: as it should be; 1: there were not so many calls; 2: wrong. */
static int play(int kind)
{
	int before = descriptors_open(), failed;
	char got[64];

	if (run.fresh)
		rename(run.fresh, run.conf);
	faults.ahead_s += 2;
	faults.kind = kind;
	snprintf(got, sizeof(got), "%s", look_up(run.name, run.number));
	failed = faults.failed;
	faults.kind = -1;
	if (!is_right(got) && strcmp(got, "again") != 0 && !(strcmp(got, "unavailable") == 0 && may_be_unavailable(kind)))
		return faults.kind = kind, wrong("the lookup says", got);
	faults.ahead_s += 7; /* what it has given up for some seconds it tries again */
	look_up_patiently(run.other, run.number + 1, got, sizeof(got));
	faults.kind = kind;
	if (!is_right(got))
		return wrong("the next one says", got);
	if (descriptors_open() != before)
		return wrong("a descriptor is left", "");
	return failed > 0 || faults.dice ? 0 : 1;
}

static void prepare_file(void)
{
	char path[512];

	if (!run.fresh)
		return;
	snprintf(path, sizeof(path), "%s.master", run.fresh);
	unlink(run.fresh);
	if (link(path, run.fresh) != 0)
		perror(path);
}

/* false: there are no more cases of this kind. */
static bool try_case(int kind)
{
	int status;
	pid_t child;

	prepare_file();
	run.number += 2;
	fflush(stdout);
	child = fork();
	if (child == 0) {
		int code = module || load_module() ? play(kind) : 3;

		faults.kind = -1;
		exit(code); /* and not _exit: gcov writes then what was run */
	}
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		return false;
	run.n_cases++;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		run.n_wrong++;
		if (!WIFEXITED(status) || WEXITSTATUS(status) > 2) {
			faults.kind = kind;
			wrong("the process ended by", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "itself");
			faults.kind = -1;
		}
	}
	return true;
}

static void try_all(void)
{
	static const int errors[KINDS][3] = {
		[MEMORY] = {ENOMEM}, [MAP] = {ENOMEM, EPERM}, [OPEN] = {EMFILE, EINTR, EIO}, [READ] = {EIO, EINTR}, [LOOK] = {EINTR, EIO, ENOMEM},
		[SOCKET] = {EMFILE, ENOBUFS, EPERM}, [CONNECT] = {EAGAIN, EPERM, ENETUNREACH}, [SEND] = {EAGAIN, ENOBUFS, EPERM},
		[RECEIVE] = {EAGAIN, EINTR, ECONNREFUSED}, [WAIT] = {EINTR, ENOMEM, EPERM}, [OPTION] = {ENOBUFS, EPERM},
		[CHANCE] = {ENOSYS, EAGAIN}, [THREAD] = {ENOMEM},
	};

	for (int kind = 0; kind < KINDS; kind++)
		for (int i = 0; i < 3 && errors[kind][i]; i++)
			for (int goes_on = 0; goes_on < 2; goes_on++) {
				faults.error = errors[kind][i];
				faults.goes_on = goes_on;
				for (faults.n = 1; faults.n < 500 && try_case(kind); faults.n++)
					continue;
			}
}

static void try_seeds(int n)
{
	faults.error = EINTR;
	for (uint64_t seed = 1; seed <= (uint64_t)n; seed++) {
		faults.dice = seed;
		try_case(MEMORY);
	}
}

int main(int argc, char **argv)
{
	bool is_by_chance = argc > 2 && strcmp(argv[1], "seeds") == 0;
	char **words = argv + 2 + is_by_chance;

	if (argc < 5 + is_by_chance)
		return 2;
	run.scene = argv[1];
	run.name = words[0];
	run.other = words[1];
	run.address = words[2];
	if (words[3] && words[4]) {
		run.fresh = words[3];
		run.conf = words[4];
	}
	if (strcmp(run.scene, "first") != 0 && (!load_module() || !is_right(look_up(run.other, 0))))
		return puts("the lookup before all faults fails"), 1;
	if (is_by_chance)
		try_seeds(atoi(argv[2]));
	else
		try_all();
	printf("%d cases, %d wrong\n", run.n_cases, run.n_wrong);
	return run.n_wrong > 0;
}
